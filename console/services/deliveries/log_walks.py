"""How the log is walked, newest first, so that a page costs the same over a million rows as over a thousand.

A filter that is rare must not be looked for row by row. Planners without statistics (SQLite has none until somebody
asks for them) cannot tell which of several indexes leads to few rows, so the condition that does is left to its index
and the others are written such that no index serves them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, case, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from console.models import ClockStep, Delivery, Event
from console.models.base import Number
from console.services.queries import count_capped

DISORDER = timedelta(minutes=1)
"""Between two steps of the clock, rows get their numbers in the order of their times but for this much.

Transactions overlap, clocks differ, and a clock that is set back by less than half of it has made no step.
"""
FEW = 2000
"""So many rows are looked at one by one within milliseconds."""
MOST_FOUND = 1000
"""So many rows are named by a search; what is found more often is soon met by walking."""
_KNOWN = "log_walks"


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

    It is that of the first row made within ``DISORDER`` before *moment* or later, whatever steps of clocks were noted.
    """
    last = newest(session, model) if last is None else last
    moment = _shifted(moment, -DISORDER)
    for first, end in _stretches(session, model, last=last):
        _, since = _around(session, model, moment, first=first, last=end)
        if since <= end:
            return since
    return last + 1


def last_until(session: Session, model: type[Delivery | Event], moment: datetime, *, last: int | None = None) -> int:
    """Give a number above which no row up to *last* (default: the newest) was made before *moment*; 0 if none was.

    It is that of the last row made earlier than ``DISORDER`` after *moment*, whatever steps of clocks were noted.
    """
    last = newest(session, model) if last is None else last
    moment = _shifted(moment, DISORDER)
    for first, end in reversed(_stretches(session, model, last=last)):
        before, _ = _around(session, model, moment, first=first, last=end)
        if before >= first:
            return before
    return 0


def turn(
    session: Session,
    model: type[Delivery | Event],
    is_beyond: Callable[[InstrumentedAttribute[datetime]], ColumnElement[bool]],
    *,
    first: int,
    last: int,
) -> tuple[int, int]:
    """Give the numbers of the last row that is not beyond and of the first that is, from *first* to *last*.

    ``first - 1`` and ``last + 1`` when there is none. By bisection, as the time of a delivery has no index: all rows
    that are beyond follow those that are not. The database takes all of its steps in one query.
    """
    if last < first:
        return first - 1, last + 1
    longest = 1 << ((last - first + 1).bit_length() - 1)
    begin = select(cast(first - 1, Number).label("at"), cast(longest, Number).label("step"))
    walk = begin.cte("walk", recursive=True)
    next_row = select(~is_beyond(model.created_at)).where(model.number.between(walk.c.at + walk.c.step, last))
    goes_on = next_row.order_by(model.number).limit(1).scalar_subquery()  # null: there is no row
    taken = select(walk.c.at + case((goes_on, walk.c.step), else_=0), walk.c.step // 2)
    walk = walk.union_all(taken.where(walk.c.step > 0))
    beyond = select(func.min(model.number)).where(model.number > walk.c.at, model.number <= last).scalar_subquery()
    at, after = session.execute(select(walk.c.at, beyond).where(walk.c.step == 0)).one()
    return at, last + 1 if after is None else after


def _around(
    session: Session, model: type[Delivery | Event], moment: datetime, *, first: int, last: int
) -> tuple[int, int]:
    """Give the last number of *first* to *last* before *moment* and the first since then, looked up once a page."""
    known: dict[object, tuple[int, int]] = _known(session)
    asked = (model, moment, first, last)
    if asked not in known:
        known[asked] = turn(session, model, lambda made_at: made_at >= moment, first=first, last=last)
    return known[asked]


def _stretches(session: Session, model: type[Delivery | Event], *, last: int) -> list[tuple[int, int]]:
    """Give the first and last numbers of the stretches up to *last* in which times grow with numbers."""
    known = _known(session)
    if model not in known:
        column = ClockStep.event_number if model is Event else ClockStep.delivery_number
        known[model] = sorted(set(session.scalars(select(column))))
    ends = [number for number in known[model] if number < last]
    return list(zip([0, *(number + 1 for number in ends)], [*ends, last], strict=True))


def _known(session: Session) -> dict[object, Any]:
    """Give what this transaction has looked up: a page's list and its count ask for the same, the next may see more."""
    session.connection()  # begins one if there is none
    transaction = session.get_transaction()
    kept = session.info.get(_KNOWN)
    if kept is None or kept[0] is not transaction:
        kept = session.info[_KNOWN] = (transaction, {})
    known: dict[object, Any] = kept[1]
    return known


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """Move a moment, but for one at the end of all time: no row lies beyond it."""
    try:
        return moment + by
    except OverflowError:
        return moment


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


def share_of(session: Session, model: type[Delivery | Event], *, first: int, last: int) -> float:
    """Say which share of the log lies between two numbers, from 0 to 1, gaps where rows were deleted included."""
    return min(max(last - first + 1, 0) / max(newest(session, model), 1), 1.0)
