"""Sweeping: what died with a worker is freed, what a stepped clock misplaced is moved back, what is over is ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from sqlalchemy import Row, bindparam, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.selectable import TextualSelect

from console.core.outcomes import Outcome
from console.core.retry import RetryPolicy
from console.core.verdicts import LONGEST_RETRY_AFTER_S, REASONS, Reason, judge, state_after
from console.database import dialect_of, read_only
from console.models import Delivery, DeliveryState, Hook, HookState, Leader, Trigger, Worker
from console.models.base import Moment
from console.services import claims, destinations, due, limits
from console.services.beating import DEAD_AFTER
from console.services.defaults import policy_of
from console.services.outbox import HELD_REASON
from console.services.work import Work

DISPATCHER = "dispatcher"
BATCH = 500
PARKED_AFTER = 5
"""A delivery whose worker died so often in a row is given up."""
LOST_AFTER = timedelta(seconds=120)
"""What a living worker has not recorded after so long it has lost: more than the longest attempt and time to write."""
LEAD_EVERY = timedelta(seconds=2)
_log = structlog.get_logger(__name__)


# --- the leader -----------------------------------------------------------------------------------------------------


def lead(work: Work, *, worker: int) -> bool:
    """Be, or become, the leader: one worker at a time, replaced when it stops beating."""
    now = work.now()
    query = select(Leader.worker_number, Leader.beat_at).where(Leader.name == DISPATCHER)
    with read_only():  # all workers ask this every second
        leader = work.session.execute(query).first()
        work.session.rollback()
    if leader is not None and leader.worker_number == worker and abs(now - leader.beat_at) < LEAD_EVERY:
        return True
    if leader is not None and leader.worker_number != worker and abs(now - leader.beat_at) < DEAD_AFTER:
        return False  # a beat that lies further ahead than that is from a clock that was set back since
    with work.transaction():
        if leader is None:
            return _first(work, worker=worker, now=now)
        result = work.session.execute(
            update(Leader)
            .where(Leader.name == DISPATCHER, Leader.beat_at == leader.beat_at)
            .values(worker_number=worker, beat_at=now)
        )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives


def _first(work: Work, *, worker: int, now: datetime) -> bool:
    try:
        with work.session.begin_nested():
            work.session.add(Leader(name=DISPATCHER, worker_number=worker, beat_at=now))
    except IntegrityError:
        return False
    return True


def resign(work: Work, *, worker: int) -> None:
    """Leave the lead to whoever asks next."""
    with work.transaction():
        work.session.execute(
            update(Leader)
            .where(Leader.name == DISPATCHER, Leader.worker_number == worker)
            .values(worker_number=None, beat_at=work.now() - DEAD_AFTER)
        )


# --- what died with a worker ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did; *parked* deliveries were given up because their worker died each time."""

    workers: int = 0
    freed: int = 0
    parked: int = 0


_LIVING = "SELECT w.number FROM workers AS w WHERE w.stopped_at IS NULL"

_DIE = text("""
UPDATE workers SET stopped_at = :now, in_flight = 0 WHERE stopped_at IS NULL AND beat_at < :latest""").bindparams(
    bindparam("now", type_=Moment()), bindparam("latest", type_=Moment())
)

_ORPHANS = """
SELECT d.number, d.attempt_count, d.interrupted, d.chain, d.chain_failures, d.trigger, d.is_test, d.cancel_requested,
       h.is_active, {GONE} AS is_deleted, h.retry, o.retry_schedule, a.started_at, d.created_at
FROM deliveries AS d
JOIN hooks AS h ON h.number = d.hook_number
JOIN organizations AS o ON o.number = h.organization_number
LEFT JOIN attempts AS a ON a.delivery_number = d.number AND a.number = d.attempt_count
WHERE d.state = 'sending'
  AND (d.claimed_by IS NULL OR d.claimed_by NOT IN ({_LIVING}) OR a.started_at < :lost)
ORDER BY d.number LIMIT {BATCH} {lock}"""


