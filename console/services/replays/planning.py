"""Planning: what a replay would send, how many are left out and why, how long it takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from console.core.errors import Invalid
from console.models import Delivery, Event, Hook, Which
from console.services import queries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.deliveries.log_walks import unindexed
from console.services.events.event_abouts import abouts
from console.services.events.judging import PAGE_S, Budget
from console.services.replays import pace
from console.services.replays.missed import missed, targets
from console.services.replays.selection import (
    NOTHING_MORE,
    Reach,
    Scope,
    Skip,
    in_a_replay,
    in_scope,
    reach_of,
    sendable,
)
from console.services.replays.shares import Share, shares_of
from console.services.work import Work

MOST_TYPES = 50
COUNT_CAP = 100_000
"""A plan counts no further than about this; the replay itself counts to the end."""

GLANCE = 5_000
"""So many are looked at before anybody has said what to replay: within milliseconds, however much failed."""

FIRST_ROWS = 5
MOST_HOOKS, LOOKED_AT = 50, 1_000
"""Of so many hooks that have missed events so many are looked at, to show the first of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDraft:
    """A replay to plan or start; *event_types* are names and wildcards, *narrowed* the log's own further filters.

    *up_to* are the newest delivery and the newest event (numbers) that were there when it was counted, None for all.
    """

    which: Which
    hook: Hook | None = None
    event_types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    narrowed: DeliveryFilter = NOTHING_MORE
    up_to: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One of the first that would be sent, and what it is about; *delivery* is None for an event that was missed."""

    event_id: UUID
    event_type: str
    hook: Hook
    delivery: Delivery | None
    created_at: datetime
    event_number: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would do. *is_capped*: there is more than was counted. *seconds* None: nothing to estimate from.

    *reach* is where it was looked for.
    """

    shares: tuple[Share, ...]
    is_capped: bool
    rows: tuple[PlannedRow, ...]
    seconds: float | None
    reach: Reach

    @property
    def to_send(self) -> int:
        """How many would be sent."""
        return sum(share.to_send for share in self.shares)

    @property
    def skips(self) -> dict[Skip, int]:
        """How many would be left out, by reason."""
        found = {skip: sum(share.skips.get(skip, 0) for share in self.shares) for skip in Skip}
        return {skip: count for skip, count in found.items() if count}


def plan(work: Work, *, organization_number: int, draft: ReplayDraft) -> Plan:
    """Say what a replay would do, changing nothing; raise Invalid."""
    scope = scope_of(work, organization_number, draft)
    return _plan(work, scope, *shares_of(work, scope, cap=COUNT_CAP))


def glance(work: Work, *, organization_number: int, draft: ReplayDraft) -> Plan | None:
    """Do the same for few; None: there are ``GLANCE`` or more, which were not counted to the end."""
    scope = scope_of(work, organization_number, draft)
    shares, is_capped = shares_of(work, scope, cap=GLANCE)
    return None if is_capped else _plan(work, scope, shares, is_capped)


def _plan(work: Work, scope: Scope, shares: Sequence[Share], is_capped: bool) -> Plan:  # noqa: FBT001  as counted
    rows = _first_rows(work, scope, shares) if shares else []
    return Plan(tuple(shares), is_capped, tuple(rows), pace.seconds_of(work, shares), scope.reach)


def count(work: Work, *, organization_number: int, draft: ReplayDraft, cap: int = queries.COUNT_CAP) -> int:
    """Count what a replay would send, no further than about *cap*; raise Invalid."""
    shares, _ = shares_of(work, scope_of(work, organization_number, draft), cap=cap, sendable_alone=True)
    return sum(share.to_send for share in shares)


def scope_of(work: Work, organization_number: int, draft: ReplayDraft) -> Scope:
    """Say what a draft covers; raise Invalid."""
    if len(draft.event_types) > MOST_TYPES:
        raise Invalid.field("event_types", f"Give at most {MOST_TYPES} event types.", code="too_many")
    if draft.since is not None and draft.until is not None and draft.since >= draft.until:
        raise Invalid.field("until", "The end of the period must be after its start.", code="range")
    scope = Scope(
        organization_number=organization_number,
        which=draft.which,
        hook_number=None if draft.hook is None else draft.hook.number,
        event_types=draft.event_types,
        since=draft.since,
        until=draft.until,
        narrowed=draft.narrowed,
        reaches_disabled=draft.hook is not None and not draft.hook.is_active,
    )
    in_scope(select(Delivery.number), scope)  # raises Invalid for what cannot match
    return replace(scope, reach=reach_of(work, scope).until(draft.up_to))


def _first_rows(work: Work, scope: Scope, shares: Sequence[Share]) -> list[PlannedRow]:
    rows = _first_deliveries(work, scope) if any(share.to_send > share.missed for share in shares) else []
    have_missed = {share.hook.number for share in shares if share.missed}
    if have_missed and len(rows) < FIRST_ROWS:
        rows += _first_missed(work, scope, have_missed, limit=FIRST_ROWS - len(rows))
    numbers = {row.event_number for row in rows}
    subjects = abouts(work, organization_number=scope.organization_number, numbers=numbers)
    return [replace(row, about=subjects.get(row.event_number, "")) for row in rows]


def _first_deliveries(work: Work, scope: Scope) -> list[PlannedRow]:
    query = in_scope(select(Delivery), scope).join(Delivery.hook).where(sendable(scope.which), ~in_a_replay(scope))
    query = query.where(Hook.deleted_at.is_(None))
    if not scope.reaches_disabled:
        query = query.where(Hook.is_active)
    query = query.options(joinedload(Delivery.hook), joinedload(Delivery.event).load_only(Event.id, Event.type))
    # Few are unsent: they are found by their state and sorted, while all of the log is in the order of numbers.
    order = unindexed(Delivery.number) if scope.which is Which.MISSING else Delivery.number
    return [
        PlannedRow(row.event.id, row.event_type, row.hook, row, row.created_at, row.event_number)
        for row in work.session.scalars(query.order_by(order).limit(FIRST_ROWS))
    ]


def _first_missed(work: Work, scope: Scope, hooks: Collection[int], *, limit: int) -> list[PlannedRow]:
    rows: list[PlannedRow] = []
    budget = Budget(PAGE_S)
    for target in [target for target in targets(work, scope) if target.number in hooks][:MOST_HOOKS]:
        found = missed(work, scope, target, after=0, look_at=LOOKED_AT, budget=budget).first(limit - len(rows))
        hook = work.session.get_one(Hook, target.number)
        numbers = [number for number, _ in found.rows]
        events = (
            select(Event.id, Event.type, Event.created_at, Event.number)
            .where(Event.number.in_(numbers))
            .order_by(Event.number)
        )
        rows += [
            PlannedRow(event, name, hook, None, at, number) for event, name, at, number in work.session.execute(events)
        ]
        if len(rows) >= limit:
            break
    return rows
