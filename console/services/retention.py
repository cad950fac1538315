"""Retention: what has been finished for longer than the operator keeps it is deleted, in small transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import TextClause, bindparam, text

from console.models.base import Moment
from console.services.work import Work

BATCH = 200
"""Events a transaction deletes, with their deliveries and attempts: a few milliseconds of the database's write lock."""
ROLLUPS_KEPT = timedelta(days=400)
WORKERS_KEPT = timedelta(days=1)
FAILURES_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows went; deliveries and attempts go with their events."""

    events: int = 0
    bin_requests: int = 0
    others: int = 0
    is_complete: bool = True


def _deletion(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("until", type_=Moment()))


# An event stays while one of its deliveries is unfinished or was finished lately (resent, perhaps).
_EVENTS = _deletion("""
DELETE FROM events WHERE number IN (
    SELECT e.number FROM events AS e
    WHERE e.created_at < :until AND NOT e.fanout_pending
      AND NOT EXISTS (SELECT 1 FROM deliveries AS d
                      WHERE d.event_number = e.number AND (d.finished_at IS NULL OR d.finished_at >= :until))
    ORDER BY e.created_at LIMIT :batch)""")
_BIN_REQUESTS = _deletion("""
DELETE FROM bin_requests WHERE number IN (
    SELECT number FROM bin_requests WHERE received_at < :until ORDER BY number LIMIT :batch)""")
_OTHERS = (
    (_deletion("DELETE FROM hook_hours WHERE hour < :until"), ROLLUPS_KEPT),
    (
        _deletion("""DELETE FROM workers WHERE stopped_at < :until
                     AND NOT EXISTS (SELECT 1 FROM deliveries AS d
                                     WHERE d.state = 'sending' AND d.claimed_by = workers.number)"""),
        WORKERS_KEPT,
    ),
    (_deletion("DELETE FROM sign_in_failures WHERE at < :until"), FAILURES_KEPT),
    (_deletion("DELETE FROM replays WHERE finished_at < :until"), ROLLUPS_KEPT),
)


def prune(work: Work, *, days: int | None = None, most_batches: int | None = None) -> Pruned:
    """Delete what is older than *days* (default: the setting), at most so many batches of each kind.

    ``is_complete`` is False when that was not enough; call again.
    """
    until = work.now() - timedelta(days=work.settings.retention_days if days is None else days)
    counts = []
    is_complete = True
    for statement in (_EVENTS, _BIN_REQUESTS):
        count, is_done = _in_batches(work, statement, until=until, most_batches=most_batches)
        counts.append(count)
        is_complete = is_complete and is_done
    others = 0
    for statement, kept in _OTHERS:
        with work.transaction():
            result = work.session.execute(statement, {"until": work.now() - kept})
            others += int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives
    return Pruned(events=counts[0], bin_requests=counts[1], others=others, is_complete=is_complete)


def _in_batches(work: Work, statement: TextClause, *, until: object, most_batches: int | None) -> tuple[int, bool]:
    total = batches = 0
    while most_batches is None or batches < most_batches:
        with work.transaction():
            result = work.session.execute(statement, {"until": until, "batch": BATCH})
            count = int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult
        total += count
        batches += 1
        if count < BATCH:
            return total, True
    return total, False
