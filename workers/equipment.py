"""What a worker process works with: engine, settings, keys, clock, ring. Made after the process has started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from console import database
from console.clocks import DatabaseClock
from console.failpoints import NO_FAILPOINTS, Failpoints
from console.ring import RedisRing
from console.services.keys import KeyRing
from console.services.work import Clock, Ring, SilentRing, Work
from console.settings import Settings


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
