"""Sparklines: the small bars of a table row, as two SVG paths however many bars they have; pure.

A list has a thousand of these bars. One element each, with words of its own, was nine tenths of the list: each path
has a title that says what its bars say as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.web.charts import MIN_VISIBLE, nice_ceiling
from console.web.filters import plural

GAP = 0.24
"""The empty share of a column."""


@dataclass(frozen=True, slots=True)
class Spark:
    """A sparkline: *good* and *bad* are SVG path data, in user units of a frame, each with its tooltip."""

    width: int
    height: int
    good: str
    bad: str
    good_title: str
    bad_title: str = ""

    @property
    def title(self) -> str:
        """What all of it says, for who does not see it."""
        return ", ".join(filter(None, (self.good_title if self.good else "", self.bad_title if self.bad else "")))


def spark(
    good: Sequence[int], *, bad: Sequence[int] = (), words: str, bad_words: str = "", width: int = 96, height: int = 24
) -> Spark:
    """Draw a column for each of *good*, oldest first, with its part of *bad* on top; the words are their titles."""
    bad = bad or [0] * len(good)
    ceiling = nice_ceiling(max((below + above for below, above in zip(good, bad, strict=True)), default=0))
    column, scale = width / max(len(good), 1), height / ceiling
    wide = f"{column * (1 - GAP):.4g}"
    goods, bads = [], []
    for place, (below, above) in enumerate(zip(good, bad, strict=True)):
        top, foot = _heights(below * scale, above * scale, height=height)
        x = f"M{column * (place + GAP / 2):.4g} "
        if foot:
            goods.append(f"{x}{height}v-{foot:.4g}h{wide}v{foot:.4g}z")
        if top:
            bads.append(f"{x}{height - foot:.4g}v-{top:.4g}h{wide}v{top:.4g}z")
    return Spark(width, height, "".join(goods), "".join(bads), words, bad_words)


def _heights(below: float, above: float, *, height: float) -> tuple[float, float]:
    """Lift what is small to MIN_VISIBLE and take what that adds from the larger: give the upper and the lower part."""
    foot, top = (max(part, MIN_VISIBLE) if part > 0 else 0.0 for part in (below, above))
    if foot + top > height:
        foot, top = (height - top, top) if foot > top else (foot, height - foot)
    return top, foot


def of_hours(delivered: Sequence[int], *, failed: Sequence[int], width: int = 72) -> Spark:
    """Draw a hook's attempts, one column an hour, the last for the present one."""
    last = next((ago for ago, count in enumerate(reversed(failed)) if count), 0)
    return spark(
        delivered,
        bad=failed,
        words=f"{sum(delivered):,} delivered, {max(delivered, default=0):,} in the busiest hour",
        bad_words=f"{sum(failed):,} failed, the last {f'{last} h ago' if last else 'this hour'}",
        width=width,
    )


def of_events(figures: Sequence[int], *, hours: int) -> Spark:
    """Draw the events of a type, one column for so many *hours*."""
    most = plural(max(figures, default=0), "event", limit=None)
    return spark(figures, words=f"{most} in the busiest {hours} hours")
