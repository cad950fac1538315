"""Words for templates: times, durations, sizes, counts, shortened names, addresses of assets and of this page.

The functions are pure; ``install`` registers them as Jinja filters and globals and fills in the moment of the request,
by the app's clock, and the reader's time zone (``g.zone`` when somebody sets it, else UTC).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from flask import Flask, g, request, url_for
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup, escape

from console.core.redact import visible
from console.extensions import collaborators
from console.paths import STATIC
from console.web import times
from console.web.charts import Bar, Bars, timing_phases
from console.web.pretty import json_tokens

THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")
FORMAT_NAMES = {"standard": "Standard Webhooks", "waldur": "Waldur", "pretix": "pretix", "oms": "OMS"}
COUNT_LIMIT = 10_000
"""Counts beyond this are not counted out, but shown as "10,000+"."""

NONE = "\N{EN DASH}"
"""What stands where there is no value."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))
_KILOBYTE = 1000
NIL = UUID(int=0)


def duration(value: float | timedelta, *, parts: int = 3) -> str:
    """Say seconds in words with at most *parts* units: ``3 d 3 h 36 min``, ``10 s``, ``0 s``."""
    seconds = round(value.total_seconds() if isinstance(value, timedelta) else value)
    words = []
    for size_s, unit in _UNITS:
        amount, seconds = divmod(seconds, size_s)
        if amount:
            words.append(f"{amount} {unit}")
    return " ".join(words[:parts]) or "0 s"


def milliseconds(value: float | None) -> str:
    """Say a time of an attempt: ``<0.1 ms``, ``0.4 ms``, ``143 ms``, ``1.24 s``, ``15.0 s``; a dash for none."""
    if value is None:
        return NONE
    if 0 < value < 0.05:  # noqa: PLR2004 # what would round to 0.0
        return "<0.1 ms"
    if value < 10:  # noqa: PLR2004 # below ten, a digit behind the point tells something
        return f"{value:.1f} ms".replace(".0 ", " ")
    if value < 999.5:  # noqa: PLR2004 # what would round to 1000 ms
        return f"{value:.0f} ms"
    return f"{value / 1000:.2f} s" if value < 9_995 else f"{value / 1000:.1f} s"  # noqa: PLR2004 # three digits


def size(value: int | None) -> str:
    """Say bytes: ``17 B``, ``1.2 KB``, ``64 KB``, ``3.4 MB`` (thousands, as browsers say them)."""
    if value is None:
        return NONE
    if value < _KILOBYTE:
        return f"{value} B"
    scaled, unit = value / _KILOBYTE, "KB"
    for larger in ("MB", "GB", "TB"):
        if scaled < 999.5:  # noqa: PLR2004 # what would round to 1000
            break
        scaled, unit = scaled / _KILOBYTE, larger
    return f"{scaled:.1f}".removesuffix(".0") + f" {unit}" if scaled < 99.95 else f"{scaled:.0f} {unit}"  # noqa: PLR2004


def counted(value: int | None, *, limit: int | None = COUNT_LIMIT) -> str:
    """Say a count with separators, ``1,204``; beyond *limit* ``10,000+``, since counting stops there."""
    if value is None:
        return NONE
    return f"{limit:,}+" if limit is not None and value > limit else f"{value:,}"


def figure(value: int | None) -> str:
    """Say a figure that is known exactly (a roll-up, a sum) with separators and no limit."""
    return counted(value, limit=None)


def plural(value: int, one: str, many: str | None = None, *, limit: int | None = COUNT_LIMIT) -> str:
    """Say a count with its noun: ``1 delivery``, ``1,204 deliveries``."""
    return f"{counted(value, limit=limit)} {one if value == 1 else many or one + 's'}"


def percent(value: float | None) -> str:
    """Say a share (0 to 1): ``99.2%``; never ``100%`` or ``0%`` unless it is exactly that; a dash for none."""
    if value is None:
        return NONE
    if 0 < value < 0.001:  # noqa: PLR2004 # what would round to 0.0
        return "<0.1%"
    if 0.999 < value < 1:  # noqa: PLR2004 # what would round to 100.0
        return ">99.9%"
    return f"{value * 100:.1f}".removesuffix(".0") + "%"


