"""The volume of event types by the hour: kept by the dispatcher, read by the pages.

Publishers do not write it, since all of them would wait for the row of one busy type. The dispatcher follows them at a
distance: on PostgreSQL a number is given before its row can be seen, and a publish takes less than ``BEHIND``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from sqlalchemy import Row, Select, bindparam, func, select, true
from sqlalchemy.dialects import postgresql, sqlite

from console.core.rollups import hour_of
from console.database import dialect_of
from console.models import Event, Progress, TypeHour
from console.models.base import Number
from console.services.queries import place_of
from console.services.work import Work

NAME = "type_hours"
BEHIND = timedelta(seconds=30)
BATCH = 5000
MOST_BATCHES = 20
HOUR = timedelta(hours=1)
MOST_NAMED = 1000
"""So many types are looked up each by itself; of more, all hours are read. PostgreSQL takes 65,535 at most."""
_Key: TypeAlias = tuple[int, str, datetime]
_Young: TypeAlias = Row[str, datetime, bool]


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


@dataclass(frozen=True, slots=True)
class Activity:
    """Every type that ever had events: when its latest was *seen*, and the *volumes* of those that had some lately."""

    seen: Mapping[str, datetime]
    volumes: Mapping[str, Volume]


def activity(work: Work, *, organization_number: int, days: int = 7, hours: int = 6) -> Activity:
    """Give all there is to say of an organization's types; the volumes are of the last *days*."""
    span, young = _Span.until_now(work, days=days, hours=hours), _not_yet(work, organization_number)
    seen = _seen(work, organization_number, young)
    lately = [name for name, at in seen.items() if at >= span.start]
    return Activity(seen, _volumes(work, organization_number, lately, span=span, young=young))


def volumes(
    work: Work, *, organization_number: int, names: Collection[str], days: int = 7, hours: int = 6
) -> dict[str, Volume]:
    """Give the volume of each of *names* that had events in the last *days*."""
    young = [row for row in _not_yet(work, organization_number) if row.type in names]
    span = _Span.until_now(work, days=days, hours=hours)
    return _volumes(work, organization_number, names, span=span, young=young)


def last_seen(work: Work, *, organization_number: int) -> dict[str, datetime]:
    """Give each type that ever had events, with the moment of its latest."""
    return _seen(work, organization_number, _not_yet(work, organization_number))


@dataclass(frozen=True, slots=True)
class _Span:
    """The columns of a chart that ends with the present hour."""

    start: datetime
    columns: int
    hours: int

    @classmethod
    def until_now(cls, work: Work, *, days: int, hours: int) -> _Span:
        """Give that of the last *days*, in columns of so many *hours*."""
        columns = days * 24 // hours
        return cls(hour_of(work.now()) + HOUR - columns * hours * HOUR, columns, hours)


def _volumes(
    work: Work, organization_number: int, names: Collection[str], *, span: _Span, young: Sequence[_Young]
) -> dict[str, Volume]:
    place = place_of(work.session, TypeHour.hour, start=span.start, columns=span.columns, hours=span.hours)
    query = (
        select(TypeHour.type, place.label("place"), func.sum(TypeHour.count))
        .where(TypeHour.organization_number == organization_number, TypeHour.hour >= span.start)
        .where(TypeHour.type.in_(names) if len(names) <= MOST_NAMED else true())
        .group_by(TypeHour.type, "place")
    )
    figures: dict[str, list[int]] = {}
    rows = [(row[0], int(row[1]), int(row[2])) for row in work.session.execute(query)]
    rows += [(row.type, int((row.created_at - span.start) / HOUR) // span.hours, 1) for row in young]
    wanted = frozenset(names)
    for name, column, count in rows:
        if 0 <= column < span.columns and name in wanted:
            figures.setdefault(name, [0] * span.columns)[column] += count
    return {name: Volume(span.hours, tuple(found)) for name, found in figures.items()}


def _seen(work: Work, organization_number: int, young: Sequence[_Young]) -> dict[str, datetime]:
    found: dict[str, datetime] = dict(work.session.execute(_LATEST, {"organization": organization_number}).all())
    for row in young:
        found[row.type] = max(found.get(row.type, row.created_at), row.created_at)
    return found


def _latest() -> Select[str, datetime]:
    """Build the query for the latest hour of each type, from one type to the next and past all their other hours."""
    of_organization = TypeHour.organization_number == bindparam("organization", type_=Number)
    first = select(func.min(TypeHour.type).label("type")).where(of_organization).cte("names", recursive=True)
    after = select(func.min(TypeHour.type)).where(of_organization, TypeHour.type > first.c.type)
    names = first.union_all(select(after.scalar_subquery()).where(first.c.type.is_not(None)))
    latest = select(TypeHour.last_at).where(of_organization, TypeHour.type == names.c.type)
    moment = latest.order_by(TypeHour.hour.desc()).limit(1).correlate(names).scalar_subquery()
    return select(names.c.type, moment.label("at")).where(names.c.type.is_not(None))


_LATEST = _latest()


def _not_yet(work: Work, organization_number: int) -> list[_Young]:
    """Give the events that the roll-up has not come to, at most 5,000: as a rule those of the last minute."""
    done = select(Progress.number).where(Progress.name == NAME).scalar_subquery()
    query = (
        select(Event.type, Event.created_at, Event.is_test)
        .where(Event.organization_number == organization_number, Event.number > func.coalesce(done, 0))
        .order_by(Event.number.desc())
        .limit(BATCH)
    )
    return [row for row in work.session.execute(query) if not row.is_test]
