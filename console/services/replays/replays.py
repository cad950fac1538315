"""Replays: start, stop and resume a bulk resend, and say how far it is. Its parts are the rooms beside this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from console.core.errors import Conflict, NotFound
from console.models import Replay, ReplayPart, ReplayState
from console.services import audit
from console.services.replays import planning, steps, stopping
from console.services.replays.selection import (
    Skip,
    narrowing,
)
from console.services.work import BACKGROUND, Work

MOST_AT_A_TIME = 20


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


# --- changing -------------------------------------------------------------------------------------------------------


def start(work: Work, *, organization_number: int, draft: planning.ReplayDraft) -> Replay:
    """Start a replay of what matches now; raise Invalid, or Conflict while too many are not over."""
    with work.transaction():
        scope = planning.scope_of(work, organization_number, draft)
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


def _name(draft: planning.ReplayDraft) -> str:
    target = (draft.hook.name or draft.hook.url) if draft.hook is not None else "all hooks"
    return f"{draft.which.value} deliveries of {target}"


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
