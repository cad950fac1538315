"""What a replay covers: its scope, where in the log that lies, which deliveries are sent again, and what is left out.

Tests are never replayed. Where the log's own filters narrow a replay (a state, an answer, a search), it covers
deliveries only: an event without one has nothing that they could be asked of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select, true

from console.models import Delivery, DeliveryState, Event, Hook, Replay, Which
from console.services.deliveries import delivery_filters
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.deliveries.log_walks import first_since, last_until, newest
from console.services.work import Work

_NOT_DELIVERED = Delivery.state != literal_column("'delivered'")  # as the partial index says it
_UNSENT = (DeliveryState.HELD, DeliveryState.CANCELED)
WAITING_STATES = (DeliveryState.PENDING, DeliveryState.SENDING)
NOTHING_MORE = DeliveryFilter()


class Skip(StrEnum):
    """Why something that matches is not sent."""

    WAITING = "waiting"
    IN_REPLAY = "in_replay"
    DISABLED = "disabled"
    DELETED = "deleted"
    FILTERED = "filtered"
    CHANGED = "changed"


SKIP_WORDS: Mapping[Skip, str] = {
    Skip.WAITING: "waiting for an attempt already",
    Skip.IN_REPLAY: "in a replay that is not over",
    Skip.DISABLED: "of a disabled hook",
    Skip.DELETED: "of a deleted hook",
    Skip.FILTERED: "not let through by the hook's filter",
    Skip.CHANGED: "changed meanwhile",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """Where deliveries and events of a period lie: none outside these numbers needs to be looked at."""

    first_delivery: int = 0
    last_delivery: int = 0
    first_event: int = 0
    last_event: int = 0

    def until(self, up_to: tuple[int, int] | None) -> Reach:
        """Leave out what is newer than that delivery and that event."""
        if up_to is None:
            return self
        delivery, event = up_to
        return replace(self, last_delivery=min(self.last_delivery, delivery), last_event=min(self.last_event, event))


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
    return {name: value for name, value in asdict(wanted).items() if value not in (None, (), False)}


# --- where to look --------------------------------------------------------------------------------------------------


def reach_of(work: Work, scope: Scope) -> Reach:
    """Find where the deliveries of a scope lie, and its events if any can be missing, among those there are now."""
    first_delivery, last_delivery = _span(work, Delivery, scope)
    first_event, last_event = _span(work, Event, scope) if scope.covers_missing else (0, 0)
    return Reach(first_delivery, last_delivery, first_event, last_event)


def _span(work: Work, model: type[Delivery | Event], scope: Scope) -> tuple[int, int]:
    last = newest(work.session, model)
    first = 0 if scope.since is None else first_since(work.session, model, scope.since, last=last)
    if scope.until is not None:
        last = last_until(work.session, model, scope.until, last=last)
    return first, last


# --- deliveries -----------------------------------------------------------------------------------------------------


def in_scope(query: Select[Any], scope: Scope, *, of_hook: int | None = None) -> Select[Any]:
    """Add the conditions on deliveries that a scope has whatever their state is, for all its hooks or for *of_hook*."""
    wanted = replace(scope.narrowed, hook_number=scope.hook_number, since=scope.since, until=scope.until)
    number = scope.organization_number
    if of_hook is None:
        query = delivery_filters.filtered(query, organization_number=number, wanted=wanted)
    else:  # by the organization's index one would walk through what all its hooks were sent
        query = query.where(Delivery.hook_number == of_hook)
        query = delivery_filters.narrowed(query, organization_number=number, wanted=replace(wanted, hook_number=None))
    return query.where(
        Delivery.number.between(scope.reach.first_delivery, scope.reach.last_delivery),
        Delivery.is_test.is_(False),
        of_types(Delivery.event_type, scope),
    )


def of_types(column: Any, scope: Scope) -> ColumnElement[bool]:
    """Match the event types of a scope in *column*."""
    if not scope.event_types:
        return true()
    wanted = enumerate(scope.event_types)
    return or_(*(delivery_filters.of_type(column, name, field=f"event_types/{place}") for place, name in wanted))


def sendable(which: Which, *, of_hook: bool = False) -> ColumnElement[bool]:
    """Match the deliveries that a replay sends again; *of_hook*: in a query that is bound to a hook."""
    if which is Which.FAILED:
        failed = Delivery.state == literal_column("'failed'")  # as the partial index over a hook's says it
        return failed if of_hook else and_(_NOT_DELIVERED, failed)
    if which is Which.MISSING:
        return and_(_NOT_DELIVERED, Delivery.state.in_(_UNSENT), Delivery.attempt_count == 0)
    return Delivery.state.not_in(WAITING_STATES)


def in_a_replay(scope: Scope) -> ColumnElement[bool]:
    """Match deliveries that a replay which is not over has queued, this one included: it takes none twice."""
    unfinished = select(Replay.number).where(
        Replay.organization_number == scope.organization_number, Replay.finished_at.is_(None)
    )
    return and_(Delivery.replay_number.is_not(None), Delivery.replay_number.in_(unfinished))


def relevant(which: Which) -> ColumnElement[bool]:
    """Match what is sent, and what would be if it did not wait already."""
    if which is Which.FAILED:
        return sendable(which)
    if which is Which.MISSING:
        states = (*_UNSENT, DeliveryState.PENDING)
        return and_(_NOT_DELIVERED, Delivery.state.in_(states), Delivery.attempt_count == 0)
    return true()