@lru_cache
def _orphans(dialect: str) -> TextualSelect:
    """Select, and lock, what is being sent and has no living owner, or one that has lost sight of it."""
    lock = "FOR UPDATE OF d SKIP LOCKED" if dialect == "postgresql" else ""
    return (
        text(_ORPHANS.format(GONE=due.GONE, _LIVING=_LIVING, BATCH=BATCH, lock=lock))
        .bindparams(bindparam("lost", type_=Moment()))
        .columns(
            is_test=Delivery.is_test.type,
            cancel_requested=Delivery.cancel_requested.type,
            is_active=Hook.is_active.type,
            retry=Hook.retry.type,
            created_at=Moment(),
        )
    )


_INTERRUPT = text("""
UPDATE attempts SET outcome = 'interrupted', charged = false, error = :error
WHERE delivery_number = :delivery AND number = :attempt AND outcome IS NULL""")

_FREE_ROW = text("""
UPDATE deliveries SET state = :state, claimed_by = NULL, interrupted = :interrupted, next_attempt_at = :next_attempt_at,
       waiting_reason = :reason, finished_at = :finished_at, modified_at = :now, last_outcome = 'interrupted',
       last_status = NULL, last_duration_ms = NULL
WHERE number = :delivery AND state = 'sending' AND attempt_count = :attempt""").bindparams(
    *(bindparam(name, type_=Moment()) for name in ("next_attempt_at", "finished_at", "now"))
)

# A living worker may hold a turn without knowing: it let go, and the database did not take that or did not answer.
_FREE_TURNS = text(f"""
UPDATE turns SET worker_number = NULL
WHERE worker_number IS NOT NULL AND (
    worker_number NOT IN ({_LIVING})
    OR (served_at < :lost AND NOT EXISTS (
        SELECT 1 FROM deliveries AS d
        WHERE d.state = 'sending' AND d.claimed_by = turns.worker_number AND d.hook_number = turns.hook_number)))
""").bindparams(bindparam("lost", type_=Moment()))  # noqa: S608 as above

INTERRUPTED_WORDS = "The worker stopped before the outcome was recorded; the receiver may have got the request."


_COUNT_FREED = text(f"UPDATE leaders SET freed = freed + :count WHERE name = '{DISPATCHER}'")  # noqa: S608 a constant


def sweep(work: Work) -> Swept:
    """Declare silent workers dead and free what dead workers held: each attempt ends as interrupted, uncharged."""
    now = work.now()
    with work.transaction():
        dead = work.session.execute(_DIE, {"now": now, "latest": now - DEAD_AFTER}).rowcount  # type: ignore[attr-defined]
        work.session.execute(_FREE_TURNS, {"lost": now - LOST_AFTER})
        orphans = work.session.execute(_orphans(dialect_of(work.session)), {"lost": now - LOST_AFTER}).all()
        changes = [_freed(work, row, now=now) for row in orphans]
        if changes:
            work.session.connection().execute(_INTERRUPT, changes)
            work.session.connection().execute(_FREE_ROW, changes)
            work.session.execute(_COUNT_FREED, {"count": len(changes)})
    parked = [change["delivery"] for change in changes if change["state"] == DeliveryState.FAILED]
    if dead or changes:
        _log.warning("freed what dead workers held", workers=dead, deliveries=len(changes), parked=parked)
    return Swept(dead, len(changes), len(parked))


def _freed(work: Work, row: Row[Any], *, now: datetime) -> dict[str, Any]:
    """Say what becomes of a delivery whose attempt was interrupted."""
    interrupted = row.interrupted + 1
    verdict = judge(
        Outcome.INTERRUPTED,
        now=now,
        policy=policy_of(work, row.retry, schedule=row.retry_schedule),
        failures=row.chain_failures,
        interruptions=row.interrupted,
        random=work.random,
        age_s=(now - row.created_at).total_seconds() if row.chain == 1 else 0.0,
        is_test=row.is_test,
    )
    is_parked = interrupted >= PARKED_AFTER
    state = state_after(
        "failed" if is_parked or verdict.state == "failed" else "pending",
        is_canceled=row.cancel_requested,
        is_hook_deleted=row.is_deleted,
        is_hook_active=row.is_active,
        is_automatic=row.trigger == Trigger.AUTOMATIC,
    )
    reason = REASONS[Reason.CRASHES_WORKER if is_parked else verdict.reason]
    return {
        "delivery": row.number,
        "attempt": row.attempt_count,
        "error": INTERRUPTED_WORDS,
        "state": state,
        "interrupted": interrupted,
        "next_attempt_at": now + timedelta(seconds=verdict.delay_s or 0) if state == "pending" else None,
        "reason": {"canceled": None, "held": HELD_REASON}.get(state, reason),
        "finished_at": now if state in {"canceled", "failed"} else None,
        "now": now,
    }


