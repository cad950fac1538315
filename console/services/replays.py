"""Replays: plan, start, stop and resume a bulk resend, and say how far it is. Its steps are ``replaying.steps``'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from console.core.errors import Conflict, Invalid, NotFound
from console.models import Delivery, Event, Hook, Replay, ReplayPart, ReplayState, Which
from console.services import audit, queries
from console.services.delivery_filters import DeliveryFilter
from console.services.replaying import pace, steps, stopping
from console.services.replaying.missed import missed, targets
from console.services.replaying.selection import (
    NOTHING_MORE,
    SKIP_WORDS,
    Scope,
    Skip,
    in_a_replay,
    in_scope,
    narrowing,
    reach_of,
    sendable,
)
from console.services.replaying.shares import Share, shares_of
from console.services.work import BACKGROUND, Work

__all__ = ["SKIP_WORDS", "Plan", "Progress", "ReplayDraft", "Skip", "find", "get", "plan", "resume", "start", "stop"]

MOST_TYPES = 50
MOST_AT_A_TIME = 20
COUNT_CAP = 100_000
"""A plan counts no further than about this; the replay itself counts to the end."""
FIRST_ROWS = 5
LOOKED_AT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDraft:
    """A replay to plan or start; *event_types* are names and wildcards, *narrowed* the log's own further filters."""

    which: Which
    hook: Hook | None = None
    event_types: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    narrowed: DeliveryFilter = NOTHING_MORE


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One of the first that would be sent; *delivery* is None for an event that its hook has missed."""

    event_id: UUID
    event_type: str
    hook: Hook
    delivery: Delivery | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Plan:
    """What a replay would do. *is_capped*: there is more than was counted. *seconds* None: nothing to estimate from."""

    shares: tuple[Share, ...]
    is_capped: bool
    rows: tuple[PlannedRow, ...]
    seconds: float | None

    @property
    def to_send(self) -> int:
        """How many would be sent."""
        return sum(share.to_send for share in self.shares)

    @property
    def skips(self) -> dict[Skip, int]:
        """How many would be left out, by reason."""
        found = {skip: sum(share.skips.get(skip, 0) for share in self.shares) for skip in Skip}
        return {skip: count for skip, count in found.items() if count}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is. *total* is all that matched, *queued* what was handed to the workers so far."""

    total: int = 0
    queued: int = 0
    delivered: int = 0
    failed: int = 0
    canceled: int = 0
    skipped: int = 0

    @property
    def left(self) -> int:
        """How many have not come to their end."""
        return max(self.total - self.ended, 0)

    @property
    def ended(self) -> int:
        """How many have, those that are left out among them."""
        return self.delivered + self.failed + self.canceled + self.skipped


# --- planning -------------------------------------------------------------------------------------------------------


def plan(work: Work, *, organization_number: int, draft: ReplayDraft) -> Plan:
    """Say what a replay would do, changing nothing; raise Invalid."""
    scope = _scope(work, organization_number, draft)
    shares, is_capped = shares_of(work, scope, cap=COUNT_CAP)
    return Plan(tuple(shares), is_capped, tuple(_first_rows(work, scope)), pace.seconds_of(work, shares))


def count(work: Work, *, organization_number: int, draft: ReplayDraft) -> int:
    """Count what a replay would send, no further than about ``queries.COUNT_CAP``; raise Invalid."""
    shares, _ = shares_of(work, _scope(work, organization_number, draft), cap=queries.COUNT_CAP)
    return sum(share.to_send for share in shares)


def _scope(work: Work, organization_number: int, draft: ReplayDraft) -> Scope:
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
    return replace(scope, reach=reach_of(work, scope))


