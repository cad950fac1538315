"""One event: the payload as it was received, its deliveries live, and why every other hook did not want it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Response, request, url_for

from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import Delivery, Event, Hook
from console.services import events, hooks, matching
from console.services.hooks import HookFilter
from console.web import access, hx
from console.web.delivery_rows import FINAL, name_of, rows_of
from console.web.downloads import attachment, readable
from console.web.events.shared import fan_out_words, number, pages

MOST_NAMED = 500


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A hook that has no delivery of an event, and why; *hook* is None when there are too many to name."""

    hook: Hook | None
    url: str
    reason: str
    is_active: bool


@pages.get("/<uuid:event_id>")
@access.requires(Permission.EVENTS_VIEW)
def show(event_id: UUID) -> Response:
    """Show an event."""
    return _answer(_event(event_id))


@pages.get("/<uuid:event_id>/deliveries")
@access.requires(Permission.EVENTS_VIEW)
def deliveries_live(event_id: UUID) -> Response:
    """Give the deliveries when they changed since they were shown (``seen``); 204 when they did not."""
    event = _event(event_id)
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("events.show", event_id=event.id))
    if request.args.get("seen", "") == _digest(events.deliveries_of(current_work(), event)):
        return hx.nothing_new()
    return _answer(event, block="deliveries")


@pages.get("/<uuid:event_id>/payload")
@access.requires(Permission.EVENTS_VIEW)
def payload(event_id: UUID) -> Response:
    """Give the payload as a file, byte by byte as it was received."""
    event = _event(event_id)
    return attachment(event.payload, name=f"event-{event.id}.json")


def _event(event_id: UUID) -> Event:
    return events.get(current_work(), organization_number=number(), event_id=event_id)


def _answer(event: Event, *, block: str | None = None) -> Response:
    work = current_work()
    found = events.deliveries_of(work, event)
    return hx.page(
        "events/show.html",
        block=block,
        event=event,
        payload=readable(event.payload),
        context=readable(event.context) if event.context else None,
        digest=event.payload_sha256.hex(),
        rows=rows_of(work, found),
        unmatched=_unmatched(event, found) if block is None else [],
        words=fan_out_words(events.fan_outs(work, [event])[event.number]),
        seen=_digest(found),
        is_final=all(one.state in FINAL or one.state == "held" for one in found) and not event.fanout_pending,
        may_resend=grants(access.place().permissions, Permission.DELIVERIES_RESEND),
        name_of=name_of,
    )


def _digest(deliveries: Sequence[Delivery]) -> str:
    facts = [(one.number, one.state, one.attempt_count, one.modified_at.isoformat()) for one in deliveries]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _unmatched(event: Event, deliveries: Sequence[Delivery]) -> list[Unmatched]:
    if event.is_test or event.is_direct or event.fanout_pending:
        return []
    work = current_work()
    has_it = {one.hook_number for one in deliveries}
    named = hooks.find(work, organization_number=number(), wanted=HookFilter(), limit=MOST_NAMED)
    by_number = {hook.number: hook for hook in named}
    return [
        Unmatched(
            by_number.get(one.number), one.url, _reason(by_number.get(one.number), mismatch, event), one.is_active
        )
        for one, mismatch in matching.explain(work, event=event)
        if one.number not in has_it
    ]


def _reason(hook: Hook | None, mismatch: str | None, event: Event) -> str:
    """Say why a hook has no delivery of an event."""
    if mismatch == "type":
        return f"It does not listen to {event.type}."
    if mismatch == "source":
        return f"It does not listen to events of the source {event.source}."
    if hook is not None and hook.created_at > event.created_at:
        return "It would want it, but it was made after the event."
    return "It would want it now; it was changed after the event."
