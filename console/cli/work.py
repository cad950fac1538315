"""What commands that touch the database start from: a Work of their own, with everything closed afterwards."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from console import checks, logs
from console.cli import valkey
from console.clocks import DatabaseClock
from console.database import create_engine
from console.ring import RedisRing
from console.services.event_types import catalogue
from console.services.keys import KeyRing
from console.services.work import Actor, Ring, SilentRing, Work
from console.settings import Settings, load_settings


def redis_url(settings: Settings) -> str:
    """Give the URL of Redis: the operator's, or that of the embedded Valkey of the data directory."""
    return settings.redis_url or valkey.url_of(settings.data)


def operator() -> Actor:
    """Name who typed the command, for the audit log."""
    try:
        return Actor(name=f"command line ({getpass.getuser()})")
    except (KeyError, OSError):  # a container's numeric account has no name
        return Actor(name="command line")


@contextmanager
def opened(settings: Settings | None = None, *, ring: Ring | None = None) -> Iterator[Work]:
    """Open the database that the settings name, with the ring of their Redis unless *ring* is given; close it after."""
    settings = settings or load_settings()
    logs.configure("WARNING")
    checks.require_database(settings)
    engine = create_engine(settings.sqlalchemy_url, pool_size=1)
    try:
        with Session(engine, expire_on_commit=False) as session:
            clock = DatabaseClock()
            clock.sample(session)
            session.rollback()
            yield Work(
                session=session,
                settings=settings,
                keys=KeyRing(settings.secret_keys),
                clock=clock,
                ring=ring or RedisRing(redis_url(settings)),
                actor=operator(),
            )
    finally:
        engine.dispose()


def install_types(settings: Settings) -> None:
    """Add the event types that came with this version to the catalogue of every organization; Redis is not needed."""
    with opened(settings, ring=SilentRing()) as work:
        catalogue.install_everywhere(work)