def _first_rows(work: Work, scope: Scope) -> list[PlannedRow]:
    query = in_scope(select(Delivery), scope).join(Delivery.hook).where(sendable(scope.which), ~in_a_replay(scope))
    query = query.where(Hook.deleted_at.is_(None))
    if not scope.reaches_disabled:
        query = query.where(Hook.is_active)
    query = query.options(joinedload(Delivery.hook), joinedload(Delivery.event).load_only(Event.id, Event.type))
    rows = [
        PlannedRow(row.event.id, row.event_type, row.hook, row, row.created_at)
        for row in work.session.scalars(query.order_by(Delivery.number).limit(FIRST_ROWS))
    ]
    if scope.covers_missing and len(rows) < FIRST_ROWS:
        rows += _first_missed(work, scope, limit=FIRST_ROWS - len(rows))
    return rows


def _first_missed(work: Work, scope: Scope, *, limit: int) -> list[PlannedRow]:
    rows: list[PlannedRow] = []
    for target in targets(work, scope)[:MOST_TYPES]:
        found = missed(work, scope, target, after=0, look_at=LOOKED_AT).first(limit - len(rows))
        hook = work.session.get_one(Hook, target.number)
        for number, name in found.rows:
            event = work.session.execute(select(Event.id, Event.created_at).where(Event.number == number)).one()
            rows.append(PlannedRow(event.id, name, hook, None, event.created_at))
        if len(rows) >= limit or found.last == found.after:  # there are no events at all
            break
    return rows


# --- changing -------------------------------------------------------------------------------------------------------


def start(work: Work, *, organization_number: int, draft: ReplayDraft) -> Replay:
    """Start a replay of what matches now; raise Invalid, or Conflict while too many are not over."""
    with work.transaction():
        scope = _scope(work, organization_number, draft)
        _check_room(work, organization_number)
        now = work.now()
        row = Replay(
            id=work.new_id(),
            organization_number=organization_number,
            author_number=work.actor.user_number,
            hook_number=scope.hook_number,
            which=scope.which.value,
            event_types=list(scope.event_types),
            since=scope.since,
            until=scope.until,
            narrowed=narrowing(scope.narrowed),
            reaches_disabled=scope.reaches_disabled,
            first_delivery=scope.reach.first_delivery,
            last_delivery=scope.reach.last_delivery,
            first_event=scope.reach.first_event,
            last_event=scope.reach.last_event,
            state=ReplayState.PENDING,
            created_at=now,
            look_at=now,
        )
        work.session.add(row)
        work.session.flush()
        _audit(work, row, "replay.started", name=_name(draft))
    work.ring.ring(BACKGROUND)
    return row


def _check_room(work: Work, organization_number: int) -> None:
    unfinished = select(func.count()).where(
        Replay.organization_number == organization_number, Replay.finished_at.is_(None)
    )
    if (work.session.scalar(unfinished) or 0) >= MOST_AT_A_TIME:
        words = f"{MOST_AT_A_TIME} replays are not over yet; wait for one of them, or stop it."
        raise Conflict(words, code="too_many_replays")


def stop(work: Work, *, row: Replay) -> Replay:
    """Stop a replay: what is in flight finishes, what is queued becomes what it was; raise Conflict when it is over.

    One that failed has queued deliveries too, which go on until somebody stops it.
    """
    with work.transaction():
        work.session.refresh(row, ["state"], with_for_update=True)
        if row.state not in (*steps.UNFINISHED, ReplayState.FAILED):
            raise Conflict("This replay is over already.", code="final")
        if row.state != ReplayState.STOPPING:
            row.state, row.finished_at = ReplayState.STOPPING, None
            stopping.wind_up(work, row)
            _audit(work, row, "replay.stopped")
    work.ring.ring(BACKGROUND)
    return row


def resume(work: Work, *, row: Replay) -> Replay:
    """Go on with a replay that was stopped or failed, from where it was; raise Conflict for any other."""
    with work.transaction():
        work.session.refresh(row, ["state"], with_for_update=True)
        if row.state not in (ReplayState.STOPPED, ReplayState.FAILED):
            raise Conflict("Only a stopped replay can go on.", code="not_stopped")
        _check_room(work, row.organization_number)
        row.state = ReplayState.PENDING if row.started_at is None else ReplayState.RUNNING
        row.finished_at = row.error = row.per_second = row.tallied_at = None
        row.look_at, row.calm_s = work.now(), 0.0
        for part in work.session.scalars(select(ReplayPart).where(ReplayPart.replay_number == row.number)):
            part.skips = {name: count for name, count in part.skips.items() if name in (Skip.WAITING, Skip.IN_REPLAY)}
            part.skipped = sum(part.skips.values())
            part.is_fed = part.total == part.skipped + part.queued
        _audit(work, row, "replay.resumed")
    work.ring.ring(BACKGROUND)
    return row