def shorten(text: str, length: int = 40) -> str:
    """Leave out the middle of *text* so that at most *length* characters remain: ``https://shop…/hooks/17``."""
    if len(text) <= length:
        return text
    tail = (length - 1) // 2
    return text[: length - 1 - tail] + "…" + text[len(text) - tail :]


def relative(at: datetime, *, now: datetime) -> str:
    """Say how far *at* is from *now*: ``just now``, ``3 min ago``, ``in 6 min``, ``2 d ago``.

    What is to come is rounded, so that what somebody made for 90 days a moment ago ends ``in 90 d``.
    """
    seconds = (at - now).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    if seconds < 0:
        unit_s, unit = next((one for one in _UNITS if -seconds >= one[0]), _UNITS[-1])
        return f"{int(-seconds // unit_s)} {unit} ago"
    unit_s, unit = next(
        (one for one in _UNITS if round(seconds / one[0]) >= 1 and seconds >= one[0] * 0.99), _UNITS[-1]
    )
    return f"in {round(seconds / unit_s)} {unit}"


def absolute(at: datetime, *, now: datetime, zone: tzinfo) -> str:
    """Say when *at* was with as much date as needed: ``14:02:10``, ``20 Nov 14:02:10``, ``20 Nov 2024 14:02:10``."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    year = "" if local.year == today.year else f" {local.year}"
    return f"{local.day} {local:%b}{year} {local:%H:%M:%S}"


def exact(at: datetime, *, zone: tzinfo) -> str:
    """Say *at* in full with its zone: ``2025-11-22 14:02:10.123 UTC``."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03d} {local.tzname()}"


def day(at: datetime, *, now: datetime, zone: tzinfo) -> str:
    """Say the day of *at*: ``Today``, ``Yesterday``, ``Thursday 20 November``, with the year when it is another."""
    local, today = at.astimezone(zone).date(), now.astimezone(zone).date()
    if local == today:
        return "Today"
    if local == today - timedelta(days=1):
        return "Yesterday"
    return f"{local:%A} {local.day} {local:%B}" + ("" if local.year == today.year else f" {local.year}")


