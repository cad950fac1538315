"""A delivery as one row of a list: what the log, the hook's page and the event's page show of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from console.core.errors import Invalid
from console.core.outcomes import EXPLANATIONS, Outcome
from console.core.retry_reading import parse_retry
from console.models import Delivery, DeliveryState, Hook, Trigger
from console.services.deliveries import waits
from console.services.deliveries.deliveries import FINAL
from console.services.events.event_abouts import abouts
from console.services.organizations import defaults
from console.services.work import Work

ASKED = frozenset({Trigger.TEST, Trigger.RESEND})
"""What somebody waits for is sent without regard to pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One delivery for ``macros/deliveries.html``; *attempts* is ``2/11``, *mark* is test, resend, replay or empty.

    *about* says what its event is about, *reason* why it waits or ended; *is_paused*: it is due, and held back by that.
    """

    id: UUID
    number: int
    state: str
    note: str
    event_type: str
    about: str
    hook_id: UUID
    hook_name: str
    is_hook_deleted: bool
    attempts: str
    status: int | None
    outcome: str
    duration_ms: float | None
    next_attempt_at: datetime | None
    reason: str
    created_at: datetime
    mark: str
    is_paused: bool
    can_resend: bool
    can_cancel: bool


def rows_of(work: Work, deliveries: Sequence[Delivery]) -> list[Row]:
    """Describe *deliveries*, whose hooks are loaded."""
    reasons = waits.reasons(work, deliveries)
    subjects = subjects_of(work, deliveries)
    return [
        _row(work, one, reason=reasons[one.number] or "", about=subjects.get(one.event_number, ""))
        for one in deliveries
    ]


def subjects_of(work: Work, deliveries: Sequence[Delivery]) -> dict[int, str]:
    """Return what the events of *deliveries*, all of one organization, are about, by the event's number."""
    if not deliveries:
        return {}
    numbers = {one.event_number for one in deliveries}
    return abouts(work, organization_number=deliveries[0].organization_number, numbers=numbers)


def row_of(work: Work, delivery: Delivery) -> Row:
    """Describe one delivery."""
    return rows_of(work, [delivery])[0]


def _row(work: Work, delivery: Delivery, *, reason: str, about: str) -> Row:
    hook = delivery.hook
    is_deleted = hook.deleted_at is not None
    return Row(
        id=delivery.id,
        number=delivery.number,
        state=delivery.state,
        note="stopping" if delivery.cancel_requested and delivery.state == DeliveryState.SENDING else "",
        event_type=delivery.event_type,
        about=about,
        hook_id=hook.id,
        hook_name=name_of(hook),
        is_hook_deleted=is_deleted,
        attempts=_attempts(work, delivery),
        status=delivery.last_status,
        outcome=outcome_title(delivery.last_outcome),
        duration_ms=delivery.last_duration_ms,
        next_attempt_at=delivery.next_attempt_at if delivery.state == DeliveryState.PENDING else None,
        reason=reason,
        created_at=delivery.created_at,
        mark=mark_of(delivery),
        is_paused=bool(reason) and delivery.trigger not in ASKED and not _is_later(work, delivery),
        can_resend=not is_deleted and delivery.state != DeliveryState.SENDING,
        can_cancel=delivery.state in {DeliveryState.PENDING, DeliveryState.HELD},
    )


def _is_later(work: Work, delivery: Delivery) -> bool:
    return delivery.next_attempt_at is None or delivery.next_attempt_at > work.now()


def name_of(hook: Hook) -> str:
    """Give what a hook is called: its name, or its URL while it has none."""
    name = hook.name or hook.url
    return f"{name}, not saved" if hook.is_trial else name


def mark_of(delivery: Delivery) -> str:
    """Say how the present chain of attempts came about, unless by itself."""
    if delivery.is_test:
        return Trigger.TEST.value
    return "" if delivery.trigger == Trigger.AUTOMATIC else delivery.trigger


def outcome_title(outcome: str | None) -> str:
    """Say an outcome in two or three words; nothing when there was no attempt."""
    if outcome is None or outcome not in set(Outcome):
        return outcome or ""
    return EXPLANATIONS[Outcome(outcome)].title


def most_attempts(work: Work, delivery: Delivery) -> int | None:
    """Say how many attempts the hook's policy gives a chain; None when that is not what limits this delivery."""
    if delivery.is_test:
        return None
    try:
        return parse_retry(delivery.hook.retry, default=defaults.policy_for(work, delivery.hook)).attempts
    except Invalid:  # a policy of an older version, which nobody can read any more
        return None


def _attempts(work: Work, delivery: Delivery) -> str:
    most = most_attempts(work, delivery)
    is_open = delivery.state not in FINAL and delivery.chain == 1
    if most is None or not is_open or delivery.attempt_count > most:
        return str(delivery.attempt_count)
    return f"{delivery.attempt_count}/{most}"
