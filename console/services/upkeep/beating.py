"""The rows of the workers: a process is alive while it refreshes its row, and its claims are worth as much as it is."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import insert, select, update

from console.models import Worker
from console.services.work import Work

BEAT_EVERY_S = 2.0
FENCED_AFTER_S = 5.0
"""A worker begins nothing new once its last confirmed beat is this old."""
DEAD_AFTER = timedelta(seconds=10)


def register(work: Work, *, lane: str, host: str, pid: int, version: str, pid_space: str | None = None) -> int:
    """Add a worker that has just started and return its number; *pid_space* is None where pids tell nothing."""
    now = work.now()
    row = {"lane": lane, "host": host[:200], "pid": pid, "pid_space": pid_space, "version": version[:40]}
    with work.transaction():
        result = work.session.execute(
            insert(Worker).values(**row, started_at=now, beat_at=now, in_flight=0).returning(Worker.number)
        )
        return int(result.scalar_one())


def neighbours(work: Work, *, worker: int, pid_space: str | None) -> dict[int, int]:
    """Return the pids, by number, of the other living workers whose processes this one can see."""
    if pid_space is None:
        return {}
    query = select(Worker.number, Worker.pid).where(
        Worker.stopped_at.is_(None), Worker.pid_space == pid_space, Worker.number != worker
    )
    return {row.number: row.pid for row in work.session.execute(query)}


def beat(work: Work, *, worker: int, in_flight: int) -> bool:
    """Refresh a worker's row; False when it was declared dead meanwhile, so that nothing it claimed is its own."""
    with work.transaction():
        result = work.session.execute(
            update(Worker)
            .where(Worker.number == worker, Worker.stopped_at.is_(None))
            .values(beat_at=work.now(), in_flight=in_flight)
        )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives


def retire(work: Work, *, worker: int) -> None:
    """Sign a worker off; what it still holds is free at the next sweep."""
    with work.transaction():
        work.session.execute(update(Worker).where(Worker.number == worker).values(stopped_at=work.now(), in_flight=0))