def iso(at: datetime) -> str:
    """Return *at* as RFC 3339 in UTC, for ``<time datetime>`` and cursors."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def initials(name: str) -> str:
    """Return one or two letters for a person: ``Ada Lovelace`` is AL, ``ed@example.com`` is E."""
    words = name.split("@", maxsplit=1)[0].replace(".", " ").split()
    letters = [word[0] for word in (words[:1] + words[1:][-1:])]
    return "".join(letters).upper() or "?"


def with_query(path: str, query: Mapping[str, Iterable[str]], **changes: object) -> str:
    """Return *path* with the *query*, where each of *changes* replaces a parameter; None or "" removes it.

    A list sets a parameter several times. ``from_`` stands for a name that Python keeps for itself.
    """
    merged: dict[str, list[str]] = {name: list(values) for name, values in query.items()}
    for given, value in changes.items():
        name = given.removesuffix("_")
        if value is None or value == "":
            merged.pop(name, None)
        elif isinstance(value, (list, tuple)):
            merged[name] = [str(one) for one in value]
        else:
            merged[name] = [str(value)]
    encoded = urlencode(merged, doseq=True)
    return f"{path}?{encoded}" if encoded else path


@lru_cache(maxsize=64)
def _content_hash(name: str, changed_ns: int) -> str:
    """Return the first ten digits of the SHA-256 of a static file; *changed_ns* is there to notice edits."""
    del changed_ns
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def asset(name: str) -> str:
    """Return the address of a static file, with ``?v=content hash``; vendored files carry a version in their path."""
    known: dict[str, str] = g.setdefault("assets", {})  # a page has a hundred icons, all of them in one file
    if name not in known:
        known[name] = _asset(name)
    return known[name]


def _asset(name: str) -> str:
    if name.startswith("vendor/"):
        return url_for("static", filename=name)
    return url_for("static", filename=name, v=_content_hash(name, (STATIC / name).stat().st_mtime_ns))


@lru_cache(maxsize=4096)
def dotted(name: str) -> Markup:
    """Write an event type so that it may break behind its dots."""
    return Markup(".<wbr>").join(visible(name).split("."))


@lru_cache(maxsize=256)
def _icon(name: str, label: str, sheet: str) -> Markup:
    words = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    draft = Markup('<svg class="icon icon-{}" width="16" height="16" {}><use href="{}#{}"></use></svg>')
    return draft.format(name, words, sheet, name)


def icon(name: str, label: str = "") -> Markup:
    """Draw a shape of static/icons.svg, hidden from readers unless it has a label; see macros/icons.html."""
    return _icon(name, label, asset("icons.svg"))


def csrf_field() -> Markup:
    """Return the hidden field that every form of ours has."""
    if "csrf_field" not in g:
        g.csrf_field = Markup('<input type="hidden" name="csrf_token" value="{}">').format(generate_csrf())
    return cast("Markup", g.csrf_field)


def form_key() -> Markup:
    """Return the hidden field of a form that creates something: sent twice, it has one result (``web.creating``)."""
    if "form_key" not in g:
        g.form_key = secrets.token_urlsafe(16)
    return Markup('<input type="hidden" name="form_key" value="{}">').format(g.form_key)


def url_of(endpoint: str, **one: UUID) -> str:
    """Return ``url_for`` with one id; building the address once a page and not once a row is a third of a long list."""
    [(name, value)] = one.items()
    known: dict[str, str] = g.setdefault("addresses", {})
    if endpoint not in known:
        known[endpoint] = url_for(endpoint, **{name: NIL})  # type: ignore[arg-type]  # a value of the path
    before, _, behind = known[endpoint].rpartition(str(NIL))  # the last: an organization may be called anything
    return f"{before}{value}{behind}"


def columns(bars: Bars) -> Markup:
    """Draw the columns of a chart; here and not in a template, where a list of sparklines takes ten times as long."""
    return Markup("").join(_column(bar, height=bars.height) for bar in bars.bars)


def _column(bar: Bar, *, height: float) -> Markup:
    place = f'x="{bar.x}" width="{bar.width}"'  # numbers, and keys of ours: nothing to escape
    parts = "".join(
        f'<rect class="series-{part.key}" {place} y="{part.y}" height="{part.height}"></rect>' for part in bar.segments
    )
    reach = f'<rect class="bar-reach" {place} y="0" height="{height}"></rect>'
    return Markup(f'<g class="bar"><title>{escape(bar.title)}</title>{reach}{parts}</g>')  # noqa: S704 as said above


def chosen(name: str, allowed: tuple[str, ...]) -> str:
    """Return the display choice in the cookie *name* when it is one of *allowed*, else the first of them."""
    value = request.cookies.get(name, "")
    return value if value in allowed else allowed[0]


def _now() -> datetime:
    """Return the moment this request renders for: one for the whole page."""
    if "now" not in g:
        g.now = collaborators().clock.now()
    return cast("datetime", g.now)


def format_name(payload_format: str) -> str:
    """Name a payload format as its makers do; one that this version does not know stands for itself."""
    return FORMAT_NAMES.get(payload_format, payload_format)


def install(app: Flask) -> None:
    """Register everything in the Jinja environment of *app*, where imported macros see it too."""
    pure = (columns, dotted, duration, milliseconds, size, counted, figure, plural, percent, shorten, iso, initials)
    app.jinja_env.filters.update({one.__name__: one for one in (*pure, format_name)})
    app.jinja_env.filters.update(
        visible=lambda text: visible(str(text)),
        relative=lambda at: relative(at, now=_now()),
        absolute=lambda at: absolute(at, now=_now(), zone=times.zone()),
        exact=lambda at: exact(at, zone=times.zone()),
        day=lambda at: day(at, now=_now(), zone=times.zone()),
        json_tokens=json_tokens,
        timing_phases=timing_phases,
    )
    app.jinja_env.globals.update(
        asset=asset,
        csrf_field=csrf_field,
        drawn_icon=icon,
        form_key=form_key,
        here=lambda **changes: with_query(
            request.path, times.with_offsets(request.args.to_dict(flat=False)), **changes
        ),
        now=_now,
        zone_name=lambda: _now().astimezone(times.zone()).tzname() or "UTC",
        theme=lambda: chosen("theme", THEMES),
        time_field=lambda name: times.field_value(request.values.get(name, "")),
        density=lambda: chosen("density", DENSITIES),
        url_of=url_of,
    )
