"""Small pieces of queries that several services share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    Table,
    TextClause,
    bindparam,
    cast,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql.dml import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite.dml import Insert as SqliteInsert
from sqlalchemy.orm import InstrumentedAttribute, Session

from console.models.base import Moment, Numbers

COUNT_CAP = 10_001  # what the console shows as "10,000+"


def contains(column: InstrumentedAttribute[Any], words: str) -> ColumnElement[bool]:
    """Match *words* anywhere in *column*, in any case; the wildcards of LIKE lose their meaning."""
    return column.icontains(words, autoescape=True)


def starts_with(column: InstrumentedAttribute[Any], words: str) -> ColumnElement[bool]:
    """Match *words* at the start of *column*, case kept."""
    return column.startswith(words, autoescape=True)


def count_capped(session: Session, query: Select[Any], *, cap: int = COUNT_CAP) -> int:
    """Count the rows of *query*, but no further than *cap*: a log of millions must not be walked for a number."""
    return session.scalar(select(func.count()).select_from(query.limit(cap).subquery())) or 0


def number_of(session: Session, model: type[Any], *, organization_number: int, id: UUID) -> int | None:  # noqa: A002  as everywhere
    """Give the number of the row of *model* with that id, deleted ones too; None: the organization has none."""
    found = session.scalar(select(model.number).where(model.organization_number == organization_number, model.id == id))
    return None if found is None else int(found)


_AMONG = {"sqlite": "IN (SELECT value FROM json_each(:{name}))", "postgresql": "= ANY(:{name})"}
_LISTS = re.compile(r"IN :(\w+)")


@cache
def listing(dialect: str, sql: str) -> TextClause:
    """Build the statement *sql*, in which ``IN :name`` takes a sequence of integers of any length, ``:now`` a moment.

    It is one statement for the database however long the sequence is, unlike one with a parameter for each integer.
    """
    parameters: list[BindParameter[Any]] = [bindparam(name, type_=Numbers()) for name in _LISTS.findall(sql)]
    if ":now" in sql:
        parameters.append(bindparam("now", type_=Moment()))
    written = _LISTS.sub(lambda found: _AMONG[dialect].format(name=found[1]), sql)
    return text(written).bindparams(*parameters)


def among(session: Session, column: InstrumentedAttribute[int], numbers: Sequence[int]) -> ColumnElement[bool]:
    """Match any of *numbers* in *column*, as one parameter: a hundred hooks need not be written out and parsed."""
    given = literal(list(numbers), Numbers())
    if session.get_bind().dialect.name == "sqlite":
        return column.in_(select(func.json_each(given).table_valued("value").c.value))
    return column == func.any(given)


def insert_into(dialect: str, table: Table) -> SqliteInsert | PostgresInsert:
    """Begin an INSERT that can say what to do about a conflict."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def place_of(
    session: Session, column: InstrumentedAttribute[datetime], *, start: datetime, columns: int, hours: int
) -> ColumnElement[int]:
    """Say in which column of a chart a full hour lies: the first begins at *start*, each has *hours*.

    What lies before has a place below 0, what lies after the last of *columns* one beyond it.
    """
    if session.get_bind().dialect.name == "sqlite":
        since = func.round((func.julianday(column) - func.julianday(literal(start, column.type))) * 24)
        return cast(since, Integer) // hours
    starts = [start + timedelta(hours=hours * place) for place in range(columns + 1)]
    among = literal(starts, postgresql.ARRAY(postgresql.TIMESTAMP(timezone=True)))
    return func.width_bucket(column, among, type_=Integer) - 1  # half the time of arithmetic with intervals
