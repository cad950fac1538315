"""The catalogue: event types by group with search, and one type with its sample and who hears it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, request

from console.core.patterns import is_pattern, matches
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import EventType, Hook
from console.services import catalogue, events, hooks
from console.services.events import EventFilter
from console.services.hooks import HookFilter
from console.web import access, hx
from console.web.delivery_rows import name_of
from console.web.events.shared import number, pages, pretty

MOST_HOOKS = 500
MOST_OPEN = 40
"""A catalogue of so many types is shown with its groups open; a larger one with them closed."""
UNGROUPED = "Other"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the catalogue with those of its types that are shown."""

    name: str
    types: tuple[EventType, ...]


@dataclass(frozen=True, slots=True)
class Hearing:
    """A hook that hears a type, and by what."""

    hook: Hook
    by: str


@pages.get("/types")
@access.requires(Permission.WEBHOOKS_VIEW)
def types() -> Response:
    """Show the catalogue, or those of its types that contain ``q``."""
    work, q = current_work(), request.args.get("q", "").strip()
    everything = catalogue.all_of(work, organization_number=number())
    words = q.lower()
    found = [one for one in everything if words in one.name.lower() or words in one.description.lower()]
    return hx.page(
        "events/types.html",
        block="groups",
        groups=_grouped(found),
        q=q,
        found=len(found),
        total=len(everything),
        is_open=bool(q) or len(found) <= MOST_OPEN,
        unknown=catalogue.types_seen_but_unknown(work, organization_number=number(), limit=20) if not q else [],
    )


@pages.get("/types/<path:name>")
@access.requires(Permission.WEBHOOKS_VIEW)
def type_show(name: str) -> Response:
    """Show one event type."""
    work = current_work()
    found = catalogue.get(work, organization_number=number(), name=name)
    last = events.find(work, organization_number=number(), wanted=EventFilter(type=name), limit=1)
    return hx.page(
        "events/type.html",
        type=found,
        sample=pretty(found.sample),
        schema=pretty(found.schema),
        hearing=_hearing(found),
        last=last[0] if last else None,
        confirm=request.args.get("confirm", ""),
        name_of=name_of,
    )


def _grouped(found: Sequence[EventType]) -> list[Group]:
    by_name: dict[str, list[EventType]] = {}
    for one in found:
        for group in one.groups or [UNGROUPED]:
            by_name.setdefault(group, []).append(one)
    return [Group(name, tuple(by_name[name])) for name in sorted(by_name, key=lambda name: (name == UNGROUPED, name))]


def _hearing(event_type: EventType) -> list[Hearing]:
    everybody = hooks.find(current_work(), organization_number=number(), wanted=HookFilter(), limit=MOST_HOOKS)
    found = ((hook, _by(hook, event_type)) for hook in everybody)
    return [Hearing(hook, by) for hook, by in found if by]


def _by(hook: Hook, event_type: EventType) -> str:
    """Say by what a hook hears a type; nothing when it does not."""
    if hook.all_events:
        return "hears every event"
    if event_type.name in hook.event_types:
        return "names it"
    pattern = next((one for one in hook.event_types if is_pattern(one) and matches(one, event_type.name)), None)
    if pattern is not None:
        return f"by {pattern}"
    group = next((one for one in hook.event_groups if one in event_type.groups), None)
    return f"by the group {group}" if group is not None else ""
