"""Retention: what has been finished for longer than the operator keeps it is deleted, in small transactions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf
from time import monotonic, sleep

from sqlalchemy import TextClause, bindparam, select, text

from console.database import read_only
from console.models import Organization
from console.models.base import Moment
from console.services.figures import organization_hours
from console.services.upkeep import pruning
from console.services.upkeep.pruning import ALL, START, Place
from console.services.work import Work

BATCH = 200
"""Caught requests that a transaction deletes."""
PAUSE_S = 0.005
"""Between two transactions, so that whoever waits for SQLite's write lock gets it."""
TRIALS_KEPT = timedelta(hours=1)
ROLLUPS_KEPT = timedelta(days=400)
WORKERS_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows went; deliveries and attempts go with their events. *place*: where to go on, None when all went."""

    events: int = 0
    bin_requests: int = 0
    others: int = 0
    place: Place | None = None


def _deletion(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("until", type_=Moment()))


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
# What lies before a step has gone with all its rows. Deliveries go with their events.
_STEPS = text("DELETE FROM clock_steps WHERE event_number < (SELECT min(number) FROM events)")


def prune(work: Work, *, days: int | None = None) -> Pruned:
    """Delete all that is older than *days*: what is small, then events. Days as for ``prune_events``."""
    small = prune_small(work, days=days)
    return replace(small, events=prune_events(work, days=days).events)


def prune_small(work: Work, *, days: int | None = None) -> Pruned:
    """Delete what is old but for events: caught requests, roll-ups, workers, replays, and the secrets of trials."""
    until = work.now() - timedelta(days=_usual(work, days))
    return Pruned(bin_requests=_delete_bin_requests(work, until=until), others=_delete_others(work))


def prune_events(work: Work, *, days: int | None = None, most_s: float = inf, place: Place = START) -> Pruned:
    """Delete events older than *days*, for about *most_s* seconds.

    By default it is the setting, and for the events of an organization what it has chosen, which is never more. When
    the time was not enough the answer has the *place* from which to go on.
    """
    begun, passes, events = monotonic(), _passes(work, days), 0
    at: Place | None = place
    while at is not None:
        step = pruning.step(work, until=passes[at.organization], place=at) if at.organization in passes else None
        events += step.events if step else 0
        at = (step and step.place) or _next(passes, after=at.organization)
        if at is None or monotonic() - begun > most_s:
            break
        sleep(PAUSE_S)
    if at is None:
        with work.transaction():
            work.session.execute(_STEPS)
    return Pruned(events, place=at)


def _usual(work: Work, days: int | None) -> int:
    return work.settings.retention_days if days is None else days


def _next(passes: Collection[int], *, after: int) -> Place | None:
    """Give where the events of the next organization begin, None behind the last."""
    following = [organization for organization in passes if organization > after]
    return replace(START, organization=min(following)) if following else None


def _passes(work: Work, days: int | None) -> dict[int, datetime]:
    """Give until when events go: of all organizations, then by number of those that keep less than the operator."""
    now, usual = work.now(), _usual(work, days)
    passes = {ALL: now - timedelta(days=usual)}
    if days is None:
        query = select(Organization.number, Organization.retention_days).where(Organization.retention_days < usual)
        with read_only():
            passes |= {number: now - timedelta(days=kept or usual) for number, kept in work.session.execute(query)}
            work.session.rollback()
    return passes


def _delete_bin_requests(work: Work, *, until: datetime) -> int:
    """Delete caught requests; a bin keeps few, so that all of them are a few batches."""
    total, count = 0, BATCH
    while count == BATCH:
        with work.transaction():
            count = _rows(work.session.execute(_BIN_REQUESTS, {"until": until, "batch": BATCH}))
        total += count
    return total


def _delete_others(work: Work) -> int:
    total = 0
    for statement, kept in _OTHERS:
        with work.transaction():
            total += _rows(work.session.execute(statement, {"until": work.now() - kept}))
    return total + organization_hours.forget(work, until=work.now() - ROLLUPS_KEPT)


def _rows(result: object) -> int:
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives
