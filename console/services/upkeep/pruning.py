"""Old events are deleted in steps, each a transaction of a few milliseconds, whatever hangs on an event.

A step looks without a lock at a window of events, oldest first, and deletes those whose deliveries are all over, as
many as make up so many rows and bytes; of an event with more than that it first deletes some deliveries. It goes on
where the step before ended, so that old events which must stay are passed once and not looked at again each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, text

from console.database import dialect_of, read_only
from console.models.base import Moment
from console.services.work import Work

WINDOW = 500
"""Events looked at in a step."""
MOST_ROWS = 1000
"""Events, deliveries and attempts that a transaction deletes."""
MOST_BYTES = 4 * 1024 * 1024
"""Of their payloads and of what receivers answered."""

ALL = 0
"""Stands for the events of all organizations."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where among the events a pass is: everything up to here was deleted or must stay."""

    created_at: datetime
    number: int
    organization: int = ALL
    """Whose events are passed."""


START = Place(datetime.min.replace(tzinfo=UTC), 0)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step did: *events* went, whole; *place* is where to go on, None at the end of what is old enough."""

    events: int
    place: Place | None


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What one transaction deletes: whole events with all their deliveries, or some deliveries of a large one."""

    events: list[int]
    deliveries: list[int]


def _bound(sql: str) -> TextClause:
    return text(sql).bindparams(bindparam("until", type_=Moment()))


# An event stays while one of its deliveries is unfinished or was finished lately (resent, perhaps).
_IS_OVER = """NOT EXISTS (SELECT 1 FROM deliveries AS d
    WHERE d.event_number = e.number AND (d.finished_at IS NULL OR d.finished_at >= :until))"""
_WINDOW = """
SELECT e.number, e.created_at, e.delivery_count, length(e.payload) AS size, e.created_at >= :until AS is_young,
       e.created_at < :until AND NOT e.fanout_pending AND {is_over} AS is_over
FROM (SELECT e.number FROM events AS e WHERE {chosen} ORDER BY {order} LIMIT :window) AS w
JOIN events AS e ON e.number = w.number ORDER BY {order}"""
_OF_ALL = _bound(
    _WINDOW.format(
        is_over=_IS_OVER,
        chosen="e.created_at < :until AND (e.created_at, e.number) > (:at, :number)",
        order="e.created_at, e.number",
    )
)
# An index leads through the events of one organization by number: the order of their moments, nearly.
_OF_ONE = _bound(
    _WINDOW.format(
        is_over=_IS_OVER,
        chosen="e.organization_number = :organization AND e.number > :number",
        order="e.number",
    )
)
_DELIVERIES = text("""
SELECT d.number, d.event_number, d.attempt_count AS attempts, (
    SELECT sum(length(a.response_body)) FROM attempts AS a WHERE a.delivery_number = d.number) AS size
FROM deliveries AS d WHERE d.event_number IN :numbers ORDER BY d.event_number, d.number
LIMIT :most""").bindparams(bindparam("numbers", expanding=True))
# What somebody resends or replays at this very moment would go with its event: PostgreSQL deletes in the end what it
# waited for, whatever became of it. So the rows are locked first and looked at again. SQLite has one writer. Deliveries
# are locked by their own numbers: by those of their events PostgreSQL reads all the table when its statistics are old.
_LOCK_EVENTS, _LOCK_DELIVERIES = (
    text(f"SELECT number FROM {table} WHERE number IN :numbers ORDER BY number FOR UPDATE").bindparams(  # noqa: S608
        bindparam("numbers", expanding=True)
    )
    for table in ("events", "deliveries")
)
# A value, event by event, for the same reason: NOT EXISTS may become a join that reads the whole table.
_DELETE_EVENTS = _bound("""
DELETE FROM events AS e WHERE e.number IN :numbers AND (
    SELECT 1 FROM deliveries AS d
    WHERE d.event_number = e.number AND (d.finished_at IS NULL OR d.finished_at >= :until)
    LIMIT 1) IS NULL""").bindparams(bindparam("numbers", expanding=True))
