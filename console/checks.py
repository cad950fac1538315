"""What must hold before Hookyard runs: questions to the database file and to Redis, answered in sentences."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import redis
from redis.exceptions import AuthenticationError, RedisError
from sqlalchemy.engine import make_url

from console.core.errors import HookyardError
from console.core.redact import redact_url
from console.ring import CHECK_KEY, CHECK_TTL_S, OLDEST_REDIS, version_of
from console.settings import Settings

LARGEST_CHECKED_FILE = 256 * 1024 * 1024
"""Bytes. Reading a larger database file whole would hold up every start for seconds."""
REDIS_WITHIN_S = 2.0


class UnfitError(HookyardError):
    """Something Hookyard stands on is not as it must be; the message says what to do."""

    code = "unfit"


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """What a Redis says about itself; *policy*, *keeps_log* and *memory_bytes* are None when it does not tell.

    *most_memory_bytes* is its maxmemory, 0 for none.
    """

    version: str
    policy: str | None
    keeps_log: bool | None
    clock: datetime
    memory_bytes: int | None = None
    most_memory_bytes: int = 0

    @property
    def is_recent(self) -> bool:
        """Whether it has BLMOVE, without which a worker that dies loses its job."""
        return version_of(self.version) >= OLDEST_REDIS

    @property
    def evicts(self) -> bool:
        """Whether it may drop keys of its own accord."""
        return self.policy is not None and self.policy != "noeviction"


def redis_facts(url: str) -> RedisFacts:
    """Ask the Redis at *url*; raise UnfitError when it cannot be asked or written."""
    shown = redact_url(url)
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=REDIS_WITHIN_S, socket_timeout=REDIS_WITHIN_S) as client:
            client.set(CHECK_KEY, "1", ex=CHECK_TTL_S)
            server, memory, persistence = (client.info(section) for section in ("server", "memory", "persistence"))
            seconds, microseconds = client.time()
    except ValueError as error:
        raise UnfitError(f"HOOKYARD_REDIS_URL is no URL of a Redis ({error}): try redis://127.0.0.1:6379/0.") from error
    except AuthenticationError as error:
        raise UnfitError(
            f"The Redis at {shown} refuses these credentials ({error}): correct HOOKYARD_REDIS_URL."
        ) from error
    except RedisError as error:
        raise UnfitError(
            f"The Redis at {shown} cannot be used ({error}): start it, or correct HOOKYARD_REDIS_URL."
        ) from error
    return RedisFacts(
        version=str(server.get("redis_version", "0")),
        policy=memory.get("maxmemory_policy"),
        keeps_log=bool(persistence["aof_enabled"]) if "aof_enabled" in persistence else None,
        clock=datetime.fromtimestamp(seconds + microseconds / 1_000_000, UTC),
        memory_bytes=memory.get("used_memory"),
        most_memory_bytes=int(memory.get("maxmemory") or 0),
    )


def require_redis(url: str) -> RedisFacts:
    """Give what the Redis at *url* says; raise UnfitError when Hookyard cannot work with it."""
    facts = redis_facts(url)
    if not facts.is_recent:
        raise UnfitError(f"The Redis at {redact_url(url)} is {facts.version}; Hookyard needs 6.2 or newer.")
    if facts.evicts:
        raise UnfitError(
            f"The Redis at {redact_url(url)} may evict keys (maxmemory-policy {facts.policy}): "
            "set its maxmemory-policy to noeviction."
        )
    return facts


def sqlite_file(settings: Settings) -> Path | None:
    """Give the path of the SQLite database; None for another kind or one in memory."""
    if not settings.is_sqlite:
        return None
    name = make_url(settings.sqlalchemy_url).database
    return Path(name) if name and name != ":memory:" else None


def require_database(settings: Settings) -> None:
    """Raise UnfitError when the database was never made: opening a missing SQLite file would make an empty one."""
    path = sqlite_file(settings)
    if path is not None and not path.exists():
        raise UnfitError(
            f"There is no database {path} yet: run `hookyard db upgrade`, or `hookyard up`. "
            "If `hookyard up --data` was given another directory, set HOOKYARD_DATA to it."
        )


def require_sound_file(settings: Settings) -> None:
    """Raise UnfitError when the SQLite file is damaged; one that does not exist yet is sound."""
    path = sqlite_file(settings)
    if path is None or not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            thorough = path.stat().st_size <= LARGEST_CHECKED_FILE
            query = "PRAGMA quick_check(1)" if thorough else "SELECT count(*) FROM sqlite_master"
            found = str(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError as error:
        raise UnfitError(f"The database file {path} cannot be opened ({error}): check its permissions.") from error
    except sqlite3.DatabaseError as error:
        found = str(error)
        thorough = True
    if thorough and found != "ok":
        raise UnfitError(
            f"The database file {path} is damaged ({found.splitlines()[-1].strip()}): "
            "restore it from a backup, or move it away to start empty."
        )
