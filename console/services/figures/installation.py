"""What this installation runs on and who works in it, for the page of its staff: no organization owns any of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text

from console.database import dialect_of
from console.models import Leader, Worker
from console.services.figures import metrics
from console.services.figures.metrics import Metrics
from console.services.upkeep.beating import DEAD_AFTER
from console.services.upkeep.leading import DISPATCHER
from console.services.work import Work


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The database: *kind* for people, *revision* of its schema (none in an empty one)."""

    kind: str
    version: str
    size_bytes: int
    revision: str | None


@dataclass(frozen=True, slots=True)
class LivingWorker:
    """A worker that beats; the one that leads runs the dispatcher too."""

    lane: str
    host: str
    pid: int
    version: str
    started_at: datetime
    beat_at: datetime
    in_flight: int
    is_leading: bool


@dataclass(frozen=True, slots=True)
class Installation:
    """Everything that the database knows of the installation. *workers* are in the order of their lanes."""

    database: DatabaseFacts
    workers: tuple[LivingWorker, ...]
    metrics: Metrics


def look(work: Work) -> Installation:
    """Read all of it; opens a transaction that the caller ends."""
    return Installation(database=database_facts(work), workers=living_workers(work), metrics=metrics.read(work))


def database_facts(work: Work) -> DatabaseFacts:
    """Ask the database about itself."""
    is_sqlite = dialect_of(work.session) == "sqlite"
    version = "SELECT sqlite_version()" if is_sqlite else "SELECT current_setting('server_version')"
    size = (
        "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        if is_sqlite
        else "SELECT pg_database_size(current_database())"
    )
    return DatabaseFacts(
        kind="SQLite" if is_sqlite else "PostgreSQL",
        version=str(work.session.scalar(text(version))).split()[0],
        size_bytes=int(work.session.scalar(text(size)) or 0),
        revision=MigrationContext.configure(work.session.connection()).get_current_revision(),
    )


def living_workers(work: Work) -> tuple[LivingWorker, ...]:
    """List the workers that beat."""
    leader = work.session.scalar(select(Leader.worker_number).where(Leader.name == DISPATCHER))
    alive = (
        select(Worker)
        .where(Worker.stopped_at.is_(None), Worker.beat_at > work.now() - DEAD_AFTER)
        .order_by(Worker.lane, Worker.number)
        .execution_options(populate_existing=True)
    )
    return tuple(
        LivingWorker(
            lane=one.lane,
            host=one.host,
            pid=one.pid,
            version=one.version,
            started_at=one.started_at,
            beat_at=one.beat_at,
            in_flight=one.in_flight,
            is_leading=one.number == leader,
        )
        for one in work.session.scalars(alive)
    )
