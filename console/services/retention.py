"""Retention: what has been finished for longer than the operator keeps it is deleted, in small transactions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import TextClause, bindparam, text

from console.database import dialect_of
from console.models.base import Moment
from console.services import organization_hours
from console.services.work import Work

BATCH = 200
"""Events a transaction deletes, with their deliveries and attempts: a few milliseconds of the database's write lock."""
TRIALS_KEPT = timedelta(hours=1)
ROLLUPS_KEPT = timedelta(days=400)
WORKERS_KEPT = timedelta(days=1)


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
_IS_OVER = """NOT EXISTS (SELECT 1 FROM deliveries AS d
    WHERE d.event_number = e.number AND (d.finished_at IS NULL OR d.finished_at >= :until))"""
_OLD_EVENTS = f"""
SELECT e.number FROM events AS e WHERE e.created_at < :until AND NOT e.fanout_pending AND {_IS_OVER}
ORDER BY e.created_at LIMIT :batch"""  # noqa: S608 constants of this module
# What somebody resends or replays at this very moment would go with its event: PostgreSQL deletes in the end what it
# waited for, whatever became of it. So the rows are locked first and looked at again. SQLite has one writer.
_LOCKS = (
    "SELECT number FROM events WHERE number IN :numbers ORDER BY number FOR UPDATE",
    "SELECT number FROM deliveries WHERE event_number IN :numbers ORDER BY number FOR UPDATE",
)
_DELETE_EVENTS = _deletion(f"DELETE FROM events AS e WHERE e.number IN :numbers AND {_IS_OVER}").bindparams(  # noqa: S608
    bindparam("numbers", expanding=True)
)
_BIN_REQUESTS = _deletion("""
DELETE FROM bin_requests WHERE number IN (
    SELECT number FROM bin_requests WHERE received_at < :until ORDER BY number LIMIT :batch)""")
_OTHERS = (
    (_deletion("DELETE FROM hook_hours WHERE hour < :until"), ROLLUPS_KEPT),
    (_deletion("DELETE FROM type_hours WHERE hour < :until"), ROLLUPS_KEPT),
    # A trial sends one test: it needs no secrets any more, and goes when the log of that test has gone.
    (
        _deletion("""DELETE FROM hook_secrets
                     WHERE hook_number IN (SELECT number FROM hooks WHERE is_trial AND created_at < :until)"""),
        TRIALS_KEPT,
    ),
    (
        _deletion("""UPDATE hooks SET sealed_headers = NULL, dialect_data = '{}'
                     WHERE is_trial AND created_at < :until
                     AND (sealed_headers IS NOT NULL OR CAST(dialect_data AS TEXT) <> '{}')"""),
        TRIALS_KEPT,
    ),
    (
        _deletion("""DELETE FROM hooks WHERE is_trial AND created_at < :until
                     AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.hook_number = hooks.number)"""),
        TRIALS_KEPT,
    ),
    (
        _deletion("""DELETE FROM workers WHERE stopped_at < :until
                     AND NOT EXISTS (SELECT 1 FROM deliveries AS d
                                     WHERE d.state = 'sending' AND d.claimed_by = workers.number)"""),
        WORKERS_KEPT,
    ),
    (_deletion("DELETE FROM replays WHERE finished_at < :until"), ROLLUPS_KEPT),
)


def prune(work: Work, *, days: int | None = None, most_batches: int | None = None) -> Pruned:
    """Delete what is older than *days* (default: the setting), at most so many batches of each kind.

    ``is_complete`` is False when that was not enough; call again.
    """
    until = work.now() - timedelta(days=work.settings.retention_days if days is None else days)
    counts = []
    is_complete = True
    for delete in (_delete_events, _delete_bin_requests):
        count, is_done = _in_batches(work, delete, until=until, most_batches=most_batches)
        counts.append(count)
        is_complete = is_complete and is_done
    others = 0
    for statement, kept in _OTHERS:
        with work.transaction():
            others += _rows(work.session.execute(statement, {"until": work.now() - kept}))
    others += organization_hours.forget(work, until=work.now() - ROLLUPS_KEPT)
    return Pruned(events=counts[0], bin_requests=counts[1], others=others, is_complete=is_complete)


def _delete_events(work: Work, until: datetime) -> int:
    numbers = list(work.session.scalars(_deletion(_OLD_EVENTS), {"until": until, "batch": BATCH}))
    if not numbers:
        return 0
    if dialect_of(work.session) == "postgresql":
        for sql in _LOCKS:
            work.session.execute(text(sql).bindparams(bindparam("numbers", expanding=True)), {"numbers": numbers})
    return _rows(work.session.execute(_DELETE_EVENTS, {"numbers": numbers, "until": until}))


def _delete_bin_requests(work: Work, until: datetime) -> int:
    return _rows(work.session.execute(_BIN_REQUESTS, {"until": until, "batch": BATCH}))


def _rows(result: object) -> int:
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives


def _in_batches(
    work: Work, delete: Callable[[Work, datetime], int], *, until: datetime, most_batches: int | None
) -> tuple[int, bool]:
    total = batches = 0
    while most_batches is None or batches < most_batches:
        with work.transaction():
            count = delete(work, until)
        total += count
        batches += 1
        if count < BATCH:
            return total, True
    return total, False
