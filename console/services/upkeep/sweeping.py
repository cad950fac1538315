"""Sweeping: what died with a worker is freed, what is over is ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from sqlalchemy import Row, bindparam, text
from sqlalchemy.sql.selectable import TextualSelect

from console.core.outcomes import Outcome
from console.core.verdicts import REASONS, Reason, judge, state_after
from console.database import dialect_of
from console.models import Delivery, DeliveryState, Hook, Trigger
from console.models.base import Moment
from console.services.engine import claims, due
from console.services.events.outbox import HELD_REASON
from console.services.organizations.defaults import policy_of
from console.services.queries import listing
from console.services.upkeep import leading
from console.services.upkeep.beating import DEAD_AFTER
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work

BATCH = 500
PARKED_AFTER = 5
"""A delivery whose worker died so often in a row is given up."""
LOST_AFTER = timedelta(seconds=120)
"""What a living worker has not recorded after so long it has lost: more than the longest attempt and time to write."""
_log = structlog.get_logger(__name__)


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
_BURY = """
UPDATE workers SET stopped_at = :now, in_flight = 0 WHERE stopped_at IS NULL AND number IN :workers"""
_DEPOSE = """UPDATE leaders SET worker_number = NULL, beat_at = :now WHERE worker_number IN :workers"""

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
""").bindparams(bindparam("lost", type_=Moment()))  # noqa: S608 constants of this module

INTERRUPTED_WORDS = "The worker stopped before the outcome was recorded; the receiver may have got the request."


_COUNT_FREED = text(f"UPDATE leaders SET freed = freed + :count WHERE name = '{leading.DISPATCHER}'")  # noqa: S608 a constant


def bury(work: Work, *, workers: Collection[int]) -> Swept:
    """Free at once what *workers* held, whose processes are known to have ended, and let another one lead.

    Their hooks would otherwise wait until their beats run out.
    """
    dialect = dialect_of(work.session)
    with work.transaction():
        work.session.execute(listing(dialect, _BURY), {"now": work.now(), "workers": workers})
        work.session.execute(listing(dialect, _DEPOSE), {"now": work.now() - DEAD_AFTER, "workers": workers})
    swept = sweep(work)
    for lane in (DELIVERIES, DELIVERIES_SLOW):
        work.ring.ring(lane)
    return swept


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


_EXPIRED = text(f"""
SELECT number FROM deliveries WHERE state = 'pending' AND expires_at IS NOT NULL AND expires_at <= :now
LIMIT {BATCH}""").bindparams(bindparam("now", type_=Moment()))  # noqa: S608 constants of this module


def expire(work: Work) -> int:
    """Fail pending deliveries whose time is over; give how many. Claims do the same for what they meet."""
    with work.transaction():
        numbers = list(work.session.scalars(_EXPIRED, {"now": work.now()}))
        if numbers:
            claims.expire(work, numbers=numbers)
    return len(numbers)
