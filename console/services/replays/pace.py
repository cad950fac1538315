"""How long a replay will take, and since when its hook fails: read from the hourly roll-ups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select

from console.core.replays import duration_s
from console.core.rollups import hour_of, percentile_ms
from console.models import Hook, HookHour, HookState
from console.services.queries import among
from console.services.replays.shares import Share
from console.services.work import Work

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LOOKED_BACK = timedelta(days=30)
BEFORE_FAILING = timedelta(minutes=1)
SUCCESS = "2xx"


def seconds_of(work: Work, shares: Sequence[Share]) -> float | None:
    """Estimate how long a replay takes: as long as the hook that takes longest. None: nothing to estimate from."""
    hooks = [share.hook.number for share in shares if share.to_send]
    durations = _durations_of(work, hooks)
    states = work.session.execute(
        select(HookState.hook_number, HookState.concurrency).where(among(work.session, HookState.hook_number, hooks))
    )
    at_once = {row.hook_number: row.concurrency for row in states}
    found = []
    for share in shares:
        hook = share.hook
        median = percentile_ms(durations.get(hook.number, {}), percent=50)
        if share.to_send and median is not None:
            limit = hook.rate_limit
            # The engine works its way up to the hook's limit while all goes well.
            slots = max(at_once.get(hook.number, 1), hook.max_in_flight // 2)
            per_second = limit["count"] / limit["seconds"] if limit else None
            found.append(duration_s(share.to_send, at_once=slots, median_ms=median, per_second=per_second))
    return max(found, default=None)


def _durations_of(work: Work, hooks: Sequence[int]) -> dict[int, dict[int, int]]:
    """Count the last day's attempts of each hook by bucket of duration; without attempts: absent."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    rows = work.session.execute(
        select(HookHour.hook_number, HookHour.bucket, func.sum(HookHour.count))
        .where(among(work.session, HookHour.hook_number, hooks), HookHour.hour > hour_of(work.now()) - DAY)
        .group_by(HookHour.hook_number, HookHour.bucket)
    )
    for number, bucket, count in rows:
        found[number][bucket] = int(count)
    return found


def failing_since(work: Work, hook: Hook) -> datetime | None:
    """Say since when a hook fails, or when its last failures began; None: none are known.

    A little before, since a delivery is made before its first attempt fails; to the hour once it fails no more.
    """
    state = work.session.get(HookState, hook.number)
    if state is not None and state.failing_since is not None:
        return state.failing_since - BEFORE_FAILING
    hours = work.session.scalars(
        select(HookHour.hour)
        .where(
            HookHour.hook_number == hook.number,
            HookHour.hour >= work.now() - LOOKED_BACK,
            HookHour.status_class != SUCCESS,
        )
        .distinct()
        .order_by(HookHour.hour.desc())
    )
    began: datetime | None = None
    for hour in hours:
        if began is not None and began - hour > HOUR:
            break
        began = hour
    return began
