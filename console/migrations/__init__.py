"""The database's schema as Alembic revisions, inside the package so that they ship with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

HERE = Path(__file__).parent


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema of *engine* up to *revision*; a schema that is there already stays as it is."""
    with _begin(engine) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to *revision* ("base" removes everything)."""
    with _begin(engine) as connection:
        command.downgrade(_config(connection), revision)


@contextmanager
def _begin(engine: Engine) -> Iterator[Connection]:
    """Begin the transaction of a migration.

    PostgreSQL: a statement may take longer than one of a page or a worker, as an index over a long log does. SQLite
    alters a table by copying it and dropping the first, which would delete all rows that refer to it: foreign keys are
    off meanwhile, which works outside a transaction only (https://www.sqlite.org/lang_altertable.html, section 7).
    """
    with engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        try:
            if isinstance(raw, SQLiteConnection):
                raw.execute("PRAGMA foreign_keys = OFF")
            with connection.begin():
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                yield connection
        finally:
            if isinstance(raw, SQLiteConnection):
                raw.execute("PRAGMA foreign_keys = ON")


def current(engine: Engine) -> str | None:
    """Give the revision that the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Give the newest revision this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()
