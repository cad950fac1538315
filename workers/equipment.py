"""What a worker process works with: engine, settings, keys, clock, ring. Made after the process has started."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from console import database
from console.failpoints import NO_FAILPOINTS, Failpoints
from console.ring import RedisRing
from console.services.keys import KeyRing
from console.services.work import Clock, Ring, SilentRing, Work
from console.settings import Settings


class DatabaseClock:
    """The database's clock: what is due and who is dead is decided by one clock, not by each host's.

    It is sampled once per beat and carried on with the monotonic clock in between. On SQLite, which lives on one host,
    it is that host's clock.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._ahead: timedelta | None = None  # of the monotonic clock, as a moment since the epoch

    def now(self) -> datetime:
        """Give the present moment."""
        ahead = self._ahead
        return datetime.now(UTC) if ahead is None else datetime.fromtimestamp(time.monotonic(), UTC) + ahead

    def sample(self, session: Session) -> None:
        """Ask the database what time it is; opens a transaction that the caller ends."""
        if database.dialect_of(session) == "sqlite":
            return
        before = time.monotonic()
        moment: datetime = database.server_now(session)
        middle = (before + time.monotonic()) / 2
        with self._lock:
            self._ahead = moment.astimezone(UTC) - datetime.fromtimestamp(middle, UTC)


@dataclass(frozen=True, slots=True)
class Equipment:
    """The collaborators that all threads of a worker share; each unit of work gets a session of its own."""

    engine: Engine
    settings: Settings
    keys: KeyRing
    ring: Ring = field(default_factory=SilentRing)
    clock: Clock = field(default_factory=DatabaseClock)
    failpoints: Failpoints = NO_FAILPOINTS

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Give a Work whose session ends with the block; what was not committed is rolled back."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield Work(
                session=session,
                settings=self.settings,
                keys=self.keys,
                clock=self.clock,
                ring=self.ring,
                failpoints=self.failpoints,
            )

    @contextmanager
    def look(self) -> Iterator[Work]:
        """Give a Work that only reads: on SQLite it takes no write lock."""
        with database.read_only(), self.work() as work:
            yield work


def open_engine(settings: Settings, *, pool_size: int) -> Engine:
    """Open the database as workers do: after a power cut the last results may be missing and are made again."""
    return database.create_engine(settings.sqlalchemy_url, durable=False, pool_size=pool_size)


def equip(settings: Settings) -> Equipment:
    """Open what a process needs; connections are made when they are first used."""
    return Equipment(
        engine=open_engine(settings, pool_size=4),
        settings=settings,
        keys=KeyRing(settings.secret_keys),
        ring=RedisRing(settings.redis_url) if settings.redis_url else SilentRing(),
        failpoints=Failpoints(settings.failpoints),
    )