# --- time -----------------------------------------------------------------------------------------------------------

_LATEST = text(f"""{due.WAITING}
SELECT waiting.hook, h.retry, o.retry_schedule, (SELECT d.next_attempt_at FROM deliveries AS d
                               WHERE d.hook_number = waiting.hook AND d.state = 'pending'
                               ORDER BY d.next_attempt_at DESC LIMIT 1) AS latest
FROM waiting JOIN hooks AS h ON h.number = waiting.hook
JOIN organizations AS o ON o.number = h.organization_number""").columns(retry=Hook.retry.type, latest=Moment())  # noqa: S608


AHEAD_BY = timedelta(seconds=2)
"""What was published so much later than now was published by a clock that was ahead."""

# Never attempted, and planned for a moment that has not come again: no delay keeps it, so it is due.
_AHEAD = text("""
UPDATE deliveries SET next_attempt_at = :now, modified_at = :now
WHERE state = 'pending' AND attempt_count = 0 AND next_attempt_at > :now
  AND event_number IN (SELECT number FROM events WHERE created_at > :ahead)""").bindparams(
    bindparam("now", type_=Moment()), bindparam("ahead", type_=Moment())
)


def clamp(work: Work) -> int:
    """Move attempts that lie beyond any delay their policy knows to where it would put them; give how many.

    They come from a clock that was ahead and has been set back since, as do pauses of hooks and beats of workers that
    lie too far ahead: a worker that died meanwhile would be taken for alive until then. First attempts of what was
    published meanwhile are due now.
    """
    now = work.now()
    moved = 0
    with work.transaction():
        for row in work.session.execute(_LATEST).all():
            bound = now + timedelta(seconds=longest_delay_s(policy_of(work, row.retry, schedule=row.retry_schedule)))
            if row.latest is not None and row.latest > bound:
                result = work.session.execute(
                    update(Delivery)
                    .where(
                        Delivery.hook_number == row.hook,
                        Delivery.state == DeliveryState.PENDING,
                        Delivery.next_attempt_at > bound,
                    )
                    .values(next_attempt_at=bound, modified_at=now)
                )
                moved += int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult
        moved += int(work.session.execute(_AHEAD, {"now": now, "ahead": now + AHEAD_BY}).rowcount)  # type: ignore[attr-defined]  # as above
        _clamp_pauses(work, now=now)
        work.session.execute(
            update(Worker).where(Worker.stopped_at.is_(None), Worker.beat_at > now + DEAD_AFTER).values(beat_at=now)
        )
    if moved:
        _log.warning("attempts were planned too far ahead and are moved back", deliveries=moved)
    return moved


def _clamp_pauses(work: Work, *, now: datetime) -> None:
    """Move back the end of pauses that are longer than any can be, inside the caller's transaction."""
    longest = now + timedelta(seconds=LONGEST_RETRY_AFTER_S)
    work.session.execute(update(HookState).where(HookState.open_until > longest).values(open_until=longest))
    destinations.clamp(work, longest=longest)
    limited = (
        select(Hook.number, Hook.rate_limit, HookState.next_send_at)
        .join(HookState, HookState.hook_number == Hook.number)
        .where(HookState.next_send_at > now, Hook.rate_limit.is_not(None))
    )
    for row in work.session.execute(limited).all():
        bound = now + limits.interval_of(row.rate_limit)
        if row.next_send_at > bound:
            work.session.execute(
                update(HookState).where(HookState.hook_number == row.number).values(next_send_at=bound)
            )


