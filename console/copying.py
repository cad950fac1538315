"""Copy a whole database into an empty one of either kind: from SQLite to PostgreSQL when it grows, or back.

All or nothing: the rows are written in one transaction, and counted before it ends. In batches, so that memory stays
small however long the log is.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, Engine, Table, func, insert, inspect, select, text

from console import migrations
from console.core.errors import HookyardError
from console.models import Base

BATCH = 100
"""Rows at a time: a payload has up to 256 KiB."""
LEAVING_WITHIN_S = 2.0
Progress = Callable[[str, int], None]
"""Is called with each table and how many rows it has, once they are copied."""


class CopyError(HookyardError):
    """The databases cannot be copied as they are; the message says what to do."""

    code = "copy"


def copy(source: Engine, target: Engine, *, progress: Progress = lambda _table, _rows: None) -> None:
    """Copy every row of *source* into *target*, which is empty or has this version's tables without a row.

    Raise CopyError when one of them is in use, has another schema, or when *target* holds data; then it stays as it is.
    """
    if source.url == target.url:
        raise CopyError("Source and target are the same database: give another one with --to.")
    for engine, name in ((source, "source"), (target, "target")):
        _require_idle(engine, name=name)
    revision = migrations.current(source)
    if revision != migrations.head():
        raise CopyError(f"The source is at {revision or 'nothing'}: run `hookyard db upgrade` first.")
    _prepare(target)
    with source.connect() as reading, target.begin() as writing:
        for connection in (reading, writing):
            _allow_time(connection)
        for table in Base.metadata.sorted_tables:
            progress(table.name, _copy_table(reading, writing, table))
        _continue_numbers(reading, writing)
    _analyze(target)


def _prepare(target: Engine) -> None:
    """Give an empty database the tables of this version; raise CopyError when it holds something."""
    revision = migrations.current(target)
    if revision is None and inspect(target).get_table_names():
        raise CopyError("The target holds tables of something else: give an empty database.")
    if revision not in {None, migrations.head()}:
        raise CopyError(f"The target is at {revision}, another version's schema: give an empty database.")
    migrations.upgrade(target)
    with target.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if connection.execute(select(table).limit(1)).first() is not None:
                raise CopyError(f"The target holds data ({table.name}): give an empty database.")


def _copy_table(reading: Connection, writing: Connection, table: Table) -> int:
    """Copy the rows of *table*, parents before their children; return how many there are."""
    query = select(table).order_by(*table.primary_key.columns)
    rows = reading.execution_options(yield_per=BATCH).execute(query)
    for part in rows.mappings().partitions():
        writing.execute(insert(table), [dict(row) for row in part])
    expected, found = (
        connection.scalar(select(func.count()).select_from(table)) or 0 for connection in (reading, writing)
    )
    if expected != found:
        raise CopyError(f"{found} of {expected} rows of {table.name} arrived: nothing was kept. Try again.")
    return expected


# --- numbers that only grow -----------------------------------------------------------------------------------------


def _continue_numbers(reading: Connection, writing: Connection) -> None:
    """Let new rows get numbers above any that was ever given, also above those of rows that are gone."""
    last = dict(_last_numbers(reading))
    for table in Base.metadata.sorted_tables:
        number = last.get(table.name)
        if number is None:
            continue
        if writing.dialect.name == "sqlite":
            writing.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table.name})
            statement = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"
        else:
            statement = "SELECT setval(pg_get_serial_sequence(:name, 'number'), :number)"
        writing.execute(text(statement), {"name": table.name, "number": number})


def _last_numbers(reading: Connection) -> Iterator[tuple[str, int]]:
    """Yield each table that has given a number, and the last one."""
    if reading.dialect.name == "sqlite":
        given = reading.execute(text("SELECT name, seq FROM sqlite_sequence WHERE seq > 0"))
        yield from ((row.name, row.seq) for row in given)
        return
    for table in Base.metadata.sorted_tables:
        if "number" not in table.columns:
            continue
        name = reading.scalar(text("SELECT pg_get_serial_sequence(:name, 'number')"), {"name": table.name})
        number = name and reading.scalar(text("SELECT pg_sequence_last_value(CAST(:name AS regclass))"), {"name": name})
        if number:
            yield table.name, int(number)


# --- the two kinds --------------------------------------------------------------------------------------------------


def _require_idle(engine: Engine, *, name: str) -> None:
    """Raise CopyError while any other process has the database open; those that just ended get a moment to leave."""
    engine.dispose()
    deadline = time.monotonic() + LEAVING_WITHIN_S
    while _is_used(engine):
        if time.monotonic() > deadline:
            raise CopyError(
                f"The {name} is in use: stop `hookyard up`, or every `hookyard web` and `hookyard worker`, "
                "and try again."
            )
        time.sleep(0.1)  # neither kind of database can be waited for


def _is_used(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite":
        return _is_open_elsewhere(Path(engine.url.database or ""))
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename = current_user AND pid <> pg_backend_pid()"
    )
    with engine.connect() as connection:
        return bool(connection.scalar(others))


def _is_open_elsewhere(path: Path) -> bool:
    """Return whether another connection has the SQLite file open: only one that is alone gets it for itself."""
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as probe:
        try:
            probe.execute("PRAGMA locking_mode = EXCLUSIVE")
            probe.execute("BEGIN IMMEDIATE")
            probe.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return True
            raise
    return False


def _allow_time(connection: Connection) -> None:
    """Let one transaction last as long as it takes, over one moment of the database."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {limit} = 0"))


def _analyze(target: Engine) -> None:
    """Let the planner know what there is now, instead of from the first quiet minute on."""
    with target.begin() as connection:
        _allow_time(connection)
        connection.execute(text("ANALYZE"))
