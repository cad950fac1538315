"""The volume of event types by the hour: kept by the dispatcher, read by the pages.

Publishers do not write it, since all of them would wait for the row of one busy type. The dispatcher follows them at a
distance: on PostgreSQL a number is given before its row can be seen, and a publish takes less than ``BEHIND``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from console.core.rollups import hour_of
from console.database import dialect_of
from console.models import Event, Progress, TypeHour
from console.services.queries import hours_since
from console.services.work import Work

NAME = "type_hours"
BEHIND = timedelta(seconds=30)
BATCH = 5000
MOST_BATCHES = 20
HOUR = timedelta(hours=1)
_Key: TypeAlias = tuple[int, str, datetime]


@dataclass(frozen=True, slots=True)
class Volume:
    """Events of one type over the last days, oldest first; a figure stands for *hours* hours."""

    hours: int
    figures: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.figures)


# --- keeping --------------------------------------------------------------------------------------------------------


def roll_up(work: Work) -> int:
    """Add the events that are old enough, in transactions of up to 5,000; say how many there were."""
    total = 0
    for _ in range(MOST_BATCHES):
        count = _roll_up_some(work)
        total += count
        if count < BATCH:
            break
    return total


def _roll_up_some(work: Work) -> int:
    until = work.now() - BEHIND
    with work.transaction():
        done = work.session.scalar(select(Progress.number).where(Progress.name == NAME).with_for_update()) or 0
        query = select(Event.number, Event.organization_number, Event.type, Event.created_at, Event.is_test)
        rows = work.session.execute(query.where(Event.number > done).order_by(Event.number).limit(BATCH)).all()
        young = next((place for place, row in enumerate(rows) if row.created_at > until), len(rows))
        rows = rows[:young]
        if not rows:
            return 0
        counts = Counter(
            (row.organization_number, row.type, hour_of(row.created_at)) for row in rows if not row.is_test
        )
        latest = {(row.organization_number, row.type, hour_of(row.created_at)): row.created_at for row in rows}
        _add(work, counts, latest)
        _note(work, rows[-1].number)
    return len(rows)


def _add(work: Work, counts: Counter[_Key], latest: Mapping[_Key, datetime]) -> None:
    if not counts:
        return
    kind = sqlite if dialect_of(work.session) == "sqlite" else postgresql
    insert = kind.insert(TypeHour)
    values = [
        {
            "organization_number": organization,
            "type": name,
            "hour": hour,
            "count": count,
            "last_at": latest[organization, name, hour],
        }
        for (organization, name, hour), count in sorted(counts.items())
    ]
    added = TypeHour.count + insert.excluded.count
    keys = [TypeHour.organization_number, TypeHour.type, TypeHour.hour]
    work.session.execute(
        insert.on_conflict_do_update(index_elements=keys, set_={"count": added, "last_at": insert.excluded.last_at}),
        values,
    )


def _note(work: Work, number: int) -> None:
    kind = sqlite if dialect_of(work.session) == "sqlite" else postgresql
    statement = kind.insert(Progress).values(name=NAME, number=number)
    work.session.execute(
        statement.on_conflict_do_update(index_elements=[Progress.name], set_={"number": statement.excluded.number})
    )


# --- reading --------------------------------------------------------------------------------------------------------


def volumes(
    work: Work, *, organization_number: int, names: Collection[str] | None = None, days: int = 7, hours: int = 6
) -> dict[str, Volume]:
    """Give the volume of each type that had events in the last *days*, by name; *names* None: of all types."""
    columns = days * 24 // hours
    since = hour_of(work.now()) + HOUR - columns * hours * HOUR
    place = hours_since(work.session, TypeHour.hour, since) // hours
    query = select(TypeHour.type, place, func.sum(TypeHour.count)).where(
        TypeHour.organization_number == organization_number, TypeHour.hour >= since
    )
    if names is not None:
        query = query.where(TypeHour.type.in_(names))
    figures: dict[str, list[int]] = {}
    rows = [(row[0], int(row[1]), int(row[2])) for row in work.session.execute(query.group_by(TypeHour.type, place))]
    rows += [
        (row.type, int((row.created_at - since) / HOUR) // hours, 1) for row in _not_yet(work, organization_number)
    ]
    for name, column, count in rows:
        if 0 <= column < columns and (names is None or name in names):
            figures.setdefault(name, [0] * columns)[column] += count
    return {name: Volume(hours, tuple(found)) for name, found in figures.items()}


def last_seen(work: Work, *, organization_number: int) -> dict[str, datetime]:
    """Give each type that ever had events, with the moment of its latest."""
    latest = func.max(TypeHour.last_at, type_=TypeHour.last_at.type)
    query = select(TypeHour.type, latest).where(TypeHour.organization_number == organization_number)
    found: dict[str, datetime] = dict(work.session.execute(query.group_by(TypeHour.type)).all())
    for row in _not_yet(work, organization_number):
        found[row.type] = max(found.get(row.type, row.created_at), row.created_at)
    return found


def _not_yet(work: Work, organization_number: int) -> list[Row[str, datetime, bool]]:
    """Give the events that the roll-up has not come to, at most 5,000: as a rule those of the last minute."""
    done = select(Progress.number).where(Progress.name == NAME).scalar_subquery()
    query = (
        select(Event.type, Event.created_at, Event.is_test)
        .where(Event.organization_number == organization_number, Event.number > func.coalesce(done, 0))
        .order_by(Event.number.desc())
        .limit(BATCH)
    )
    return [row for row in work.session.execute(query) if not row.is_test]
