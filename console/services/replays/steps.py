"""The steps of replays, taken by whoever comes first: a background worker, or the leader when there is none.

A step feeds each hook's share a little at a time, so that what was published meanwhile never waits long; the rows that
it queues and how far it has come are written in the same transaction. Killed anywhere, it goes on where it was.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select, update

from console.core.errors import Busy
from console.database import is_busy, read_only
from console.models import Replay, ReplayPart, ReplayState
from console.services.replays import counts, feeding, stopping
from console.services.replays.feeding import locked
from console.services.replays.selection import scope_of
from console.services.replays.shares import Share, shares_of
from console.services.work import BACKGROUND, Work

UNFINISHED = (ReplayState.PENDING, ReplayState.RUNNING, ReplayState.STOPPING)
FEED_EVERY = timedelta(milliseconds=250)
LOOK_EVERY_S = 1.0
LONGEST_CALM_S = 60.0
"""A replay whose last deliveries wait for a retry is looked at ever more rarely, but at least this often."""
OVERDUE = timedelta(seconds=2)
PARTS_A_STEP = 40
_log = structlog.get_logger(__name__)


# --- who and when ---------------------------------------------------------------------------------------------------


def tend(work: Work) -> float | None:
    """Take a step of every replay that is due; give the seconds until the next is, None when all are over."""
    with read_only():
        query = select(Replay.number).where(Replay.finished_at.is_(None), Replay.look_at <= work.now())
        numbers = list(work.session.scalars(query.order_by(Replay.look_at)))
        work.session.commit()
    for number in numbers:
        try:
            step(work, number=number)
        except Exception as error:
            work.session.rollback()
            if isinstance(error, Busy) or is_busy(error):
                raise
            _log.exception("a replay failed", replay=number)
            _give_up(work, number=number, error=error)
    with read_only():
        next_at: datetime | None = work.session.scalar(
            select(func.min(Replay.look_at, type_=Replay.look_at.type)).where(Replay.finished_at.is_(None))
        )
        work.session.commit()
    return None if next_at is None else max((next_at - work.now()).total_seconds(), 0.0)


def wake(work: Work) -> None:
    """Ring for replays that are due; take their steps here when nobody has for a while."""
    with read_only():
        query = select(func.min(Replay.look_at, type_=Replay.look_at.type)).where(Replay.finished_at.is_(None))
        next_at: datetime | None = work.session.scalar(query)
        work.session.commit()
    if next_at is None or next_at > work.now():
        return
    work.ring.ring(BACKGROUND)
    if next_at < work.now() - OVERDUE:
        tend(work)


def step(work: Work, *, number: int) -> None:
    """Take a replay one step further."""
    with read_only():
        row = work.session.get(Replay, number, populate_existing=True)
        work.session.commit()
    if row is None:
        return
    if row.state == ReplayState.PENDING:
        _open(work, row)
    elif row.state == ReplayState.RUNNING:
        _run(work, row)
    elif row.state == ReplayState.STOPPING:
        _wind_up(work, row)


def _give_up(work: Work, *, number: int, error: Exception) -> None:
    with work.transaction():
        work.session.execute(
            update(Replay)
            .where(Replay.number == number, Replay.finished_at.is_(None))
            .values(
                state=ReplayState.FAILED,
                finished_at=work.now(),
                error=f"Something unexpected went wrong ({type(error).__name__}); the log of the workers says more.",
            )
        )


# --- pending: count ---------------------------------------------------------------------------------------------------


def _open(work: Work, row: Replay) -> None:
    """Count what matches, hook by hook, to the end."""
    scope = scope_of(row)
    with read_only():
        shares, _ = shares_of(work, scope)
        work.session.commit()
    with work.transaction():
        if not locked(work, row, ReplayState.PENDING):
            return
        work.session.add_all(_part(row, share) for share in shares)
        row.state = ReplayState.RUNNING
        row.started_at = row.look_at = work.now()


def _part(row: Replay, share: Share) -> ReplayPart:
    return ReplayPart(
        replay_number=row.number,
        hook_number=share.hook.number,
        total=share.to_send + share.skipped,
        skips={skip.value: count for skip, count in share.skips.items()},
        skipped=share.skipped,
        delivery_cursor=row.first_delivery - 1,
        event_cursor=row.first_event - 1,
        is_fed=not share.to_send,
    )


# --- running -------------------------------------------------------------------------------------------------------


def _run(work: Work, row: Replay) -> None:
    scope = scope_of(row)
    hooks, has_more = feeding.hungry(work, row)
    for number, room in hooks[:PARTS_A_STEP]:
        feeding.feed(work, row, scope, hook_number=number, room=room)
    _note(work, row, is_fed=not has_more)


def _note(work: Work, row: Replay, *, is_fed: bool) -> None:
    """Say when to look again, and once a second write down what became of the deliveries so far.

    *is_fed*: everything was queued before this step; when nothing of it is on its way any more, the replay is over.
    """
    is_time = is_fed or row.tallied_at is None or work.now() - row.tallied_at >= timedelta(seconds=LOOK_EVERY_S)
    with read_only():
        found = counts.count(work, row) if is_time else {}
    with work.transaction():
        if not locked(work, row, ReplayState.RUNNING):
            return
        now = work.now()
        ended = _tally(work, row, found) if is_time else 0
        if not is_fed:
            row.look_at, row.calm_s = now + FEED_EVERY, 0.0
        elif any(counts.moving(states) for states in found.values()):
            row.calm_s = LOOK_EVERY_S if ended else min(max(2 * row.calm_s, LOOK_EVERY_S), LONGEST_CALM_S)
            row.look_at = now + timedelta(seconds=row.calm_s)
        else:
            row.state, row.finished_at, row.per_second = ReplayState.DONE, now, None


def _tally(work: Work, row: Replay, found: counts.Counts) -> int:
    """Write the counts and the pace, inside the caller's transaction; give how many more have ended."""
    ended, now = counts.write(work, row, found), work.now()
    if row.tallied_at is not None and now > row.tallied_at:
        speed = ended / (now - row.tallied_at).total_seconds()
        row.per_second = speed if row.per_second is None else (row.per_second + speed) / 2
    row.tallied_at = now
    return ended


# --- stopping ---------------------------------------------------------------------------------------------------------


def _wind_up(work: Work, row: Replay) -> None:
    with work.transaction():
        if locked(work, row, ReplayState.STOPPING):
            stopping.wind_up(work, row)
