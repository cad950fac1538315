"""Figures for the console: they come from the hourly roll-ups and from indexed counts, never from walking the log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import case, func, select

from console.core.rollups import SUCCESS, hour_of, percentile_ms
from console.models import Event, Hook, HookHour, Worker
from console.services.figures import organization_hours
from console.services.figures.organization_hours import Counts
from console.services.queries import among, place_of
from console.services.upkeep.beating import DEAD_AFTER
from console.services.work import LANES, Work

HOUR = timedelta(hours=1)
_DELIVERED = func.sum(case((HookHour.status_class == SUCCESS, HookHour.count), else_=0))
RECENT_EVENTS = 500
"""So many of the latest events are looked at for types that no hook hears."""


class Period(StrEnum):
    """What a chart covers."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


_COLUMNS = {Period.DAY: (24, 1), Period.WEEK: (28, 6), Period.MONTH: (30, 24)}
"""How many columns a chart has, and how many hours each of them covers."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Attempts of some time: counts by class of status (``2xx`` … ``none``) and by bucket of duration.

    Of an organization's only ``2xx`` is told from all others.
    """

    classes: Mapping[str, int] = field(default_factory=dict)
    buckets: Mapping[int, int] = field(default_factory=dict)

    @property
    def attempts(self) -> int:
        """How many attempts there were."""
        return sum(self.classes.values())

    @property
    def delivered(self) -> int:
        """How many of them were answered with a 2xx."""
        return self.classes.get(SUCCESS, 0)

    @property
    def failed(self) -> int:
        """How many of them were not."""
        return self.attempts - self.delivered

    @property
    def success_rate(self) -> float | None:
        """The share of 2xx from 0 to 1; None without attempts."""
        return self.delivered / self.attempts if self.attempts else None

    def percentile_ms(self, percent: float) -> float | None:
        """Give the duration that *percent* of the attempts did not exceed, in milliseconds; None without attempts."""
        return percentile_ms(self.buckets, percent=percent)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a chart, from *start* on."""

    start: datetime
    tally: Tally


@dataclass(frozen=True, slots=True)
class Overview:
    """A period in columns, as a whole, and the period of the same length before it (not looked at for a hook)."""

    period: Period
    columns: tuple[Column, ...]
    total: Tally
    before: Tally


@dataclass(frozen=True, slots=True)
class Spark:
    """Attempts of one hook in the last 24 hours, one figure an hour, oldest first."""

    delivered: tuple[int, ...]
    failed: tuple[int, ...]

    @property
    def attempts(self) -> int:
        """How many attempts there were."""
        return sum(self.delivered) + sum(self.failed)

    @property
    def success_rate(self) -> float | None:
        """The share of 2xx from 0 to 1; None without attempts."""
        return sum(self.delivered) / self.attempts if self.attempts else None

    @property
    def totals(self) -> tuple[int, int]:
        """How many attempts there were, and how many were answered with a 2xx, as in ``recent``."""
        return self.attempts, sum(self.delivered)


@dataclass(frozen=True, slots=True)
class Lane:
    """The living workers of a lane; *beat_at* is the latest sign of life."""

    name: str
    workers: int
    in_flight: int
    beat_at: datetime | None


def overview(
    work: Work, *, organization_number: int, period: Period = Period.DAY, hook_number: int | None = None
) -> Overview:
    """Count the attempts of an organization, or of one hook, over *period* up to now."""
    columns, hours = _COLUMNS[period]
    length = timedelta(hours=columns * hours)
    start = hour_of(work.now()) + HOUR - length
    if hook_number is None:
        counts = organization_hours.counts(
            work, organization_number=organization_number, start=start, columns=columns, hours=hours
        )
    else:
        counts = _counts_of_hook(work, hook_number, start=start, columns=columns, hours=hours)
    tallies = _tallies(counts)
    starts = [start + timedelta(hours=hours * place) for place in range(columns)]
    return Overview(
        period=period,
        columns=tuple(Column(moment, tallies.get(place, Tally())) for place, moment in enumerate(starts)),
        total=_sum([tally for place, tally in tallies.items() if 0 <= place < columns]),
        before=tallies.get(-1, Tally()),
    )


def _counts_of_hook(work: Work, hook_number: int, *, start: datetime, columns: int, hours: int) -> Counts:
    place = place_of(work.session, HookHour.hour, start=start, columns=columns, hours=hours).label("place")
    query = (
        select(place, HookHour.status_class, HookHour.bucket, func.sum(HookHour.count))
        .where(HookHour.hook_number == hook_number, HookHour.hour >= start)
        .group_by(place, HookHour.status_class, HookHour.bucket)
    )
    rows = work.session.execute(query)
    return Counter({(int(column), status, bucket): int(count) for column, status, bucket, count in rows})


def _tallies(counts: Counts) -> dict[int, Tally]:
    """Give the tally of each column by its place."""
    classes: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    buckets: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for (place, status, bucket), count in counts.items():
        classes[place][status] += count
        buckets[place][bucket] += count
    return {place: Tally(classes[place], buckets[place]) for place in classes}


def _sum(tallies: Sequence[Tally]) -> Tally:
    classes: dict[str, int] = defaultdict(int)
    buckets: dict[int, int] = defaultdict(int)
    for tally in tallies:
        for name, count in tally.classes.items():
            classes[name] += count
        for bucket, count in tally.buckets.items():
            buckets[bucket] += count
    return Tally(classes, buckets)


def sparks(work: Work, *, hooks: Sequence[Hook], hours: int = 24) -> dict[int, Spark]:
    """Count the attempts of each hook, hour by hour, by the hook's number."""
    since = hour_of(work.now()) - (hours - 1) * HOUR
    numbers = [hook.number for hook in hooks]
    delivered = {number: [0] * hours for number in numbers}
    failed = {number: [0] * hours for number in numbers}
    place = place_of(work.session, HookHour.hour, start=since, columns=hours, hours=1)
    rows = work.session.execute(
        select(HookHour.hook_number, place.label("place"), func.sum(HookHour.count), _DELIVERED)
        .where(among(work.session, HookHour.hook_number, numbers), HookHour.hour >= since)
        .group_by(HookHour.hook_number, "place")
    )
    for number, column, attempts, successes in rows:
        if 0 <= column < hours:
            delivered[number][column] = int(successes)
            failed[number][column] = int(attempts - successes)
    return {number: Spark(tuple(delivered[number]), tuple(failed[number])) for number in numbers}


