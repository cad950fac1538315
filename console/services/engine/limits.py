"""Rate limits: a hook's virtual schedule says when it may send next; claiming moves it on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Table
from sqlalchemy.sql.selectable import TextualSelect

from console.database import dialect_of
from console.models import HookState
from console.models.base import Moment
from console.services.queries import listing
from console.services.work import Work

_states: Table = HookState.__table__  # type: ignore[assignment]  # a Table, as of every mapped class

CATCH_UP = timedelta(milliseconds=250)
"""How far a rate limit's schedule may lag behind and be caught up at once."""


def interval_of(rate_limit: Mapping[str, float]) -> timedelta:
    """Give the time between two attempts at the pace of a rate limit; a hook's next one is never further ahead."""
    return timedelta(seconds=rate_limit["seconds"] / rate_limit["count"])


def start_of(next_send_at: datetime | None, now: datetime) -> datetime:
    """Give where a schedule begins: what was not sent for longer than CATCH_UP is not made good at once."""
    return now if next_send_at is None else max(next_send_at, now - CATCH_UP)


@lru_cache
def _schedules(dialect: str) -> TextualSelect:
    lock = "FOR UPDATE" if dialect == "postgresql" else ""
    return listing(
        dialect,
        f"SELECT hook_number, next_send_at FROM hook_states WHERE hook_number IN :hooks ORDER BY hook_number {lock}",  # noqa: S608 a constant
    ).columns(next_send_at=Moment())


def lock(work: Work, hooks: Sequence[int]) -> dict[int, datetime]:
    """Give where the schedules of *hooks* begin, inside the caller's transaction, in which nobody else can move them.

    Standings are locked before deliveries, as when results are recorded: in another order each could wait for the
    other. Two workers that hold turns of one hook would otherwise go by one schedule, and send twice as much.
    """
    found = work.session.execute(_schedules(dialect_of(work.session)), {"hooks": hooks})
    return {row.hook_number: start_of(row.next_send_at, work.now()) for row in found.all()}


def advance(work: Work, hook_number: int, *, to: datetime) -> None:
    """Move the schedule of a hook on to its next free moment, inside the caller's transaction."""
    work.session.execute(_states.update().where(_states.c.hook_number == hook_number).values(next_send_at=to))
