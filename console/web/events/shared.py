"""What the events' pages share: the blueprint, the organization's number, a fan-out in words."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, url_for

from console.core.errors import Refused
from console.core.patterns import check_catalogue_name
from console.core.redact import visible
from console.models import Hook
from console.services.events.events import FanOut
from console.web import access
from console.web.delivery_rows import name_of
from console.web.filters import plural, shorten

pages = Blueprint("events", __name__, url_prefix="/o/<organization>/events")

WRONG = 422


def number() -> int:
    """Give the number of the organization of this page."""
    return access.place().organization.number


def has_path(name: str) -> bool:
    """Return whether a path leads to the event type *name*: not so for some names of an earlier version (``/lead``)."""
    try:
        check_catalogue_name(name)
    except Refused:
        return False
    return True


def type_url(name: str, **query: str) -> str:
    """Return the address of an event type's page, with *query* added."""
    endpoint = "events.type_show" if has_path(name) else "events.type_by_query"
    return url_for(endpoint, name=name, **query)  # type: ignore[arg-type]  # query values


def fan_out_words(fan_out: FanOut, hooks: int, *, tested: Hook | None = None) -> str:
    """Say how the deliveries of an event stand: ``3 of 7 hooks: 2 delivered, 1 waiting``; *hooks* there are now.

    A test goes to one hook, *tested*.
    """
    if not fan_out.deliveries:
        return "No hook wanted it"
    counts = {"delivered": fan_out.delivered, "waiting": fan_out.waiting, "failed": fan_out.failed}
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    if tested is not None and fan_out.deliveries == 1:
        return f"test of {shorten(visible(name_of(tested)), 60)}: {parts[0].removeprefix('1 ')}"
    of_all = f"{fan_out.deliveries} of {plural(max(hooks, fan_out.deliveries), 'hook')}"
    if fan_out.delivered == fan_out.deliveries:
        return f"{of_all}, {'all ' if fan_out.deliveries > 1 else ''}delivered"
    return f"{of_all}: {', '.join(parts)}"


def pretty(value: Any) -> str:
    """Write a sample or a schema for a text area; nothing for none."""
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
