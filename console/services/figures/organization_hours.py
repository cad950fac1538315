"""An organization's attempts by the hour, summed over its hooks: kept by the dispatcher, read by the dashboard.

Workers do not write it, since all of them would wait for the row of the present hour. Hours are added once they have
been over for a while; what is younger is read from the hooks' own roll-ups.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, case, delete, func, select

from console.core.rollups import SUCCESS, hour_of
from console.database import dialect_of, read_only
from console.models import HookHour, Organization, OrganizationHour, Progress
from console.services.queries import insert_into
from console.services.work import Work

NAME = "organization_hours"
OTHERS = "others"
SETTLED_AFTER = timedelta(hours=3)
"""An attempt is counted for the hour in which it began, and recorded minutes later at most."""
HOURS_AT_ONCE = 24
HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Counts: TypeAlias = Counter[tuple[int, str, int]]
"""Attempts by column, class of status and bucket of duration."""


def roll_up(work: Work) -> bool:
    """Add hours that are settled, a day of them at most; False when there are more.

    What a clock that was ahead has noted as added is taken back: it may hold attempts by now.
    """
    until = _index(hour_of(work.now() - SETTLED_AFTER))
    with read_only():
        done = _done(work) or _oldest(work)
        work.session.rollback()
    if done is None or done == until:
        return True
    done = min(done + HOURS_AT_ONCE, until)
    _add(work, since=done - HOURS_AT_ONCE, until=done)
    return done == until


def _add(work: Work, *, since: int, until: int) -> None:
    with read_only():  # to sum takes longer than others should wait for SQLite's write lock
        rows = _sums(work, since=since, until=until)
        work.session.rollback()
    dialect = dialect_of(work.session)
    insert = insert_into(dialect, OrganizationHour.__table__)  # type: ignore[arg-type]  # a Table, as of every mapped class
    note = insert_into(dialect, Progress.__table__).values(name=NAME, number=until)  # type: ignore[arg-type]
    with work.transaction():
        if rows:
            keys = list(OrganizationHour.__table__.primary_key)
            changed = insert.on_conflict_do_update(index_elements=keys, set_={"count": insert.excluded["count"]})
            work.session.execute(changed, rows)
        work.session.execute(
            note.on_conflict_do_update(index_elements=[Progress.name], set_={"number": note.excluded.number})
        )


def _sums(work: Work, *, since: int, until: int) -> list[dict[str, Any]]:
    query = (
        select(
            HookHour.organization_number,
            HookHour.hour,
            HookHour.status_class,
            HookHour.bucket,
            func.sum(HookHour.count),
        )
        .where(
            HookHour.organization_number.in_(select(Organization.number)),  # as the index begins
            HookHour.hour >= _moment(since),
            HookHour.hour < _moment(until),
        )
        .group_by(HookHour.organization_number, HookHour.hour, HookHour.status_class, HookHour.bucket)
    )
    return [
        {
            "organization_number": organization,
            "hour": _index(hour),
            "status_class": status,
            "bucket": bucket,
            "count": int(count),
        }
        for organization, hour, status, bucket, count in work.session.execute(query)
    ]


def _done(work: Work) -> int | None:
    """Say up to which hour everything is in; None before the first time."""
    return work.session.scalar(select(Progress.number).where(Progress.name == NAME))


def _oldest(work: Work) -> int | None:
    oldest = work.session.scalar(select(func.min(HookHour.hour, type_=HookHour.hour.type)))
    return None if oldest is None else _index(oldest)


def forget(work: Work, *, until: datetime) -> int:
    """Delete the hours before *until*; say how many rows went."""
    with work.transaction():
        result = work.session.execute(delete(OrganizationHour).where(OrganizationHour.hour < _index(until)))
        return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives


def counts(work: Work, *, organization_number: int, start: datetime, columns: int, hours: int) -> Counts:
    """Count the attempts of *columns* of so many *hours* from *start* on, and as column -1 those of as long before.

    Classes are ``2xx`` and ``OTHERS``: a third of the rows to sort and to read, and the dashboard tells no more apart.
    """
    first = _index(start)
    since = first - columns * hours
    done = _done(work) or 0
    place = case((OrganizationHour.hour < first, -1), else_=(OrganizationHour.hour - first) // hours).label("place")
    settled = (
        select(place, OrganizationHour.bucket, *_sums_of(OrganizationHour))
        .where(
            OrganizationHour.organization_number == organization_number,
            OrganizationHour.hour >= since,
            OrganizationHour.hour < done,
        )
        .group_by(place, OrganizationHour.bucket)
    )
    young = (
        select(HookHour.hour, HookHour.bucket, *_sums_of(HookHour))
        .where(HookHour.organization_number == organization_number, HookHour.hour >= _moment(max(since, done)))
        .group_by(HookHour.hour, HookHour.bucket)
    )
    rows: list[tuple[int, int, int, int]] = [(*row,) for row in work.session.execute(settled)]
    rows += [
        (max(-1, (_index(hour) - first) // hours), bucket, attempts, successes)
        for hour, bucket, attempts, successes in work.session.execute(young)
    ]
    found: Counts = Counter()
    for column, bucket, attempts, successes in rows:
        found[int(column), SUCCESS, bucket] += int(successes)
        found[int(column), OTHERS, bucket] += int(attempts - successes)
    return found


def _sums_of(model: type[HookHour | OrganizationHour]) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Sum the attempts, and those that were answered with a 2xx."""
    return func.sum(model.count), func.sum(case((model.status_class == SUCCESS, model.count), else_=0))


def _index(hour: datetime) -> int:
    return int((hour - _EPOCH) / HOUR)


def _moment(index: int) -> datetime:
    return _EPOCH + index * HOUR
