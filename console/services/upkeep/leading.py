"""Leading: of all workers one does what is to be done once; another takes over when it stops beating."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from console.database import read_only
from console.models import Leader
from console.services.upkeep.beating import DEAD_AFTER
from console.services.work import Work

DISPATCHER = "dispatcher"


LEAD_EVERY = timedelta(seconds=2)


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
