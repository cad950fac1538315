"""How the log is walked, newest first, so that a page costs the same over a million rows as over a thousand.

A filter that is rare must not be looked for row by row. Planners without statistics (SQLite has none until somebody
asks for them) cannot tell which of several indexes leads to few rows, so the condition that does is left to its index
and the others are written such that no index serves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from console.core.ids import uuid7
from console.models import Delivery, Event
from console.services.queries import count_capped

DISORDER = timedelta(minutes=1)
"""Rows get their numbers in the order of their times, but for this much: transactions overlap, clocks differ."""
FEW = 2000
"""So many rows are looked at one by one within milliseconds."""
MOST_MOMENTS = 16
"""So many moments a session remembers the numbers of; workers' sessions live for long."""
MOST_FOUND = 1000
"""So many rows are named by a search; what is found more often is soon met by walking."""
NEAREST = 500
"""So many rows next to the end of a period, in the order of their times, are looked at for numbers out of order."""


def unindexed(column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """Write a column of numbers or text such that no index on it is used."""
    return column.concat("") if isinstance(column.type, String) else column + 0


def is_few(session: Session, query: Select[Any], *, cap: int = FEW) -> bool:
    """Say whether *query*, which an index serves, finds so few rows that they can be looked at one by one."""
    return count_capped(session, query, cap=cap) < cap


def some(session: Session, query: Select[Any], order: InstrumentedAttribute[Any]) -> list[int]:
    """Give the numbers that *query* finds in the order of its index, but no more than one beyond ``MOST_FOUND``."""
    return list(session.scalars(query.order_by(order.desc()).limit(MOST_FOUND + 1)))


def first_since(session: Session, model: type[Delivery | Event], moment: datetime, *, last: int | None = None) -> int:
    """Give a number below which no row was made at *moment* or later; one beyond *last* (default: the newest) if none.

    Of rows that a clock dated which was ahead and was set back since, those nearest after *moment* count.
    """
    after = select(model.number).where(model.id >= _id_of(moment - DISORDER)).order_by(model.id).limit(NEAREST)
    first = _lowest_since(session, model, moment - DISORDER, last=newest(session, model) if last is None else last)
    found = session.scalar(select(func.min(after.subquery().c.number)))
    return first if found is None else min(first, found)


def last_until(session: Session, model: type[Delivery | Event], moment: datetime, *, last: int | None = None) -> int:
    """Give a number above which no row up to *last* (default: the newest) was made before *moment*.

    Of rows that a clock dated which had been ahead before and was set back, those nearest before *moment* count.
    """
    last = newest(session, model) if last is None else last
    before = select(model.number).where(model.id < _id_of(moment + DISORDER)).order_by(model.id.desc()).limit(NEAREST)
    found = session.scalar(select(func.max(before.subquery().c.number))) or 0
    return min(last, max(_lowest_since(session, model, moment + DISORDER, last=last) - 1, found))


def _lowest_since(session: Session, model: type[Delivery | Event], moment: datetime, *, last: int) -> int:
    """Look it up once a session, which is as long as a page: its list and its count ask for the same moment."""
    known: dict[tuple[object, ...], int] = session.info.setdefault("lowest_since", {})
    asked = (model, moment, last)
    if asked not in known:
        if len(known) >= MOST_MOMENTS:
            known.clear()
        known[asked] = _bisected(session, model, moment, last=last)
    return known[asked]


def _bisected(session: Session, model: type[Delivery | Event], moment: datetime, *, last: int) -> int:
    """Look by bisection: there is no index on the time of a delivery, and its number grows with it, mostly."""
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        query = select(model.number, model.created_at).where(model.number >= middle).order_by(model.number).limit(1)
        row = session.execute(query).first()
        if row is None or row.created_at >= moment:
            high = middle
        else:
            low = row.number + 1
    return low


def _id_of(moment: datetime) -> UUID:
    """Give the smallest id of a row made at *moment*: the order of ids is that of their times (UUIDv7)."""
    return uuid7(moment, bytes(10))


def newest(session: Session, model: type[Delivery | Event]) -> int:
    """Give the largest number there is."""
    return session.scalar(select(func.max(model.number))) or 0


def within(
    session: Session, model: type[Delivery | Event], *, since: datetime | None, until: datetime | None
) -> Sequence[ColumnElement[bool]]:
    """Give the conditions of a period: exact ones on the time, and roomy ones on the number, which have an index."""
    found: list[ColumnElement[bool]] = []
    if since is not None:
        found += [model.created_at >= since, model.number >= first_since(session, model, since)]
    if until is not None:
        found += [model.created_at < until, model.number <= last_until(session, model, until)]
    return found
