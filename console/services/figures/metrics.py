"""The whole installation in figures, for monitoring. All of them come from rows, so every process tells the same.

Each is cheap however long the log is: counts of rows end at a cap, and attempts are read from the hourly roll-ups of
the present day, so that their totals begin anew at midnight UTC, as after a restart.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select, text

from console.core.errors import Forbidden
from console.core.permissions import Permission
from console.models import Destination, Event, Hook, HookHour, HookState, Leader, Organization
from console.models.base import Moment
from console.services.engine import due
from console.services.figures import stats
from console.services.figures.stats import Lane
from console.services.queries import COUNT_CAP, count_capped
from console.services.upkeep.leading import DISPATCHER
from console.services.work import LANES, Work

# The index over what is pending gives them; the lane stands with the hook.
_DEPTHS = text(f"""
SELECT s.lane, count(*) AS depth
FROM (SELECT hook_number FROM deliveries WHERE state = 'pending' AND next_attempt_at <= :now LIMIT {COUNT_CAP}) AS d
JOIN hook_states AS s ON s.hook_number = d.hook_number GROUP BY s.lane""").bindparams(  # noqa: S608 constants only
    bindparam("now", type_=Moment())
)
# Each repeats the condition of the partial index that serves it, word for word.
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE {which} LIMIT {cap}) AS d"
_UNDELIVERED = select(Event.number).where(Event.fanout_pending)
_COUNTS = {
    state: text(_COUNT.format(which=which, cap=COUNT_CAP))
    for state, which in {
        "pending": "state = 'pending'",
        "sending": "state = 'sending'",
        "held": "organization_number IN (SELECT number FROM organizations) AND state <> 'delivered' AND state = 'held'",
    }.items()
}


@dataclass(frozen=True, slots=True)
class Metrics:
    """*depths* and *oldest_due* are by lane, *deliveries* by state, *events* wait for theirs. Counts end at a cap.

    *attempts* are today's by class of status, *durations* today's by bucket of ``core.rollups``. *freed* counts what
    dead workers held, since the installation was made. *circuits* says how many hooks and destinations rest now.
    """

    now: datetime
    lanes: tuple[Lane, ...]
    depths: dict[str, int]
    oldest_due: dict[str, datetime]
    deliveries: dict[str, int]
    events: int
    attempts: dict[str, int]
    durations: dict[int, int]
    freed: int
    leader_beat_at: datetime | None
    circuits: dict[str, int]
    hooks: dict[str, int]


def require_sight(work: Work, *, is_staff: bool) -> None:
    """Let staff read, and others while there is one organization; raise Forbidden: the figures count all of them."""
    if is_staff:
        return
    organizations = select(func.count()).select_from(Organization).where(Organization.closed_at.is_(None))
    if (work.session.scalar(organizations) or 0) > 1:
        raise Forbidden(
            Permission.ADMIN,
            message="These figures are of all organizations: they need a token with ADMIN of a member of staff.",
        )


def read(work: Work) -> Metrics:
    """Read all of them; opens a transaction that the caller ends."""
    now = work.now()
    depths = {row.lane: int(row.depth) for row in work.session.execute(_DEPTHS, {"now": now})}
    leader = work.session.get(Leader, DISPATCHER, populate_existing=True)
    attempts, durations = _attempts(work, since=now.replace(hour=0, minute=0, second=0, microsecond=0))
    return Metrics(
        now=now,
        lanes=tuple(stats.lanes(work)),
        depths={lane: depths.get(lane, 0) for lane in LANES},
        oldest_due=due.due_lanes(work),
        deliveries={state: int(work.session.scalar(query) or 0) for state, query in _COUNTS.items()},
        events=count_capped(work.session, _UNDELIVERED),
        attempts=attempts,
        durations=durations,
        freed=leader.freed if leader is not None else 0,
        leader_beat_at=leader.beat_at if leader is not None and leader.worker_number is not None else None,
        circuits=_circuits(work, now=now),
        hooks=_hooks(work),
    )


def _attempts(work: Work, *, since: datetime) -> tuple[dict[str, int], dict[int, int]]:
    """Give how many attempts ended with each class of status, and in each bucket of durations."""
    # By organization, as the index is: the roll-ups of other days are never touched.
    rows = work.session.execute(
        select(HookHour.status_class, HookHour.bucket, func.sum(HookHour.count))
        .where(HookHour.organization_number.in_(select(Organization.number)), HookHour.hour >= since)
        .group_by(HookHour.status_class, HookHour.bucket)
    )
    classes: Counter[str] = Counter()
    buckets: Counter[int] = Counter()
    for status_class, bucket, count in rows:
        classes[status_class] += int(count)
        buckets[bucket] += int(count)
    return dict(classes), dict(buckets)


def _circuits(work: Work, *, now: datetime) -> dict[str, int]:
    counts = {}
    for name, kind in (("hook", HookState), ("destination", Destination)):
        query = select(func.count()).select_from(kind).where(kind.open_until > now)
        counts[name] = work.session.scalar(query) or 0
    return counts


def _hooks(work: Work) -> dict[str, int]:
    rows = work.session.execute(
        select(Hook.is_active, func.count()).where(Hook.deleted_at.is_(None)).group_by(Hook.is_active)
    )
    counts = {bool(active): int(count) for active, count in rows}
    return {"active": counts.get(True, 0), "disabled": counts.get(False, 0)}
