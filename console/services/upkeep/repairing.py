"""Repairs: rows that a hook lacks, and deliveries that missed that their hook was switched or deleted."""

from __future__ import annotations

from sqlalchemy import bindparam, text

from console.models.base import Moment
from console.services.engine import destinations, due
from console.services.events.outbox import HELD_REASON
from console.services.work import Work

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
    {due.WAITING} SELECT waiting.hook FROM waiting JOIN hooks AS h ON h.number = waiting.hook WHERE {{hook}})"""  # noqa: S608 constants


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
