"""Events that hooks have missed: which of a replay's there are no deliveries of, and whether a hook wants them now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, exists, select

from console.core.rules import Occurrence, Rule, refusal
from console.models import Delivery, Event
from console.services.events.judging import PAGE_S, Budget, Reader
from console.services.events.matching import Listener, groups_by_type, listeners
from console.services.replays.selection import Scope, of_types
from console.services.work import Work

MOST_TYPES = 100
"""A condition on more event types than this is left to Python."""
PAYLOADS_AT_ONCE = 32
"""At most 8 MiB of them."""


@dataclass(frozen=True, slots=True)
class Missed:
    """What a hook has missed of the events that were looked at, above *after* and up to *last*.

    *rows* are number and type of those it wants, *refused* the numbers of those that only its filter refuses.
    """

    rows: tuple[tuple[int, str], ...]
    refused: tuple[int, ...]
    after: int
    last: int
    has_more: bool

    def first(self, limit: int) -> Missed:
        """Give the first *limit* of them."""
        if len(self.rows) <= limit:
            return self
        rows = self.rows[:limit]
        last = rows[-1][0] if rows else self.after
        refused = tuple(number for number in self.refused if number <= last)
        return Missed(rows, refused, self.after, last, has_more=True)


def targets(work: Work, scope: Scope) -> list[Listener]:
    """Give the hooks that may get events which they missed."""
    return [
        hook
        for hook in listeners(work, organization_number=scope.organization_number)
        if scope.hook_number in (None, hook.number) and (hook.is_active or scope.reaches_disabled)
    ]


def events_of(
    scope: Scope, *, types: Collection[str] = (), after: int = 0, limit: int | None = None
) -> Select[int, str, str | None]:
    """Select number, type and source of the events that a scope covers, oldest first, with a number above *after*.

    An event that was published to one hook alone is missing nowhere else, and a large fan-out that is not finished yet
    will make its deliveries itself.
    """
    query = select(Event.number, Event.type, Event.source).where(
        Event.organization_number == scope.organization_number,
        Event.number.between(max(scope.reach.first_event, after + 1), scope.reach.last_event),
        Event.is_test.is_(False),
        Event.is_direct.is_(False),
        Event.fanout_pending.is_(False),
        of_types(Event.type, scope),
    )
    if scope.since is not None:
        query = query.where(Event.created_at >= scope.since)
    if scope.until is not None:
        query = query.where(Event.created_at < scope.until)
    if types and len(types) <= MOST_TYPES:
        query = query.where(Event.type.in_(types))
    return query if limit is None else query.order_by(Event.number).limit(limit)


def has_none(event_number: Any, hook: Listener) -> ColumnElement[bool]:
    """Match events of which a hook has no delivery."""
    return ~exists().where(Delivery.event_number == event_number, Delivery.hook_number == hook.number)


def missed(
    work: Work, scope: Scope, hook: Listener, *, after: int, look_at: int, budget: Budget | None = None
) -> Missed:
    """Look at *look_at* events above *after*: filters may take long, so no write lock may be held.

    Fewer are looked at when *budget* (``PAGE_S`` if there is none) is spent on the filter.
    """
    budget = budget or Budget(PAGE_S)
    window = events_of(scope, after=after, limit=look_at).subquery()
    columns = (window.c.number, window.c.type, window.c.source, has_none(window.c.number, hook).label("has_none"))
    looked = work.session.execute(select(*columns).order_by(window.c.number)).all()
    candidates = [row for row in looked if row.has_none]
    groups = groups_by_type(work, organization_number=scope.organization_number, names=[row.type for row in candidates])
    rows, refused = [], []
    last, has_more = looked[-1].number if looked else after, len(looked) == look_at
    for row, payload in _with_payloads(work, hook, candidates):
        if budget.is_spent:
            last, has_more = row.number - 1, True
            break
        with budget.spending():
            occurrence = Occurrence(row.type, groups[row.type], row.source, Reader(payload))
            reason = refusal(hook.subscription, occurrence)
        if reason is None:
            rows.append((row.number, row.type))
        elif reason is Rule.FILTER:
            refused.append(row.number)
    return Missed(tuple(rows), tuple(refused), after, last, has_more=has_more)


def _with_payloads(work: Work, hook: Listener, candidates: Sequence[Row[Any]]) -> Iterator[tuple[Row[Any], bytes]]:
    """Pair events with their payloads where there is a filter to ask them, a few at a time.

    All of them at once may be a thousand times the longest payload, a quarter of a GiB.
    """
    if hook.subscription.filter is None:
        yield from ((row, b"") for row in candidates)
        return
    for start in range(0, len(candidates), PAYLOADS_AT_ONCE):
        some = candidates[start : start + PAYLOADS_AT_ONCE]
        query = select(Event.number, Event.payload).where(Event.number.in_([row.number for row in some]))
        payloads = {row.number: row.payload for row in work.session.execute(query).all()}
        yield from ((row, payloads.get(row.number, b"")) for row in some)
