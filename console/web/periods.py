"""Spans of time in the query string of a list: ``since=24h`` and the like, or moments.

A form keeps the chosen preset in ``since`` and has its date fields in ``from`` and ``until``; ``from`` wins. A browser
sends such a field without a zone; addresses that people see and share say the same time in UTC (``…Z``), so that it is
the same for a reader in another zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from flask import Response, g, request

from console.core.errors import Invalid
from console.core.moments import OutOfRange
from console.web import hx, lists, times
from console.web.filters import with_query
from console.web.lists import Preset

PRESETS: Mapping[str, timedelta] = MappingProxyType(
    {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
)
LABELS: Mapping[str, str] = MappingProxyType({"1h": "Last hour", "24h": "Last 24 h", "7d": "Last 7 days"})


@dataclass(frozen=True, slots=True)
class Period:
    """What a list is narrowed to; *preset* is the name of one of ``PRESETS``, or empty."""

    since: datetime | None = None
    until: datetime | None = None
    preset: str = ""


def read(values: Mapping[str, str], *, now: datetime, presets: Mapping[str, timedelta] = PRESETS) -> Period:
    """Read ``since`` and ``until``; a time without a zone is the reader's. Raise Invalid."""
    since, until = values.get("from") or values.get("since", ""), values.get("until", "")
    if since in presets:
        return Period(now - presets[since], _moment("until", until), since)
    period = Period(_moment("since", since), _moment("until", until))
    if period.since is not None and period.until is not None and period.since >= period.until:
        raise Invalid.field("until", "The end of the period must be after its start.", code="range")
    return period


def chip(period: Period) -> dict[str, tuple[str, str]]:
    """Give the chips of a period, for ``lists.chips``."""
    since = LABELS.get(period.preset) or (words(period.since) if period.since else "")
    until = words(period.until) if period.until else ""
    return {"since from": ("Period" if period.preset else "Since", since), "until": ("Until", until)}


def choices(chosen: Period) -> list[Preset]:
    """Give the presets as links that keep the other filters."""
    rest = [
        Preset(label, lists.here(since=name, from_=None, until=None), chosen.preset == name)
        for name, label in LABELS.items()
    ]
    is_open = chosen.since is None and chosen.until is None
    return [Preset("Any time", lists.here(since=None, from_=None, until=None), is_open), *rest]


def words(moment: datetime) -> str:
    """Say a bound for a chip: ``22 Nov 2026 14:02``."""
    local = moment.astimezone(times.zone())
    return f"{local.day} {local:%b %Y %H:%M}"


def _moment(name: str, text: str) -> datetime | None:
    """Return the time in UTC, None for no text; raise Invalid."""
    try:
        return times.read(text) if text else None
    except OutOfRange as error:
        raise Invalid.field(name, str(error), code="range") from error
    except ValueError as error:
        shape = "Write the time as 2026-11-22T14:02, or choose one of the periods."
        raise Invalid.field(name, shape, code="moment") from error


def redirect_to_offsets() -> Response | None:
    """Send a browser that asks for times without an offset to the address that says them in UTC; None otherwise.

    A form without JavaScript and an old link arrive like that. With htmx the answer itself sets the address.
    """
    if request.method != "GET" or hx.is_htmx() or "place" not in g or not request.args.keys() & times.NAMES:
        return None
    given = request.args.to_dict(flat=False)
    wanted = times.with_offsets(given)
    return hx.redirect_to(with_query(request.path, wanted)) if wanted != given else None
