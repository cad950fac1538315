"""Engines for SQLite and PostgreSQL with the settings that the promises rest on, and what kind of error is a busy one.

SQLite: WAL, BEGIN IMMEDIATE for every writing transaction (the driver's default lost 298 of 400 concurrent updates
without an error), plain BEGIN for read-only ones, a busy timeout, foreign keys. PostgreSQL: time limits on locks,
statements and idle transactions, so that nothing waits for ever.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from sqlite3 import SQLITE_BUSY
from sqlite3 import Connection as SQLiteConnection
from sqlite3 import Error as SQLiteError
from typing import Any, Literal

from sqlalchemy import Engine, PoolProxiedConnection, event, make_url, text
from sqlalchemy import create_engine as sqlalchemy_engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

BUSY_TIMEOUT_S = 10
"""How long a transaction waits for SQLite's write lock, unless the URL says otherwise (``?timeout=2``)."""
_PAUSES_S = (0.0005,) * 20 + (0.001,) * 100 + (0.002,) * 200 + (0.005,) * 100
POSTGRES_OPTIONS = " ".join(
    f"-c {option}"
    for option in (
        "lock_timeout=5s",
        "statement_timeout=15s",
        # As long as a worker is taken for alive: one that was cut off the network in the middle of a transaction
        # would hold its locks against all others, and does nothing with them any more.
        "idle_in_transaction_session_timeout=10s",
        "tcp_keepalives_idle=10",
        "tcp_keepalives_interval=5",
        "tcp_keepalives_count=3",
        "timezone=UTC",
        # Starting processes for a query takes longer than nearly every query here, and they are missed elsewhere.
        "max_parallel_workers_per_gather=0",
    )
)
_POSTGRES_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds; the operating system's own patience is a quarter of an hour
}
"""Either side notices within half a minute that the other is gone without a word, as after a cable was pulled."""

_IS_READING = "hookyard_is_reading"
_BUSY_STATES = frozenset({"55P03", "57014", "40001", "40P01", "25006", "25P03"})
_BUSY_CLASSES = frozenset({"08", "53"})

_read_only: ContextVar[bool] = ContextVar("read_only", default=False)


@contextmanager
def read_only() -> Iterator[None]:
    """Open transactions inside this block as readers: on SQLite they take no write lock and cannot write."""
    token = _read_only.set(True)
    try:
        yield
    finally:
        _read_only.reset(token)


def end_reading(session: Session) -> None:
    """End a transaction that can only read, so that the next statement begins one that can write (SQLite)."""
    if session.in_transaction() and session.connection().info.get(_IS_READING):
        session.commit()


@contextmanager
def writing() -> Iterator[None]:
    """Open transactions inside this block as writers, although the caller reads."""
    token = _read_only.set(False)
    try:
        yield
    finally:
        _read_only.reset(token)


def engine_options(url: str, *, durable: bool = True, pool_size: int = 8) -> dict[str, Any]:
    """Give the keyword arguments of SQLAlchemy's ``create_engine``.

    *durable* False lets SQLite answer before its log is on the disk: right for workers, whose lost writes after a
    power cut cost a duplicate, and wrong where events are accepted.
    """
    if url.startswith("sqlite"):
        synchronous = "FULL" if durable else "NORMAL"
        timeout_s = float(str(make_url(url).query.get("timeout", BUSY_TIMEOUT_S)))
        return {
            "connect_args": {"isolation_level": None, "timeout": timeout_s, "check_same_thread": False},
            "pool_size": pool_size,
            "max_overflow": 32,
            "pool_use_lifo": True,  # SQLite's page cache is a connection's own: the one used last is the warmest
            "execution_options": {"sqlite_synchronous": synchronous, "sqlite_timeout_ms": int(timeout_s * 1000)},
        }
    return {
        "connect_args": {"options": POSTGRES_OPTIONS, "connect_timeout": 5, **_POSTGRES_KEEPALIVE},
        "pool_size": pool_size,
        "max_overflow": 32,
        "pool_pre_ping": True,
        "pool_recycle": 1800,
    }


def create_engine(url: str, *, durable: bool = True, pool_size: int = 8) -> Engine:
    """Make an engine of its own, as workers and commands need it."""
    engine = sqlalchemy_engine(url, **engine_options(url, durable=durable, pool_size=pool_size))
    prepare(engine)
    return engine


def prepare(engine: Engine) -> None:
    """Register what every new connection and transaction of *engine* needs. Call once per engine."""
    if engine.dialect.name != "sqlite":
        return
    options = engine.get_execution_options()
    synchronous = options.get("sqlite_synchronous", "FULL")
    timeout_ms = options.get("sqlite_timeout_ms", BUSY_TIMEOUT_S * 1000)

    @event.listens_for(engine, "connect")
    def _configure(connection: SQLiteConnection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {timeout_ms}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA mmap_size = 268435456")
        connection.execute("PRAGMA temp_store = MEMORY")

    def begin(connection: PoolProxiedConnection) -> None:
        raw = connection.dbapi_connection
        assert isinstance(raw, SQLiteConnection)  # noqa: S101 the dialect is SQLite's
        reading = _read_only.get()
        if reading is not connection.info.get(_IS_READING):
            raw.execute(f"PRAGMA query_only = {int(reading)}")
            connection.info[_IS_READING] = reading
        if reading:
            raw.execute("BEGIN")
        else:
            _begin_writing(raw, timeout_ms=timeout_ms)

    # Not an event of the engine: with one of those, SQLAlchemy looks for listeners around every statement.
    engine.dialect.do_begin = begin  # type: ignore[method-assign,assignment]  # on the instance, so without self


def _begin_writing(raw: SQLiteConnection, *, timeout_ms: int) -> None:
    """Take SQLite's write lock, looking for it every millisecond or so.

    SQLite's own waiting sleeps up to 100 ms at a time although transactions here last a few: two workers then spent
    half their time asleep beside a free lock. Its patience, and its error, come after ours.
    """
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        for pause_s in _PAUSES_S:
            try:
                raw.execute("BEGIN IMMEDIATE")
            except SQLiteError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF != SQLITE_BUSY:
                    break
                time.sleep(pause_s)
            else:
                return
    finally:
        raw.execute(f"PRAGMA busy_timeout = {timeout_ms}")
    raw.execute("BEGIN IMMEDIATE")


def is_busy(error: BaseException) -> bool:
    """Say whether *error* means that the database could not be written now and the same may work later.

    SQLite: locked, busy or full. PostgreSQL: lock or statement time-out, too many connections, disk full, shutdown
    (SQLSTATE 55P03, 57014, 53xxx, 57P0x, 40001, 40P01, 25006), a transaction that was silent for too long (25P03), or
    no connection at all.
    """
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return state in _BUSY_STATES or state[:2] in _BUSY_CLASSES or state.startswith("57P")
    if isinstance(error, OperationalError):
        words = str(error.orig)
        return any(word in words for word in ("locked", "busy", "full", "readonly", "disk I/O", "connect"))
    return False


def server_now(session: Session) -> Any:
    """Give the database's clock: what is due and who is dead is decided by one clock, not by each host's."""
    return session.scalar(text("SELECT clock_timestamp()"))


def take_turns(session: Session, name: str) -> None:
    """Let transactions that give the same *name* run one after the other; SQLite's writers do so anyhow."""
    if dialect_of(session) == "postgresql":
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


Dialect = Literal["sqlite", "postgresql"]


def dialect_of(session: Session) -> Dialect:
    """Name the database that *session* speaks to."""
    name = session.get_bind().dialect.name
    return "sqlite" if name == "sqlite" else "postgresql"
