"""Sending a stored event again: to every hook that wants it now, or to one, whether it had got it or not.

A hook that has a delivery of the event gets a new chain of attempts in it. One that has none gets its first, which
stands in the log as resent by whoever asked. What publishers were told of the event stays as it was.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from console.core.errors import Conflict, NotFound
from console.models import Delivery, DeliveryState, Event, Hook, Trigger
from console.services import audit
from console.services.deliveries.deliveries import begin_chains
from console.services.events import outbox
from console.services.events.judging import REQUEST_S, Budget, Judgement
from console.services.events.matching import Listener, hearing, listener, listeners, occurrence_of
from console.services.work import DELIVERIES, Work

_TOO_SLOW = (
    "Nothing was sent: the filters of the hooks take too long on this event. Send it to the hooks one by one, or make "
    "their filters simpler."
)


def to_wanting(work: Work, *, event: Event) -> int:
    """Send an event to all hooks that want it now, those included that have it; say to how many.

    Those to which it is being sent right now are passed over. Raise Conflict, with nothing sent, when the filters take
    longer than a request may.
    """
    everybody = listeners(work, organization_number=event.organization_number)
    budget = Budget(REQUEST_S)
    judgement = Judgement(event.payload, budget)
    occurrence = occurrence_of(work, event, judgement.read)
    hearing(everybody, occurrence)  # notes the filters that have to be applied
    judgement.apply_filters()
    if judgement.is_open:
        raise Conflict(_TOO_SLOW, code="filters_too_slow")
    return _send(work, event, hearing(everybody, occurrence))


def to_hook(work: Work, *, event: Event, hook: Hook) -> None:
    """Send an event to one hook, whether it wants it or not.

    Raise Conflict while it is being sent to it, and NotFound when it was deleted meanwhile.
    """
    if not _send(work, event, [listener(hook)]):
        raise Conflict("This event is being sent to this hook right now; wait for the outcome.", code="sending")


def _send(work: Work, event: Event, hooks: Sequence[Listener]) -> int:
    numbers = [hook.number for hook in hooks]
    with work.transaction():
        _keep(work, event)
        have = dict(
            work.session.execute(
                select(Delivery.hook_number, Delivery.number).where(
                    Delivery.event_number == event.number, Delivery.hook_number.in_(numbers)
                )
            ).all()
        )
        count = begin_chains(work, list(have.values()), organization_number=event.organization_number)
        count += _make(work, event, [hook for hook in hooks if hook.number not in have])
        audit.record(
            work,
            action="event.resent",
            organization_number=event.organization_number,
            object_type="event",
            object_id=str(event.id),
            object_name=event.type,
            changes={"hooks": [None, count]},
        )
    if count:
        work.ring.ring(DELIVERIES)
    return count


def _keep(work: Work, event: Event) -> None:
    """Keep retention from deleting an event; raise NotFound when it has. It too locks events before deliveries."""
    living = select(Event.number).where(Event.number == event.number).with_for_update(read=True, key_share=True)
    if work.session.scalar(living) is None:
        raise NotFound("event")


def _make(work: Work, event: Event, hooks: Sequence[Listener]) -> int:
    """Make first deliveries, due now even for a disabled hook: somebody asked for them."""
    return outbox.put(
        work,
        [(event.number, event.type, hook) for hook in hooks],
        organization_number=event.organization_number,
        trigger=Trigger.RESEND.value,
        triggered_by=work.actor.user_number,
        state=DeliveryState.PENDING.value,
        next_attempt_at=work.now(),
        waiting_reason=None,
    )
