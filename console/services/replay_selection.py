"""What a replay covers: deliveries that are sent again, events that a hook missed, and what is left out and why.

Tests are never replayed. Where the log's own filters narrow a replay (a state, an answer, a search), it covers
deliveries only: an event without one has nothing that they could be asked of.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal_column, or_, select, true

from console.models import Delivery, DeliveryState, Event, Hook, Replay, Which
from console.services import deliveries
from console.services.deliveries import DeliveryFilter
from console.services.matching import Listener, groups_by_type, listeners
from console.services.work import Work

DISORDER = timedelta(minutes=1)
"""Rows get their numbers in the order of their times, but for this much: transactions overlap, clocks differ."""
MOST_TYPES = 100
"""A condition on more event types than this is left to Python."""

_NOT_DELIVERED = Delivery.state != literal_column("'delivered'")  # as the partial index says it
_WAITING = (DeliveryState.PENDING, DeliveryState.SENDING)
NOTHING_MORE = DeliveryFilter()


class Skip(StrEnum):
    """Why something that matches is not sent."""

    WAITING = "waiting"
    IN_REPLAY = "in_replay"
    DISABLED = "disabled"
    DELETED = "deleted"
    CHANGED = "changed"


SKIP_WORDS: Mapping[Skip, str] = {
    Skip.WAITING: "waiting for an attempt already",
    Skip.IN_REPLAY: "in a replay that is not over",
    Skip.DISABLED: "of a disabled hook",
    Skip.DELETED: "of a deleted hook",
    Skip.CHANGED: "changed meanwhile",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where deliveries and events of a period lie: none outside these numbers needs to be looked at."""

    first_delivery: int = 0
    last_delivery: int = 0
    first_event: int = 0
    last_event: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is to be replayed; None and empty mean any.

    *since* and *until* bound when a delivery, or for a missing one its event, was made. *narrowed* are further filters
    of the log. *reaches_disabled*: the hook was named although it was disabled, so it gets its deliveries nonetheless.
    """

    organization_number: int
    which: Which
    hook_number: int | None = None
    event_types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    narrowed: DeliveryFilter = NOTHING_MORE
    reaches_disabled: bool = False
    reach: Reach = field(default_factory=Reach)

    @property
    def covers_missing(self) -> bool:
        """Whether events without a delivery belong to it."""
        return self.which is not Which.FAILED and self.narrowed == NOTHING_MORE

    def may_send_to(self, hook: Hook) -> bool:
        """Say whether a hook gets anything of it as the hook is now."""
        return hook.deleted_at is None and (hook.is_active or self.reaches_disabled)


def scope_of(row: Replay) -> Scope:
    """Read what a replay covers from its row."""
    narrowed = dict(row.narrowed)
    states = tuple(DeliveryState(state) for state in narrowed.pop("states", ()))
    return Scope(
        organization_number=row.organization_number,
        which=Which(row.which),
        hook_number=row.hook_number,
        event_types=tuple(row.event_types),
        since=row.since,
        until=row.until,
        narrowed=DeliveryFilter(states=states, **narrowed),
        reaches_disabled=row.reaches_disabled,
        reach=Reach(row.first_delivery, row.last_delivery, row.first_event, row.last_event),
    )


def narrowing(wanted: DeliveryFilter) -> dict[str, Any]:
    """Write further filters for the row; ``scope_of`` reads them back."""
    return {name: value for name, value in asdict(wanted).items() if value not in (None, ())}


# --- where to look --------------------------------------------------------------------------------------------------


def reach_of(work: Work, scope: Scope) -> Reach:
    """Find where the deliveries and events of a scope lie, among those that are there now.

    By bisection: there is no index on the time of a delivery, and its number grows with it.
    """
    first_delivery, last_delivery = _span(work, Delivery, scope)
    first_event, last_event = _span(work, Event, scope)
    return Reach(first_delivery, last_delivery, first_event, last_event)


def _span(work: Work, model: type[Delivery | Event], scope: Scope) -> tuple[int, int]:
    last = work.session.scalar(select(func.max(model.number))) or 0
    first = 0 if scope.since is None else _bisect(work, model, scope.since - DISORDER, last=last)
    if scope.until is not None:
        last = _bisect(work, model, scope.until + DISORDER, last=last)
    return first, last


def _bisect(work: Work, model: type[Delivery | Event], moment: datetime, *, last: int) -> int:
    """Give the number of the first row made at *moment* or later, or one beyond *last*."""
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        query = select(model.number, model.created_at).where(model.number >= middle).order_by(model.number).limit(1)
        row = work.session.execute(query).first()
        if row is None or row.created_at >= moment:
            high = middle
        else:
            low = row.number + 1
    return low


# --- deliveries -----------------------------------------------------------------------------------------------------


def in_scope(query: Select[Any], scope: Scope) -> Select[Any]:
    """Add the conditions on deliveries that a scope has whatever their state is."""
    wanted = replace(scope.narrowed, hook_number=scope.hook_number, since=scope.since, until=scope.until)
    query = deliveries.filtered(query, organization_number=scope.organization_number, wanted=wanted)
    return query.where(
        Delivery.number.between(scope.reach.first_delivery, scope.reach.last_delivery),
        Delivery.is_test.is_(False),
        _of_types(Delivery.event_type, scope),
    )


def _of_types(column: Any, scope: Scope) -> ColumnElement[bool]:
    if not scope.event_types:
        return true()
    wanted = enumerate(scope.event_types)
    return or_(*(deliveries.of_type(column, name, field=f"event_types/{place}") for place, name in wanted))


def sendable(which: Which) -> ColumnElement[bool]:
    """Match the deliveries that a replay sends again."""
    if which is Which.FAILED:
        return and_(_NOT_DELIVERED, Delivery.state == DeliveryState.FAILED)
    if which is Which.MISSING:
        states = (DeliveryState.HELD, DeliveryState.CANCELED)
        return and_(_NOT_DELIVERED, Delivery.state.in_(states), Delivery.attempt_count == 0)
    return Delivery.state.not_in(_WAITING)


def in_a_replay(scope: Scope) -> ColumnElement[bool]:
    """Match deliveries that a replay which is not over has queued, this one included: it takes none twice."""
    unfinished = select(Replay.number).where(
        Replay.organization_number == scope.organization_number, Replay.finished_at.is_(None)
    )
    return and_(Delivery.replay_number.is_not(None), Delivery.replay_number.in_(unfinished))


def _relevant(which: Which) -> ColumnElement[bool]:
    """Match what is sent, and what would be if it did not wait already."""
    if which is Which.FAILED:
        return sendable(which)
    if which is Which.MISSING:
        waiting = and_(_NOT_DELIVERED, Delivery.state == DeliveryState.PENDING, Delivery.attempt_count == 0)
        return or_(sendable(which), waiting)
    return true()


# --- counting -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Share:
    """What a replay would do for one hook: deliveries to send, and how many are left out for each reason."""

    hook: Hook
    to_send: int
    skips: Mapping[Skip, int]

    @property
    def skipped(self) -> int:
        """How many are left out."""
        return sum(self.skips.values())


def shares_of(work: Work, scope: Scope, *, cap: int | None = None) -> tuple[list[Share], bool]:
    """Count what a scope covers, hook by hook, most to send first; True: counting stopped at about *cap* rows."""
    to_send: Counter[int] = Counter()
    skips: dict[int, Counter[Skip]] = defaultdict(Counter)
    examined = 0
    for hook_number, state, is_taken, count in _counted_deliveries(work, scope, cap=cap):
        examined += count
        if state in _WAITING:
            skips[hook_number][Skip.WAITING] += count
        elif is_taken:
            skips[hook_number][Skip.IN_REPLAY] += count
        else:
            to_send[hook_number] += count
    is_capped = cap is not None and examined >= cap
    if scope.covers_missing:
        is_capped = _add_missed(work, scope, to_send, cap=cap) or is_capped
    hooks = {
        hook.number: hook
        for hook in work.session.scalars(
            select(Hook).where(
                Hook.organization_number == scope.organization_number, Hook.number.in_({*to_send, *skips})
            )
        )
    }
    shares = [_share(scope, hook, to_send[number], skips[number]) for number, hook in hooks.items()]
    return sorted(shares, key=lambda share: (-share.to_send, share.hook.number)), is_capped


def _share(scope: Scope, hook: Hook, to_send: int, skips: Counter[Skip]) -> Share:
    if to_send and not scope.may_send_to(hook):
        skips[Skip.DELETED if hook.deleted_at is not None else Skip.DISABLED] += to_send
        to_send = 0
    return Share(hook, to_send, dict(skips))


def _counted_deliveries(work: Work, scope: Scope, *, cap: int | None) -> Iterable[Any]:
    is_taken = in_a_replay(scope).label("is_taken")
    rows = in_scope(select(Delivery.number), scope).where(_relevant(scope.which))
    rows = rows.with_only_columns(Delivery.hook_number, Delivery.state, is_taken)  # type: ignore[assignment]  # a select
    found = (rows if cap is None else rows.limit(cap)).subquery()
    groups = (found.c.hook_number, found.c.state, found.c.is_taken)
    return work.session.execute(select(*groups, func.count()).group_by(*groups)).all()


def _add_missed(work: Work, scope: Scope, to_send: Counter[int], *, cap: int | None) -> bool:
    """Add the events that hooks have missed; True: not all were looked at."""
    hooks = targets(work, scope)
    limit = None if cap is None else max(cap // max(len(hooks), 1), 1_000)
    types = _types_in(work, scope, cap=cap)
    groups = groups_by_type(
        work, organization_number=scope.organization_number, names=list({name for name, _ in types})
    )
    is_capped = False
    for hook in hooks:
        wanted = {(name, source) for name, source in types if wants(hook, name, source=source, groups=groups)}
        if not wanted:
            continue
        window = events_of(scope, types={name for name, _ in wanted}, limit=limit).subquery()
        rows = work.session.execute(
            select(window.c.type, window.c.source, func.count())
            .where(_has_none(window.c.number, hook))
            .group_by(window.c.type, window.c.source)
        )
        to_send[hook.number] += sum(count for name, source, count in rows if (name, source) in wanted)
        if limit is not None:
            is_capped = is_capped or _is_full(work, window, limit)
    return is_capped


def _is_full(work: Work, window: Any, limit: int) -> bool:
    return bool((work.session.scalar(select(func.count()).select_from(window)) or 0) >= limit)


# --- events that were missed ----------------------------------------------------------------------------------------


def targets(work: Work, scope: Scope) -> list[Listener]:
    """Give the hooks that may get events which they missed."""
    return [
        hook
        for hook in listeners(work, organization_number=scope.organization_number)
        if scope.hook_number in (None, hook.number) and (hook.is_active or scope.reaches_disabled)
    ]


def wants(hook: Listener, name: str, *, source: str | None, groups: Mapping[str, tuple[str, ...]]) -> bool:
    """Say whether a hook, as it is now, wants events of a type and source."""
    return hook.subscription.reason_against(event_type=name, groups=groups[name], source=source) is None


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
        _of_types(Event.type, scope),
    )
    if scope.since is not None:
        query = query.where(Event.created_at >= scope.since)
    if scope.until is not None:
        query = query.where(Event.created_at < scope.until)
    if types and len(types) <= MOST_TYPES:
        query = query.where(Event.type.in_(types))
    return query if limit is None else query.order_by(Event.number).limit(limit)


def _types_in(work: Work, scope: Scope, *, cap: int | None) -> list[tuple[str, str | None]]:
    window = events_of(scope, limit=cap).subquery()
    return [(name, source) for name, source in work.session.execute(select(window.c.type, window.c.source).distinct())]


def _has_none(event_number: Any, hook: Listener) -> ColumnElement[bool]:
    return ~exists().where(Delivery.event_number == event_number, Delivery.hook_number == hook.number)


def missed(
    work: Work, scope: Scope, hook: Listener, *, after: int, look_at: int, limit: int
) -> tuple[list[tuple[int, str]], int, bool]:
    """Give number and type of up to *limit* events that a hook has missed, looking at *look_at* events above *after*.

    Beside them the number up to which was looked, and whether there is more.
    """
    window = events_of(scope, after=after, limit=look_at).subquery()
    has_none = _has_none(window.c.number, hook).label("has_none")
    rows = work.session.execute(
        select(window.c.number, window.c.type, window.c.source, has_none).order_by(window.c.number)
    ).all()
    candidates = [row for row in rows if row.has_none]
    groups = groups_by_type(
        work, organization_number=scope.organization_number, names=list({row.type for row in candidates})
    )
    found = [row for row in candidates if wants(hook, row.type, source=row.source, groups=groups)]
    if len(found) > limit:
        found = found[:limit]
        return [(row.number, row.type) for row in found], found[-1].number, True
    last = rows[-1].number if rows else after
    return [(row.number, row.type) for row in found], last, len(rows) == look_at
