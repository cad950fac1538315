"""Spans of time in the query string of a list: ``since=24h`` and the like, or moments.

A form keeps the chosen preset in ``since`` and has its date fields in ``from`` and ``until``; ``from`` wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import cast

from flask import g

from console.core.errors import Invalid
from console.web import lists
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


def read(
    values: Mapping[str, str], *, now: datetime, zone: tzinfo, presets: Mapping[str, timedelta] = PRESETS
) -> Period:
    """Read ``since`` and ``until``; a time without a zone is the reader's. Raise Invalid."""
    since, until = values.get("from") or values.get("since", ""), values.get("until", "")
    if since in presets:
        return Period(now - presets[since], _moment("until", until, zone=zone), since)
    period = Period(_moment("since", since, zone=zone), _moment("until", until, zone=zone))
    if period.since is not None and period.until is not None and period.since >= period.until:
        raise Invalid.field("until", "The end of the period must be after its start.", code="range")
    return period


def chip(period: Period) -> dict[str, tuple[str, str]]:
    """Give the chips of a period, for ``lists.chips``."""
    since = LABELS.get(period.preset) or (words(period.since, zone=zone()) if period.since else "")
    until = words(period.until, zone=zone()) if period.until else ""
    return {"since from": ("Period" if period.preset else "Since", since), "until": ("Until", until)}


def choices(chosen: Period) -> list[Preset]:
    """Give the presets as links that keep the other filters."""
    rest = [
        Preset(label, lists.here(since=name, from_=None, until=None), chosen.preset == name)
        for name, label in LABELS.items()
    ]
    is_open = chosen.since is None and chosen.until is None
    return [Preset("Any time", lists.here(since=None, from_=None, until=None), is_open), *rest]


def words(moment: datetime, *, zone: tzinfo) -> str:
    """Say a bound for a chip: ``22 Nov 2026 14:02``."""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%b %Y %H:%M}"


def _moment(name: str, text: str, *, zone: tzinfo) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)
    except (ValueError, OverflowError) as error:
        shape = "Write the time as 2026-11-22T14:02, or choose one of the periods."
        raise Invalid.field(name, shape, code="moment") from error


def zone() -> tzinfo:
    """Give the reader's time zone."""
    return cast("tzinfo", g.get("zone") or UTC)
