"""The database's schema as Alembic revisions, inside the package so that they ship with it."""

from __future__ import annotations

from pathlib import Path

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
    with engine.begin() as connection:
        _allow_time(connection)
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to *revision* ("base" removes everything)."""
    with engine.begin() as connection:
        _allow_time(connection)
        command.downgrade(_config(connection), revision)


def _allow_time(connection: Connection) -> None:
    """Let a statement take longer than one of a page or a worker may: an index over a long log does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))


def current(engine: Engine) -> str | None:
    """Give the revision that the database is at; None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Give the newest revision this program knows."""
    return ScriptDirectory.from_config(_config()).get_current_head()