def recent(work: Work, *, hook_numbers: Sequence[int], hours: int = 24) -> dict[int, tuple[int, int]]:
    """Count the attempts of each hook in the last hours, and those that were answered with a 2xx."""
    present = hour_of(work.now())
    within = HookHour.hour.between(present - (hours - 1) * HOUR, present)
    rows = work.session.execute(
        select(HookHour.hook_number, func.sum(HookHour.count), _DELIVERED)
        .where(among(work.session, HookHour.hook_number, hook_numbers), within)
        .group_by(HookHour.hook_number)
    )
    return {number: (int(attempts), int(successes)) for number, attempts, successes in rows}


def unheard_types(work: Work, *, organization_number: int, limit: int = 5) -> list[str]:
    """List the types of the latest events that no hook wanted, the most recent first."""
    latest = (
        select(Event.number, Event.type, Event.delivery_count)
        .where(Event.organization_number == organization_number, Event.is_test.is_(False))
        .order_by(Event.number.desc())
        .limit(RECENT_EVENTS)
        .subquery()
    )
    query = (
        select(latest.c.type)
        .where(latest.c.delivery_count == 0)
        .group_by(latest.c.type)
        .order_by(func.max(latest.c.number).desc())
        .limit(limit)
    )
    return list(work.session.scalars(query))


def has_events(work: Work, *, organization_number: int) -> bool:
    """Say whether anything was ever published or tested in an organization, as far as it is still kept."""
    query = select(Event.number).where(Event.organization_number == organization_number).limit(1)
    return work.session.scalar(query) is not None


def hook_count(work: Work, *, organization_number: int) -> int:
    """Count the hooks of an organization."""
    living = (Hook.organization_number == organization_number, Hook.deleted_at.is_(None))
    return work.session.scalar(select(func.count()).select_from(Hook).where(*living)) or 0


def lanes(work: Work) -> list[Lane]:
    """Say how each lane is served by workers that are alive."""
    last_beat = func.max(Worker.beat_at, type_=Worker.beat_at.type)
    rows = work.session.execute(
        select(Worker.lane, func.count(), func.sum(Worker.in_flight), last_beat)
        .where(Worker.stopped_at.is_(None), Worker.beat_at > work.now() - DEAD_AFTER)
        .group_by(Worker.lane)
    )
    alive = {name: Lane(name, int(count), int(in_flight or 0), beat_at) for name, count, in_flight, beat_at in rows}
    return [alive.get(name, Lane(name, 0, 0, None)) for name in LANES]
