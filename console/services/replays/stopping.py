"""Stopping a replay: what was not sent yet becomes what it was, as if the replay had never come to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import case, delete, func, select, update

from console.models import Attempt, Delivery, DeliveryState, Hook, Replay, ReplayPart, ReplayState, Trigger
from console.services.events.outbox import HELD_REASON, KEPT_REASON
from console.services.replays import counts
from console.services.work import Work

LOOK_EVERY = timedelta(milliseconds=250)
BATCH = 500
UNSEEN = {"synchronize_session": False}
"""The session holds none of the rows that such a statement changes."""


def wind_up(work: Work, row: Replay) -> None:
    """Take back what waits, inside the caller's transaction; with nothing in flight any more the replay is stopped."""
    has_more = _take_back(work, row)
    found = counts.count(work, row)
    counts.write(work, row, found)
    now = work.now()
    if has_more or any(states.get(DeliveryState.SENDING) for states in found.values()):
        row.look_at = now + LOOK_EVERY
    else:
        row.state, row.finished_at, row.per_second = ReplayState.STOPPED, now, None


def _take_back(work: Work, row: Replay) -> bool:
    """Give up to 500 waiting deliveries of a replay back to what they were, inside the caller's transaction.

    Not sent yet: it is as if the replay had never come to them, and one that it made is gone. Sent and waiting for a
    retry: failed or held as before, otherwise canceled. True when there may be more.
    """
    attempted = (
        select(Attempt.delivery_number)
        .where(Attempt.delivery_number == Delivery.number, Attempt.chain == Delivery.chain)
        .exists()
    )
    query = (
        select(Delivery.number, Delivery.hook_number, Delivery.event_number, Delivery.state_before, attempted)
        .where(
            Delivery.replay_number == row.number,
            Delivery.trigger == Trigger.REPLAY,
            Delivery.state.in_((DeliveryState.PENDING, DeliveryState.HELD)),
        )
        .order_by(Delivery.number)
        .limit(BATCH)
        .with_for_update(of=Delivery)
    )
    rows = work.session.execute(query).all()
    sent = [one.number for one in rows if one[-1]]
    unsent = [one for one in rows if not one[-1]]
    _end_retries(work, sent)
    _restore(work, [one.number for one in unsent if one.state_before is not None])
    made = [one.number for one in unsent if one.state_before is None]
    work.session.execute(delete(Delivery).where(Delivery.number.in_(made)), execution_options=UNSEEN)
    hooks = {one.hook_number for one in unsent}
    parts = select(ReplayPart).where(ReplayPart.replay_number == row.number, ReplayPart.hook_number.in_(hooks))
    for part in work.session.scalars(parts, execution_options={"populate_existing": True}):
        mine = [one for one in unsent if one.hook_number == part.hook_number]
        part.queued -= len(mine)
        back = [one.number for one in mine if one.state_before is not None]
        part.delivery_cursor = min([part.delivery_cursor, *(number - 1 for number in back)])
        events = [one.event_number for one in mine if one.state_before is None]
        part.event_cursor = min([part.event_cursor, *(number - 1 for number in events)])
        part.is_fed = False
    return len(rows) == BATCH


def _end_retries(work: Work, numbers: list[int]) -> None:
    now = work.now()
    kept = Delivery.state_before.in_((DeliveryState.FAILED, DeliveryState.HELD))
    is_held = Delivery.state_before == DeliveryState.HELD
    work.session.execute(
        update(Delivery)
        .where(Delivery.number.in_(numbers))
        .values(
            state=case((kept, Delivery.state_before), else_=DeliveryState.CANCELED.value),
            next_attempt_at=None,
            waiting_reason=case((is_held, _held_words()), else_=None),
            finished_at=case((is_held, None), else_=now),
            modified_at=now,
        ),
        execution_options=UNSEEN,
    )


def _restore(work: Work, numbers: list[int]) -> None:
    now = work.now()
    before = Attempt.chain == Delivery.chain - 1
    mine = Attempt.delivery_number == Delivery.number
    failures = select(func.count()).where(mine, before, Attempt.charged).correlate(Delivery).scalar_subquery()
    trigger = (
        select(Attempt.trigger)
        .where(mine)
        .order_by(Attempt.number.desc())
        .limit(1)
        .correlate(Delivery)
        .scalar_subquery()
    )
    is_held = Delivery.state_before == DeliveryState.HELD
    work.session.execute(
        update(Delivery)
        .where(Delivery.number.in_(numbers))
        .values(
            state=Delivery.state_before,
            chain=Delivery.chain - 1,
            chain_failures=failures,
            trigger=func.coalesce(trigger, Trigger.AUTOMATIC.value),
            triggered_by=None,
            next_attempt_at=None,
            waiting_reason=case((is_held, _held_words()), else_=None),
            finished_at=case((is_held, None), else_=now),
            modified_at=now,
            replay_number=None,
            state_before=None,
        ),
        execution_options=UNSEEN,
    )


def _held_words() -> Any:
    """Say why a delivery is held: of an enabled hook it was kept back, else it would be released at once."""
    is_active = select(Hook.is_active).where(Hook.number == Delivery.hook_number).scalar_subquery()
    return case((is_active, KEPT_REASON), else_=HELD_REASON)