def longest_delay_s(policy: RetryPolicy) -> float:
    """Give the longest time, in seconds, that may lie between two attempts under *policy*, Retry-After included."""
    return max(policy.longest_s(), LONGEST_RETRY_AFTER_S)


_EXPIRED = text(f"""
SELECT number FROM deliveries WHERE state = 'pending' AND expires_at IS NOT NULL AND expires_at <= :now
LIMIT {BATCH}""").bindparams(bindparam("now", type_=Moment()))  # noqa: S608 as above


def expire(work: Work) -> int:
    """Fail pending deliveries whose time is over; give how many. Claims do the same for what they meet."""
    with work.transaction():
        numbers = list(work.session.scalars(_EXPIRED, {"now": work.now()}))
        if numbers:
            claims.expire(work, numbers=numbers)
    return len(numbers)


# --- repairs --------------------------------------------------------------------------------------------------------

_REPAIRS = (
    text("""
INSERT INTO hook_states (hook_number, lane, consecutive_failures, circuit_failures, consecutive_successes,
                         failed_attempts, warned_percent, openings, concurrency)
SELECT h.number, 'deliveries', 0, 0, 0, 0, 0, 0, 1 FROM hooks AS h
WHERE NOT EXISTS (SELECT 1 FROM hook_states AS s WHERE s.hook_number = h.number)"""),
    text("""
INSERT INTO turns (hook_number, slot) SELECT h.number, 0 FROM hooks AS h
WHERE NOT EXISTS (SELECT 1 FROM turns AS t WHERE t.hook_number = h.number AND t.slot = 0)"""),
)
# What is held is found by the index over unfinished rows, what is pending by the loose scan: by the numbers of hooks
# alone SQLite would walk all that was ever delivered to them.
_HELD = "organization_number IN (SELECT number FROM organizations) AND state = 'held' AND state <> 'delivered'"
_PENDING = f"""state = 'pending' AND hook_number IN (
    {due.WAITING} SELECT waiting.hook FROM waiting JOIN hooks AS h ON h.number = waiting.hook WHERE {{hook}})"""  # noqa: S608 as above
_SETTLE = (
    text(f"""
UPDATE deliveries SET state = 'held', next_attempt_at = NULL, waiting_reason = :reason, modified_at = :now
WHERE trigger = 'automatic' AND {_PENDING.format(hook="NOT h.is_active AND h.deleted_at IS NULL")}
""").bindparams(bindparam("now", type_=Moment())),  # noqa: S608 as above
    text(f"""
UPDATE deliveries SET state = 'canceled', next_attempt_at = NULL, waiting_reason = NULL, finished_at = :now,
       modified_at = :now
WHERE {_PENDING.format(hook=due.GONE)}
""").bindparams(bindparam("now", type_=Moment())),  # noqa: S608 as above
    text(f"""
UPDATE deliveries SET state = 'pending', next_attempt_at = :now, waiting_reason = NULL, modified_at = :now
WHERE {_HELD} AND waiting_reason = :reason
  AND EXISTS (SELECT 1 FROM hooks AS h WHERE h.number = hook_number AND h.is_active AND h.deleted_at IS NULL)
""").bindparams(bindparam("now", type_=Moment())),  # noqa: S608 as above
    text(f"""
UPDATE deliveries SET state = 'canceled', waiting_reason = NULL, finished_at = :now, modified_at = :now
WHERE {_HELD} AND EXISTS (SELECT 1 FROM hooks AS h WHERE h.number = hook_number AND h.deleted_at IS NOT NULL)
""").bindparams(bindparam("now", type_=Moment())),  # noqa: S608 as above
)


def repair(work: Work) -> None:
    """Give hooks the engine's rows that they lack; a hook without them would never be served."""
    with work.transaction():
        destinations.tidy(work)
        for statement in _REPAIRS:
            work.session.execute(statement)


def settle(work: Work) -> int:
    """Put right what became pending or held at the moment its hook was switched or deleted; give how many."""
    settled = 0
    with work.transaction():
        for statement in _SETTLE:
            result = work.session.execute(statement, {"now": work.now(), "reason": HELD_REASON})
            settled += int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult
    return settled
