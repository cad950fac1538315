"""The rows that a batch of results becomes: attempts completed, deliveries changed, roll-ups counted."""

from __future__ import annotations

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Table, Text, TextClause, bindparam, case, func, or_, text, update
from sqlalchemy.dialects import postgresql

from console.database import dialect_of
from console.models import Attempt, Delivery, HookHour
from console.services.queries import insert_into, listing
from console.services.work import Work

_attempts: Table = Attempt.__table__  # type: ignore[assignment]  # a Table, as of every mapped class
_deliveries: Table = Delivery.__table__  # type: ignore[assignment]
_hours: Table = HookHour.__table__  # type: ignore[assignment]


@dataclass(slots=True)
class Rows:
    """What is to be written of a batch.

    *attempts* are ours, *late_attempts* those whose claim was lost; *delivered* are numbers of deliveries that ended
    with their claim, *changes* all other new states; the open attempts of *overtaken* ones end with them. *hours*
    counts by hook, hour, class of status and bucket of duration.
    """

    attempts: list[dict[str, Any]] = field(default_factory=list)
    late_attempts: list[dict[str, Any]] = field(default_factory=list)
    delivered: list[int] = field(default_factory=list)
    overtaken: list[int] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    hours: Counter[tuple[int, datetime, str, int]] = field(default_factory=Counter)


@lru_cache
def _complete() -> Any:
    """Build the statement that completes attempts on SQLite: their rows are there since the claim, so it updates.

    RETURNING makes SQLAlchemy send all rows as one statement. Row by row, each would give the interpreter's lock away
    and queue behind all sender threads to get it back, with the database locked meanwhile.
    """
    insert = insert_into("sqlite", _attempts)
    return insert.on_conflict_do_update(
        index_elements=[_attempts.c.delivery_number, _attempts.c.number],
        set_={column.name: insert.excluded[column.name] for column in _COMPLETED},
    ).returning(_attempts.c.number)


