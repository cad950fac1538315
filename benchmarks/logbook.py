"""A long log: delivered events, each with a delivery and an attempt, copied by the database from the first one."""

from __future__ import annotations

from sqlalchemy import Engine, func, insert, literal, select
from sqlalchemy.sql import ColumnElement, FromClause

from console.models import Attempt, Delivery, Event

CHUNK = 20_000
ANSWER = b"ok"


def fill(engine: Engine, count: int, *, answer: bytes = ANSWER, attempts: int = 1) -> None:
    """Add *count* events with a delivery each, after so many attempts, which were answered 200 and *answer*."""
    for start in range(0, count, CHUNK):
        _add(engine, min(CHUNK, count - start), answer=answer, attempts=attempts)


def _add(engine: Engine, count: int, *, answer: bytes, attempts: int) -> None:
    new_id = func.randomblob(16) if engine.dialect.name == "sqlite" else func.gen_random_uuid()
    with engine.begin() as connection:
        last = {table: connection.scalar(select(func.max(table.c.number))) for table in (EVENTS, DELIVERIES)}
        first = EVENTS.c.number == select(func.min(EVENTS.c.number)).scalar_subquery()
        many = _numbers(count)
        _copy(connection, EVENTS, {"id": new_id}, source=EVENTS.join(many, literal(1) == 1), where=first)
        model = DELIVERIES.alias()
        _copy(
            connection,
            DELIVERIES,
            {
                "id": new_id,
                "event_number": EVENTS.c.number,
                "state": literal("delivered"),
                "attempt_count": literal(attempts),
            },
            source=model.join(EVENTS, EVENTS.c.number > last[EVENTS]),
            where=model.c.number == select(func.min(DELIVERIES.c.number)).scalar_subquery(),
            of=model,
        )
        many = _numbers(attempts)
        fields: dict[str, ColumnElement[object]] = {
            "delivery_number": DELIVERIES.c.number,
            "number": many.c.n,
            "chain": literal(1),
            "trigger": literal("automatic"),
            "started_at": DELIVERIES.c.created_at,
            "duration_ms": literal(3.0),
            "outcome": literal("ok"),
            "status": literal(200),
            "url": DELIVERIES.c.url,
            "response_body": literal(answer, ATTEMPTS.c.response_body.type),
        }
        each = DELIVERIES.join(many, literal(1) == 1)
        rows = select(*fields.values()).select_from(each).where(DELIVERIES.c.number > last[DELIVERIES])
        connection.execute(insert(ATTEMPTS).from_select(list(fields), rows))


def _numbers(count: int) -> FromClause:
    numbers = select(literal(1).label("n")).cte(recursive=True)
    return numbers.union_all(select(numbers.c.n + 1).where(numbers.c.n < count))


def _copy(connection, table, changes, *, source, where, of=None) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Insert the row *where* says once for each row of *source*, with *changes*."""
    columns = (of if of is not None else table).c
    fields = {column.name: columns[column.name] for column in table.c if column.name != "number"} | changes
    connection.execute(
        insert(table).from_select(list(fields), select(*fields.values()).select_from(source).where(where))
    )


EVENTS, DELIVERIES, ATTEMPTS = Event.__table__, Delivery.__table__, Attempt.__table__
