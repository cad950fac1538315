"""Numbers to the geometry of server-rendered SVG charts; pure. Sizes are SVG user units, y grows downwards.

Every figure keeps the numbers it was drawn from, so that a template can put the data table behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log10

MIN_VISIBLE = 2.0
"""Height in units that a value above zero gets at least: one failure among thousands must be seen."""

PHASES = (
    ("dns", "DNS"),
    ("connect", "Connect"),
    ("tls", "TLS"),
    ("send", "Send"),
    ("first_byte", "First byte"),
    ("body", "Body"),
)
"""The phases of an attempt in their order: field name and the word shown."""


@dataclass(frozen=True, slots=True)
class Series:
    """One layer of a stacked chart: *key* becomes the CSS class ``series-KEY``, *values* go with the labels."""

    key: str
    name: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a bar, drawn from *y* downwards."""

    key: str
    name: str
    value: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: *title* is its tooltip, e.g. ``14:00: 120 delivered, 3 failed``."""

    label: str
    title: str
    x: float
    width: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid and the value it stands for."""

    value: float
    y: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A stacked bar chart, the first series at the bottom."""

    width: float
    height: float
    ceiling: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[str, ...]
    series: tuple[Series, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to draw."""
        return not any(bar.segments for bar in self.bars)


@dataclass(frozen=True, slots=True)
class Band:
    """A band between two lines (say median and 95th percentile), broken where there is no data.

    *areas*, *uppers* and *lowers* are SVG path data, one per unbroken run.
    """

    width: float
    height: float
    ceiling: float
    areas: tuple[str, ...]
    uppers: tuple[str, ...]
    lowers: tuple[str, ...]
    columns: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[str, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing to draw."""
        return not self.areas


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of an attempt in the timing bar; *milliseconds* is exact, *width* at least visible."""

    key: str
    name: str
    milliseconds: float
    x: float
    width: float


def nice_ceiling(value: float) -> float:
    """Return the least of 1, 2, 4, 5, 10 times a power of ten that is not below *value* (1 for nothing)."""
    if value <= 0:
        return 1.0
    power = 10.0 ** (ceil(log10(value)) - 1)
    return next(step * power for step in (1, 2, 4, 5, 10) if step * power >= value - power * 1e-9)


def _ticks(ceiling: float, height: float) -> tuple[Tick, ...]:
    """Return the grid: top, middle, bottom."""
    return tuple(Tick(value=ceiling * part, y=round(height * (1 - part), 2)) for part in (1.0, 0.5, 0.0))


def _heights(values: Sequence[int], *, ceiling: float, height: float) -> list[float]:
    """Scale the *values* of one bar, lift small ones to MIN_VISIBLE and take what that adds from the largest."""
    heights = [max(value / ceiling * height, MIN_VISIBLE) if value > 0 else 0.0 for value in values]
    excess = sum(heights) - height
    if excess > 0:
        largest = heights.index(max(heights))
        heights[largest] = max(heights[largest] - excess, MIN_VISIBLE)
    return heights


def _bar_title(label: str, parts: Sequence[tuple[str, int]]) -> str:
    """Say a bar in words; a bar of zeros says so."""
    words = [f"{value:,} {name.lower()}" for name, value in parts if value]
    return f"{label}: {', '.join(words) or 'none'}"


def stacked_bars(
    labels: Sequence[str], *, series: Sequence[Series], width: float = 720, height: float = 144, gap: float = 0.24
) -> Bars:
    """Draw one bar per label with a segment per series; *gap* is the empty share of a column.

    Raises ValueError when a series has not one value per label.
    """
    if any(len(one.values) != len(labels) for one in series):
        raise ValueError("Every series needs one value per label.")
    ceiling = nice_ceiling(
        max((sum(column) for column in zip(*(one.values for one in series), strict=True)), default=0)
    )
    column = width / max(len(labels), 1)
    bars = []
    for index, label in enumerate(labels):
        values = [one.values[index] for one in series]
        y, segments = height, []
        for one, value, tall in zip(series, values, _heights(values, ceiling=ceiling, height=height), strict=True):
            if value > 0:
                y -= tall
                segments.append(Segment(key=one.key, name=one.name, value=value, y=round(y, 2), height=round(tall, 2)))
        title = _bar_title(label, [(one.name, value) for one, value in zip(series, values, strict=True)])
        x, wide = round(column * (index + gap / 2), 2), round(column * (1 - gap), 2)
        bars.append(Bar(label=label, title=title, x=x, width=wide, segments=tuple(segments)))
    return Bars(
        width=width,
        height=height,
        ceiling=ceiling,
        bars=tuple(bars),
        ticks=tuple(tick for tick in _ticks(ceiling, height) if tick.value.is_integer()),  # halves count nothing
        labels=tuple(labels),
        series=tuple(series),
    )


def _runs(lower: Sequence[float | None], upper: Sequence[float | None]) -> list[list[int]]:
    """Group the indices that have both values into unbroken runs."""
    runs: list[list[int]] = [[]]
    for index, pair in enumerate(zip(lower, upper, strict=True)):
        if None in pair:
            runs.append([])
        else:
            runs[-1].append(index)
    return [run for run in runs if run]


def latency_band(
    labels: Sequence[str],
    *,
    lower: Sequence[float | None],
    upper: Sequence[float | None],
    width: float = 720,
    height: float = 144,
) -> Band:
    """Draw the band between *lower* and *upper* in milliseconds; None is an hour without attempts.

    A lonely hour becomes a short flat piece, since a path of one point is invisible.
    """
    ceiling = nice_ceiling(max((value for value in upper if value is not None), default=0))
    column = width / max(len(labels), 1)

    def path(run: list[int], values: Sequence[float | None]) -> list[str]:
        """Return the points of one line of a run, in the middle of their columns."""
        points = [(column * (index + 0.5), height * (1 - (values[index] or 0) / ceiling)) for index in run]
        if len(points) == 1:
            (x, y) = points[0]
            points = [(x - column * 0.35, y), (x + column * 0.35, y)]
        return [f"{x:.2f} {y:.2f}" for x, y in points]

    runs = _runs(lower, upper)
    lows, ups = [path(run, lower) for run in runs], [path(run, upper) for run in runs]
    return Band(
        width=width,
        height=height,
        ceiling=ceiling,
        areas=tuple("M" + "L".join([*up, *reversed(low)]) + "Z" for up, low in zip(ups, lows, strict=True)),
        uppers=tuple("M" + "L".join(line) for line in ups),
        lowers=tuple("M" + "L".join(line) for line in lows),
        columns=tuple(
            Bar(label, _band_title(label, low, high), round(column * index, 2), round(column, 2), ())
            for index, (label, low, high) in enumerate(zip(labels, lower, upper, strict=True))
        ),
        ticks=_ticks(ceiling, height),
        labels=tuple(labels),
        lower=tuple(lower),
        upper=tuple(upper),
    )


def _band_title(label: str, low: float | None, high: float | None) -> str:
    """Say one hour of the band in words."""
    if low is None or high is None:
        return f"{label}: no attempts"
    return f"{label}: median {low:,.0f} ms, 95th percentile {high:,.0f} ms"


def timing_phases(timings: Mapping[str, float | None], *, width: float = 600) -> tuple[Phase, ...]:
    """Lay the phases of an attempt (milliseconds by field name) end to end over *width*.

    Those that took no time are left out: they were not reached, or not needed. Others are at least MIN_VISIBLE wide.
    """
    known = [(key, name, timings.get(key)) for key, name in PHASES]
    taken = [(key, name, float(value)) for key, name, value in known if value]
    total = sum(value for _, _, value in taken) or 1.0
    wide = [max(value / total * width, MIN_VISIBLE) for _, _, value in taken]
    scale = width / (sum(wide) or 1.0)
    x, phases = 0.0, []
    for (key, name, value), share in zip(taken, wide, strict=True):
        phases.append(Phase(key=key, name=name, milliseconds=value, x=round(x, 2), width=round(share * scale, 2)))
        x += share * scale
    return tuple(phases)