@lru_cache
def _complete_from_json() -> TextClause:
    """Build the same for PostgreSQL, which takes all rows as one parameter.

    With a parameter for each value the driver took apart, and the server parsed, a statement of a thousand of them.
    """
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy annotates it not
    kinds = {column.name: column.type.compile(dialect) for column in _attempts.c}
    given = ", ".join(f"{name} {'TEXT' if kind in _AS_TEXT else kind}" for name, kind in kinds.items())
    values = ", ".join(_AS_TEXT.get(kind, "{name}").format(name=name) for name, kind in kinds.items())
    changes = ", ".join(f"{column.name} = excluded.{column.name}" for column in _COMPLETED)
    return text(f"""
    INSERT INTO attempts ({", ".join(kinds)}) SELECT {values} FROM json_to_recordset(:rows) AS given ({given})
    ON CONFLICT (delivery_number, number) DO UPDATE SET {changes}""").bindparams(bindparam("rows", type_=JSON()))  # noqa: S608 names of columns


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Give an attempt as JSON can say it."""
    body = row["response_body"]
    return {
        **row,
        **{name: None if row[name] is None else json.dumps(row[name]) for name in _JSON_COLUMNS},
        "started_at": row["started_at"].isoformat(),
        "response_body": None if body is None else b64encode(body).decode(),
    }


@lru_cache
def _add_up(dialect: str) -> Any:
    insert = insert_into(dialect, _hours)
    return insert.on_conflict_do_update(
        index_elements=list(_hours.primary_key.columns), set_={"count": _hours.c.count + insert.excluded["count"]}
    ).returning(_hours.c.count)


# PostgreSQL refuses a NUL in what it takes apart, and a receiver may send one: text of JSON it takes as it is.
_AS_TEXT = {"BYTEA": "decode({name}, 'base64')", "JSON": "{name}::json"}
_JSON_COLUMNS = [column.name for column in _attempts.c if isinstance(column.type, JSON)]
_COMPLETED = [column for column in _attempts.c if not column.primary_key]
_OVERDUE = (
    update(_attempts)
    .where(
        _attempts.c.delivery_number == bindparam("the_delivery"),
        _attempts.c.number == bindparam("the_number"),
        _attempts.c.outcome.is_(None),
    )
    .values({column.name: bindparam(column.name) for column in _COMPLETED})
)
# Whoever sends it meanwhile has lost its claim and may die before it has an outcome: nobody would look for it then.
_OVERTAKE = """
UPDATE attempts SET outcome = 'interrupted', error = :error
WHERE delivery_number IN :numbers AND outcome IS NULL"""
OVERTAKEN_WORDS = "An earlier attempt was answered with a 2xx while this one was under way."
_CHANGED = (
    "state",
    "chain_failures",
    "next_attempt_at",
    "waiting_reason",
    "finished_at",
    "modified_at",
    "last_status",
    "last_outcome",
    "last_duration_ms",
    "url",
)
_LONGEST_BAD_ANSWERS = 200
"""Characters: fifty different ones; a receiver may make up more."""
_BAD_ANSWER, _BAD_ANSWERS = bindparam("bad_answer", type_=Text), func.coalesce(_deliveries.c.bad_answers, ",")
_IS_KNOWN = or_(
    _BAD_ANSWER.is_(None),
    _BAD_ANSWERS.contains("," + _BAD_ANSWER + ","),
    func.length(_BAD_ANSWERS) > _LONGEST_BAD_ANSWERS,
)
_CHANGE = (
    update(_deliveries)
    .where(_deliveries.c.number == bindparam("delivery"))
    .values({name: bindparam(name) for name in _CHANGED})
    .values(claimed_by=None, interrupted=0, cancel_requested=False)
    .values(bad_answers=case((_IS_KNOWN, _deliveries.c.bad_answers), else_=_BAD_ANSWERS + _BAD_ANSWER + ","))
)
_DELIVERED = """
UPDATE deliveries SET state = 'delivered', claimed_by = NULL, next_attempt_at = NULL, waiting_reason = NULL,
       interrupted = 0, cancel_requested = false, finished_at = :now, modified_at = :now, last_outcome = 'ok',
       (last_status, last_duration_ms, url) = (
           SELECT a.status, a.duration_ms, a.url FROM attempts AS a
           WHERE a.delivery_number = deliveries.number AND a.number = deliveries.attempt_count)
WHERE number IN :numbers"""


def write(work: Work, rows: Rows) -> None:
    """Write attempts and deliveries, inside the caller's transaction."""
    connection, dialect = work.session.connection(), dialect_of(work.session)
    if rows.attempts:
        if dialect == "postgresql":
            connection.execute(_complete_from_json(), {"rows": [_plain(row) for row in rows.attempts]})
        else:
            connection.execute(_complete(), rows.attempts)
    if rows.late_attempts:
        late = [
            {**row, "the_delivery": row["delivery_number"], "the_number": row["number"]} for row in rows.late_attempts
        ]
        connection.execute(_OVERDUE, late)
    if rows.delivered:
        connection.execute(listing(dialect, _DELIVERED), {"numbers": rows.delivered, "now": work.now()})
    if rows.changes:
        connection.execute(_CHANGE, rows.changes)
    if rows.overtaken:
        connection.execute(listing(dialect, _OVERTAKE), {"numbers": rows.overtaken, "error": OVERTAKEN_WORDS})


def count(work: Work, rows: Rows, *, organizations: Mapping[int, int]) -> None:
    """Add to the roll-ups of hooks, whose *organizations* are given by number, inside the caller's transaction."""
    added = [
        {
            "hook_number": hook,
            "hour": hour,
            "status_class": status,
            "bucket": bucket,
            "organization_number": organizations[hook],
            "count": count,
        }
        for (hook, hour, status, bucket), count in sorted(rows.hours.items())
    ]
    if added:
        work.session.connection().execute(_add_up(dialect_of(work.session)), added)
