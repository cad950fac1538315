"""A whole database copied into another of either kind: every table, every value, and the numbers to come."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import Result
from sqlalchemy import JSON, Boolean, Column, Engine, Float, Integer, LargeBinary, func, insert, make_url, select, text
from sqlalchemy import create_engine as plain_engine
from sqlalchemy.orm import Session

from console import copying, database, migrations
from console.copying import CopyError
from console.models import Base, Event, Organization
from console.models.base import Identifier, Moment
from tests.databases import PostgresDatabases

Run = Callable[..., Result]
Make = Callable[[str], Engine]
TABLES = Base.metadata.sorted_tables
AT = datetime(2026, 12, 1, 9, 30, 0, 123456, UTC)
ROWS = 3


VALUES: tuple[tuple[type, Callable[[int], object]], ...] = (
    (Identifier, lambda place: UUID(int=place)),
    (Moment, lambda place: AT + timedelta(microseconds=place)),
    (Boolean, lambda place: place % 2 == 0),
    (LargeBinary, lambda place: bytes([0, 255, place])),
    (JSON, lambda place: {"words": ["Grüße", "\U0001f469\u200d\U0001f4bb", place, None, 1.5]}),
    (Float, lambda place: place + 0.25),
    (Integer, lambda place: 2**40 + place),
)


def value_of(column: Column[Any], place: int) -> object:
    """Make up a value that the column takes; another one for each *place*."""
    made = next((make(place) for kind, make in VALUES if isinstance(column.type, kind)), None)
    text_length = getattr(column.type, "length", None) or 200
    return f"{place} ü'\\ {column.name}"[:text_length] if made is None else made


def fill(connection: Any) -> None:
    """Put rows into every table, each pointing at rows that are there; columns that may be empty are, in some."""
    for table in TABLES:
        for place in range(ROWS):
            row = {}
            for column in table.columns:
                keys = [key.column for key in column.foreign_keys]
                if keys and keys[0].table is not table:
                    row[column.name] = connection.scalars(select(keys[0]).order_by(keys[0]).offset(place)).first()
                elif keys or (column.nullable and place == 1):
                    row[column.name] = None
                elif column.name == "number" and column.primary_key and not keys:
                    row[column.name] = place + 1
                else:
                    row[column.name] = value_of(column, place)
            connection.execute(insert(table), row)


def content(engine: Engine) -> dict[str, list[Any]]:
    with engine.connect() as connection:
        found = {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in TABLES
        }
        connection.rollback()
    return found


@pytest.fixture
def make(tmp_path: Path, postgres_databases: PostgresDatabases) -> Iterator[Make]:
    """Make an engine on a new, empty database of either kind."""
    engines: list[Engine] = []
    names: list[str] = []
    admin = plain_engine(postgres_databases.url, isolation_level="AUTOCOMMIT")

    def make_one(kind: str) -> Engine:
        name = f"copy_{uuid4().hex[:12]}"
        url = f"sqlite:///{tmp_path / name}.sqlite3"
        if kind == "postgresql":
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name}"))
            names.append(name)
            url = make_url(postgres_databases.url).set(database=name).render_as_string(hide_password=False)
        engine = database.create_engine(url, pool_size=1)
        engines.append(engine)
        return engine

    yield make_one
    for engine in engines:
        engine.dispose()
    with admin.connect() as connection:
        for name in names:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def full(make: Make, kind: str) -> Engine:
    """Make a database with rows in every table, of which the last event is gone again."""
    engine = make(kind)
    migrations.upgrade(engine)
    with engine.begin() as connection:
        fill(connection)
    if kind == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("SELECT setval(pg_get_serial_sequence('events', 'number'), 41)"))
    else:
        with engine.begin() as connection:
            connection.execute(text("UPDATE sqlite_sequence SET seq = 41 WHERE name = 'events'"))
    engine.dispose()
    return engine


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("source_kind", "target_kind"), [("sqlite", "postgresql"), ("postgresql", "sqlite"), ("sqlite", "sqlite")]
)
def test_every_row_of_every_table_is_copied(make: Make, source_kind: str, target_kind: str) -> None:
    source, target = full(make, source_kind), make(target_kind)
    told: dict[str, int] = {}

    copying.copy(source, target, progress=told.__setitem__)

    assert content(target) == content(source)
    assert told == {table.name: ROWS for table in TABLES}


@pytest.mark.postgres
@pytest.mark.parametrize("kinds", [("sqlite", "postgresql"), ("postgresql", "sqlite")])
def test_numbers_go_on_above_those_of_rows_that_are_gone(make: Make, kinds: tuple[str, str]) -> None:
    source, target = full(make, kinds[0]), make(kinds[1])

    copying.copy(source, target)

    with Session(target) as session:
        first = session.scalars(select(Event)).first()
        assert first
        event = Event(**{name: getattr(first, name) for name in set(Event.__mapper__.columns.keys()) - {"number"}})
        event.id, event.idempotency_key = uuid4(), None
        session.add(event)
        organization = Organization(id=uuid4(), slug="later", name="Later", created_at=AT)
        session.add(organization)
        session.commit()
        assert event.number == 42
        assert organization.number == ROWS + 1


def test_a_database_that_holds_something_is_not_written(make: Make) -> None:
    source, target = full(make, "sqlite"), full(make, "sqlite")
    with target.begin() as connection:
        connection.execute(text("DELETE FROM events"))
    before = content(target)

    with pytest.raises(CopyError, match=r"The target holds data \(.+\): give an empty database"):
        copying.copy(source, target)

    assert content(target) == before


def test_a_database_with_tables_of_something_else_is_not_written(make: Make) -> None:
    source, target = full(make, "sqlite"), make("sqlite")
    with target.begin() as connection:
        connection.execute(text("CREATE TABLE theirs (number INTEGER)"))

    with pytest.raises(CopyError, match="tables of something else"):
        copying.copy(source, target)


@pytest.mark.postgres
def test_what_was_copied_before_an_error_is_not_kept_and_the_next_try_works(make: Make) -> None:
    source, target = full(make, "sqlite"), make("postgresql")

    def stop_at_events(table: str, _rows: int) -> None:
        if table == "events":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy(source, target, progress=stop_at_events)
    assert {len(rows) for rows in content(target).values()} == {0}
    target.dispose()

    copying.copy(source, target)

    assert content(target) == content(source)


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("used", ["source", "target"])
def test_a_database_in_use_is_refused(make: Make, kind: str, used: str) -> None:
    engines = {"source": full(make, kind), "target": make(kind)}
    migrations.upgrade(engines["target"])
    engines["target"].dispose()
    url = engines[used].url.render_as_string(hide_password=False)
    other = database.create_engine(url)
    with other.connect() as connection:
        connection.scalar(select(func.count()).select_from(Event))
        connection.rollback()

        with pytest.raises(CopyError, match=f"The {used} is in use: stop `hookyard up`"):
            copying.copy(engines["source"], engines["target"])
    other.dispose()


def test_a_source_of_another_version_is_refused(make: Make) -> None:
    source, target = full(make, "sqlite"), make("sqlite")
    before = "0006"
    migrations.downgrade(source, before)

    with pytest.raises(CopyError, match=rf"The source is at {before}: run `hookyard db upgrade` first"):
        copying.copy(source, target)


def test_a_database_is_not_copied_onto_itself(make: Make) -> None:
    source = full(make, "sqlite")

    with pytest.raises(CopyError, match="the same database"):
        copying.copy(source, source)


def test_the_command_copies_and_says_what_to_do_next(installed: Run, data: Path, tmp_path: Path) -> None:
    assert installed("organizations", "create", "acme").exit_code == 0
    target = tmp_path / "new.sqlite3"

    copied = installed("db", "copy", "--to", f"sqlite:///{target}")

    assert copied.exit_code == 0, copied.output
    assert "         1  organizations" in copied.output
    assert "Set HOOKYARD_DATABASE_URL to it, keep HOOKYARD_SECRET_KEY" in copied.output
    with closing(sqlite3.connect(target)) as raw:
        assert raw.execute("SELECT slug FROM organizations").fetchall() == [("acme",)]
    again = installed("db", "copy", "--to", f"sqlite:///{target}")
    assert again.exit_code == 1
    assert "The target holds data" in again.stderr
