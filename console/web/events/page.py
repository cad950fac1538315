"""One event: the payload as it was received, its deliveries live, and why every other hook did not want it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import Response, request, url_for

from console.core.catalogue import PRETIX
from console.core.errors import Conflict
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import Delivery, Event, Hook
from console.services.deliveries.deliveries import FINAL
from console.services.events import event_resends, events, explaining
from console.services.events.explaining import Since
from console.services.figures import stats
from console.services.hooks import hooks
from console.services.organizations import defaults
from console.web import access, explanations, hx
from console.web.apis import on_here
from console.web.delivery_rows import name_of, rows_of
from console.web.downloads import attachment, readable
from console.web.events.shared import fan_out_words, number, pages
from console.web.filters import plural

MOST_SHOWN = 100
"""Deliveries, and hooks without one, that the page lists; the log has all."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A hook that has no delivery of an event, and why; *would_now*: by today's rules it would get it."""

    hook: Hook
    reason: str
    would_now: bool


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an event for the hooks there are: *total* of them, *without* it, *wanting* it now.

    *left_out* hooks were not asked: there are very many, or their filters are slow.
    """

    total: int
    unmatched: tuple[Unmatched, ...]
    """The first of them."""
    without: int
    wanting: int
    is_settled: bool
    left_out: int


@pages.get("/<uuid:event_id>")
@access.requires(Permission.EVENTS_VIEW)
def show(event_id: UUID) -> Response:
    """Show an event, or ask before it is sent to all hooks that want it (``confirm=resend``)."""
    event = _event(event_id)
    if request.args.get("confirm") == "resend" and _may_resend():
        fate = _fate(event, events.deliveries_of(current_work(), event), hook_count=_hook_count())
        if fate is not None and fate.wanting:
            return hx.page("events/confirm.html", event=event, fate=fate)
    return _answer(event)


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


@pages.post("/<uuid:event_id>/resend")
@access.requires(Permission.DELIVERIES_RESEND)
def resend(event_id: UUID) -> Response:
    """Send the event again to all hooks that want it now, or to the one that ``hook`` names."""
    work, event = current_work(), _event(event_id)
    back = url_for("events.show", event_id=event.id)
    hook_id = request.form.get("hook", type=UUID)
    if hook_id is None:
        try:
            count = event_resends.to_wanting(work, event=event)
        except Conflict as error:
            return hx.redirect_to(back, message=error.message, tone="warn")
        words = f"It is sent to {plural(count, 'hook')} now." if count else "No hook could be sent to just now."
        return hx.redirect_to(back, message=words, tone="good" if count else "warn")
    hook = hooks.get(work, organization_number=number(), hook_id=hook_id)
    try:
        event_resends.to_hook(work, event=event, hook=hook)
    except Conflict as error:
        return hx.redirect_to(back, message=error.message, tone="warn")
    return hx.redirect_to(back, message=f"It is sent to {name_of(hook)} now.")


def _event(event_id: UUID) -> Event:
    return events.get(current_work(), organization_number=number(), event_id=event_id)


def _answer(event: Event, *, block: str | None = None) -> Response:
    work = current_work()
    found = events.deliveries_of(work, event)
    hook_count = _hook_count()
    return hx.page(
        "events/show.html",
        block=block,
        event=event,
        payload=readable(event.payload),
        context=readable(event.context) if event.context else None,
        digest=event.payload_sha256.hex(),
        kept_days=defaults.retention_for(work, access.place().organization),
        rows=rows_of(work, found[:MOST_SHOWN]),
        count=len(found),
        fate=_fate(event, found, hook_count=hook_count),
        words=fan_out_words(
            events.fan_outs(work, [event])[event.number],
            hook_count,
            tested=found[0].hook if event.is_test and found else None,
        ),
        seen=_digest(found),
        is_final=all(one.state in FINAL or one.state == "held" for one in found) and not event.fanout_pending,
        may_resend=_may_resend(),
        name_of=name_of,
        has_pretix=PRETIX in on_here(),
    )


def _may_resend() -> bool:
    return grants(access.place().permissions, Permission.DELIVERIES_RESEND)


def _hook_count() -> int:
    return stats.hook_count(current_work(), organization_number=number())


def _digest(deliveries: Sequence[Delivery]) -> str:
    facts = [(one.number, one.state, one.attempt_count, one.modified_at.isoformat()) for one in deliveries]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _fate(event: Event, deliveries: Sequence[Delivery], *, hook_count: int) -> Fate | None:
    """Ask the rules of every hook; None for an event that was meant for one hook, or is being handed out."""
    if event.is_test or event.is_direct or event.fanout_pending:
        return None
    standings = explaining.of_event(current_work(), event=event, deliveries=deliveries)
    without = [one for one in standings if one.delivery is None]
    unmatched = tuple(
        Unmatched(
            one.hook,
            explanations.first_no(one, event_type=event.type, source=event.source),
            one.explanation.refused_by is None,
        )
        for one in without[:MOST_SHOWN]
    )
    return Fate(
        total=len(standings),
        unmatched=unmatched,
        without=len(without),
        wanting=len(explaining.wanting(standings)),
        is_settled=all(one.since == Since.NOTHING for one in without),
        left_out=max(hook_count - len(standings), 0),
    )