def _name(draft: ReplayDraft) -> str:
    target = (draft.hook.name or draft.hook.url) if draft.hook is not None else "all hooks"
    return f"{draft.which.value} for {target}"


def _audit(work: Work, row: Replay, action: str, *, name: str | None = None) -> None:
    changes = {
        "which": [None, row.which],
        "event_types": [None, row.event_types],
        "since": [None, row.since],
        "until": [None, row.until],
    }
    audit.record(
        work,
        action=action,
        organization_number=row.organization_number,
        object_type="replay",
        object_id=str(row.id),
        object_name=name or f"{row.which} deliveries",
        changes=changes if action == "replay.started" else {},
    )


# --- reading --------------------------------------------------------------------------------------------------------


def get(work: Work, *, organization_number: int, replay_id: UUID) -> Replay:
    """Give a replay; raise NotFound."""
    query = select(Replay).where(Replay.organization_number == organization_number, Replay.id == replay_id)
    row = work.session.scalar(query.options(joinedload(Replay.hook), joinedload(Replay.author)))
    if row is None:
        raise NotFound("replay")
    return row


def find(
    work: Work,
    *,
    organization_number: int,
    hook_number: int | None = None,
    is_over: bool | None = None,
    before: int | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Replay]:
    """List replays, newest first: those with a number below *before*, or the first above *after*."""
    query = (
        select(Replay)
        .where(Replay.organization_number == organization_number)
        .options(joinedload(Replay.hook), joinedload(Replay.author))
    )
    if hook_number is not None:
        query = query.where(Replay.hook_number == hook_number)
    if is_over is not None:
        query = query.where(Replay.finished_at.is_not(None) if is_over else Replay.finished_at.is_(None))
    if after is not None:
        return list(work.session.scalars(query.where(Replay.number > after).order_by(Replay.number).limit(limit)))[::-1]
    if before is not None:
        query = query.where(Replay.number < before)
    return list(work.session.scalars(query.order_by(Replay.number.desc()).limit(limit)))


def progress_of(work: Work, rows: Sequence[Replay]) -> dict[int, Progress]:
    """Say how far replays are, by number."""
    names = ("total", "queued", "delivered", "failed", "canceled", "skipped")
    sums = [func.sum(getattr(ReplayPart, name)) for name in names]
    found = work.session.execute(
        select(ReplayPart.replay_number, *sums)
        .where(ReplayPart.replay_number.in_([row.number for row in rows]))
        .group_by(ReplayPart.replay_number)
    )
    known = {number: Progress(*map(int, counts)) for number, *counts in found}
    return {row.number: known.get(row.number, Progress()) for row in rows}


def parts_of(work: Work, row: Replay, *, limit: int) -> list[ReplayPart]:
    """Give the parts of a replay with their hooks, the largest first."""
    query = (
        select(ReplayPart)
        .where(ReplayPart.replay_number == row.number)
        .options(joinedload(ReplayPart.hook))
        .order_by(ReplayPart.total.desc(), ReplayPart.hook_number)
    )
    return list(work.session.scalars(query.limit(limit)))


def skips_of(work: Work, row: Replay) -> Mapping[Skip, int]:
    """Sum up why things were left out."""
    query = select(ReplayPart.skips).where(ReplayPart.replay_number == row.number, ReplayPart.skipped > 0)
    found: Counter[str] = Counter()
    for skips in work.session.scalars(query):
        found.update(skips)
    return {skip: found[skip] for skip in Skip if found[skip]}