_DELETE_DELIVERIES = _bound(
    "DELETE FROM deliveries WHERE number IN :numbers AND finished_at < :until AND state <> 'sending'"
).bindparams(bindparam("numbers", expanding=True))


def step(work: Work, *, until: datetime, place: Place) -> Step:
    """Delete a few events that ended before *until*, looking on from *place*."""
    with read_only():
        window = _look(work, until=until, place=place)
        over = [row for row in window if row.is_over]
        chosen = _choose(work, over) if over else _Chosen([], [])
        work.session.rollback()
    count = _delete(work, chosen, until=until) if over else 0
    gone = set(chosen.events)
    left = [row for row in over if row.number not in gone]
    if left:
        return Step(count, replace(place, created_at=left[0].created_at, number=left[0].number - 1))
    if len(window) < WINDOW or window[-1].is_young:
        return Step(count, None)
    return Step(count, replace(place, created_at=window[-1].created_at, number=window[-1].number))


def _look(work: Work, *, until: datetime, place: Place) -> Sequence[Row[Any]]:
    """Read the events next to *place*, those of one organization up to the first window that has young ones."""
    where = {"number": place.number, "until": until, "window": WINDOW}
    if place.organization == ALL:
        statement = _OF_ALL.bindparams(bindparam("at", type_=Moment()))
        where["at"] = place.created_at
    else:
        statement = _OF_ONE
        where["organization"] = place.organization
    return work.session.execute(statement.columns(created_at=Moment()), where).all()


def _choose(work: Work, over: Sequence[Row[Any]]) -> _Chosen:
    """Choose the first of these events, as many as a transaction may delete, or some deliveries of the very first."""
    first = sorted(_within(over), key=lambda event: event.number)
    parameters = {"numbers": [event.number for event in first], "most": MOST_ROWS}
    found = work.session.execute(_DELIVERIES, parameters).all()
    of_event = {number: list(rows) for number, rows in groupby(found, key=lambda row: row.event_number)}
    is_cut = len(found) == MOST_ROWS
    rows = size = 0
    events: list[int] = []
    for event in first:
        deliveries = of_event.get(event.number, [])
        rows += 1 + sum(1 + one.attempts for one in deliveries)
        size += event.size + sum(one.size or 0 for one in deliveries)
        is_known = not is_cut or event.number < found[-1].event_number
        is_small = rows <= MOST_ROWS and size <= MOST_BYTES
        if not is_known or not (is_small or (not events and len(deliveries) < 2)):  # noqa: PLR2004 one cannot be split
            break
        events.append(event.number)
    whole = [one.number for number in events for one in of_event.get(number, [])]
    return _Chosen(events, whole if events else _some(of_event.get(first[0].number, [])))


def _within(over: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Give the first events, as many as may go at once by what they count as deliveries; one at least."""
    rows = 0
    for index, event in enumerate(over):
        rows += 1 + event.delivery_count
        if rows > MOST_ROWS and index:
            return over[:index]
    return over


def _some(deliveries: Sequence[Row[Any]]) -> list[int]:
    """Give the first of these, as many as may go at once; one at least."""
    rows = size = 0
    for index, one in enumerate(deliveries):
        rows, size = rows + 1 + one.attempts, size + (one.size or 0)
        if index and (rows > MOST_ROWS or size > MOST_BYTES):
            return [row.number for row in deliveries[:index]]
    return [row.number for row in deliveries]


def _delete(work: Work, chosen: _Chosen, *, until: datetime) -> int:
    """Delete what was chosen if it is still over; give the number of events that went."""
    with work.transaction():
        if not chosen.events:
            work.session.execute(_DELETE_DELIVERIES, {"numbers": chosen.deliveries, "until": until})
            return 0
        if dialect_of(work.session) == "postgresql":
            work.session.execute(_LOCK_EVENTS, {"numbers": chosen.events})
            work.session.execute(_LOCK_DELIVERIES, {"numbers": chosen.deliveries})
        result = work.session.execute(_DELETE_EVENTS, {"numbers": chosen.events, "until": until})
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives
