"""Why deliveries wait: what is stored with them, and for pending ones what holds them back at this moment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Row, func, select

from console.core.health import holds_back
from console.core.retry_reading import read_stored
from console.core.waiting import Waiting, reason
from console.models import Delivery, DeliveryState, Destination, Hook, HookState, Organization, Trigger
from console.services.deliveries.log_walks import unindexed
from console.services.engine import destinations
from console.services.organizations import defaults
from console.services.work import DELIVERIES_SLOW, Work

_ASKED = frozenset({Trigger.TEST, Trigger.RESEND})


def reason_of(work: Work, delivery: Delivery) -> str | None:
    """Say why a delivery waits, or why it ended without being delivered; None when there is nothing to say."""
    return reasons(work, [delivery])[delivery.number]


def reasons(work: Work, deliveries: Sequence[Delivery]) -> dict[int, str | None]:
    """Say of each delivery, by number, why it waits or ended."""
    pending = [one for one in deliveries if one.state == DeliveryState.PENDING]
    found = {one.number: None if one.state == DeliveryState.SENDING else one.waiting_reason for one in deliveries}
    hooks = _hooks(work, {one.hook_number for one in pending})
    silent = destinations.of(work, keys={(hook.organization_number, hook.destination) for hook in hooks.values()})
    in_flight = _in_flight(work, hooks)
    for one in pending:
        hook = hooks[one.hook_number]
        place = silent.get((hook.organization_number, hook.destination)) if destinations.has_failed(hook) else None
        waiting = _waiting(work, one, hook, place, in_flight=in_flight.get(hook.number, 0))
        found[one.number] = reason(waiting, now=work.now())
    return found


def _hooks(work: Work, numbers: Collection[int]) -> dict[int, Row[Any]]:
    if not numbers:
        return {}
    query = (
        select(
            Hook.number,
            Hook.organization_number,
            Hook.destination,
            Hook.retry,
            Organization.retry_schedule,
            Hook.rate_limit,
            Hook.max_in_flight,
            HookState.lane,
            HookState.consecutive_failures,
            HookState.openings,
            HookState.open_until,
            HookState.failing_types,
            HookState.concurrency,
            HookState.next_send_at,
        )
        .join(Organization, Organization.number == Hook.organization_number)
        .outerjoin(HookState, HookState.hook_number == Hook.number)
        .where(Hook.number.in_(numbers))
    )
    return {row.number: row for row in work.session.execute(query)}


def _in_flight(work: Work, hooks: dict[int, Row[Any]]) -> dict[int, int]:
    """Count what is being sent for each hook: by organization, as the index over unfinished rows stands."""
    if not hooks:
        return {}
    query = (
        select(Delivery.hook_number, func.count())
        .where(
            Delivery.organization_number.in_({hook.organization_number for hook in hooks.values()}),
            Delivery.state != DeliveryState.DELIVERED,
            Delivery.state == DeliveryState.SENDING,
            unindexed(Delivery.hook_number).in_(hooks),
        )
        .group_by(Delivery.hook_number)
    )
    return {number: int(count) for number, count in work.session.execute(query)}


def _waiting(work: Work, delivery: Delivery, hook: Row[Any], place: Destination | None, *, in_flight: int) -> Waiting:
    policy, problem = read_stored(hook.retry, default=defaults.retry_of(work.settings, hook.retry_schedule))
    is_silent = place is not None and place.openings > 0
    return Waiting(
        next_attempt_at=delivery.next_attempt_at or work.now(),
        is_asked=delivery.trigger in _ASKED,
        is_exact=policy.is_exact,
        attempts=delivery.attempt_count,
        stored=delivery.waiting_reason,
        problem=problem,
        failures=hook.consecutive_failures or 0,
        openings=hook.openings or 0,
        open_until=hook.open_until if holds_back(hook.failing_types, delivery.event_type) else None,
        destination=hook.destination,
        destination_until=place.open_until if place else None,
        probe_until=place.probe_until if place else None,
        is_destination_open=is_silent,
        rate_limit=hook.rate_limit,
        next_send_at=hook.next_send_at,
        may_have=min(hook.concurrency or 1, hook.max_in_flight),
        in_flight=in_flight,
        is_slow=is_silent or hook.lane == DELIVERIES_SLOW,
    )
