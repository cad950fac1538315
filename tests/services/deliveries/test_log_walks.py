"""The log's periods, when the clock that dated its rows was wrong for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, inspect, select

from console.models import ClockStep, Delivery, Event, Which
from console.services.deliveries import deliveries, log_walks
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.replays import selection
from console.services.replays.selection import Scope
from console.services.upkeep import retention, stepped_clocks
from console.services.work import Work
from tests.engine import make_hook, publish, scalars
from tests.fuzz import through_the_app

pytestmark = pytest.mark.both_databases
MODELS = (Delivery, Event)
LEAST = datetime.min.replace(tzinfo=UTC)
MOST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Phase:
    """How long a clock was wrong in the same way, in seconds: *step* is how it was set when that began.

    *early* events were published before the leader looked, one a second, then *count*, one in *every* seconds;
    *replayed* deliveries were made at the end, of older events, after another event.
    """

    step: int
    early: int
    count: int
    every: int
    replayed: int = 0


class Log:
    """Writes rows as publishers, replays and the leader do, with ids that publishers chose."""

    def __init__(self, work: Work, person: Any, clock: Any) -> None:
        self.work, self._clock = work, clock
        self._begun = clock.now()
        first = make_hook(work, person).number
        [number] = publish(work, person)
        self._hooks = first, make_hook(work, person).number
        made = work.session.get_one(Delivery, number)
        self._event = _columns(work.session.get_one(Event, made.event_number))
        self._delivery = _columns(made)
        work.session.commit()

    def clear(self) -> None:
        """Begin anew; the numbers go on."""
        for model in (ClockStep, Event):
            self.work.session.execute(delete(model))
        self.work.session.commit()
        self._clock.moment = self._begun

    def live_through(self, phase: Phase) -> None:
        self._clock.advance(seconds=phase.step)
        events = self._publish(phase.early, every=1)
        stepped_clocks.note(self.work)
        events += self._publish(phase.count, every=phase.every)
        if phase.replayed:
            events += self._publish(1, every=0)
            missing = select(Event.number).where(Event.number <= events[-1]).order_by(Event.number)
            missing = missing.where(Event.number.not_in(self._served(self._hooks[1])))
            self._serve(scalars(self.work, missing.limit(phase.replayed)), hook=self._hooks[1], every=0)

    def _publish(self, count: int, *, every: int) -> list[int]:
        begun = self._clock.now()
        rows = [self._event | {"id": uuid4(), "created_at": begun + timedelta(seconds=every * n)} for n in range(count)]
        if not rows:
            return []
        made = insert(Event).returning(Event.number, sort_by_parameter_order=True)
        numbers = list(self.work.session.scalars(made, rows))
        self._serve(numbers, hook=self._hooks[0], every=every)
        self._clock.advance(seconds=every * count)
        return numbers

    def _serve(self, events: list[int], *, hook: int, every: int) -> None:
        rows = [
            self._delivery
            | {"id": uuid4(), "event_number": number, "hook_number": hook}
            | {"created_at": self._clock.now() + timedelta(seconds=every * n)}
            for n, number in enumerate(events)
        ]
        if rows:
            self.work.session.execute(insert(Delivery), rows)
        self.work.session.commit()

    @staticmethod
    def _served(hook: int) -> Any:
        return select(Delivery.event_number).where(Delivery.hook_number == hook)


def _columns(row: Any) -> dict[str, Any]:
    """Give what another row like it needs."""
    return {
        column.key: getattr(row, column.key) for column in inspect(type(row)).column_attrs if column.key != "number"
    }


@pytest.fixture
def log(work: Work, ada, clock) -> Log:
    log = Log(work, ada, clock)
    log.clear()
    return log


def check_periods(work: Work, moments: list[datetime]) -> None:
    """Hold what a period finds by its numbers against what a plain filter finds, whatever the period."""
    for model in MODELS:
        rows = work.session.execute(select(model.number, model.created_at)).all()
        for moment in moments:
            first = log_walks.first_since(work.session, model, moment)
            last = log_walks.last_until(work.session, model, moment)
            assert [row for row in rows if row.created_at >= moment and row.number < first] == []
            assert [row for row in rows if row.created_at < moment and row.number > last] == []
    work.session.rollback()


def boundaries(work: Work) -> list[datetime]:
    """Give moments at which a period finds other rows than before, each end of time among them."""
    made = {moment for model in MODELS for moment in scalars(work, select(model.created_at))}
    return [LEAST, *sorted(made), *sorted(moment + timedelta(seconds=1) for moment in made), MOST]


STEPS = [
    pytest.param([Phase(0, 0, 40, 20), Phase(3600, 3, 60, 20), Phase(-3600, 3, 80, 20)], id="ahead once"),
    pytest.param(
        [Phase(0, 0, 40, 9)] + 2 * [Phase(7200, 1, 60, 9), Phase(-7200, 5, 80, 9)],
        id="ahead twice",
    ),
    pytest.param(
        [
            Phase(0, 0, 40, 9),
            Phase(7200, 1, 60, 9),
            Phase(-7200, 1, 80, 9),
            Phase(900, 1, 60, 9),
            Phase(-900, 1, 80, 9),
        ],
        id="ahead a second time while what was dated first lies ahead",
    ),
    pytest.param(
        [Phase(0, 0, 40, 9), Phase(7200, 1, 60, 9), Phase(-3600, 1, 50, 9), Phase(-3600, 1, 80, 9)],
        id="set back by halves",
    ),
    pytest.param([Phase(0, 0, 40, 9), Phase(-7200, 2, 60, 9), Phase(7200, 2, 80, 9)], id="behind once"),
    pytest.param([Phase(0, 0, 40, 1), Phase(-20, 0, 40, 1)], id="set back by too little to be noted"),
    pytest.param(
        [Phase(0, 0, 200, 1), Phase(3600, 2, 10, 1, replayed=150), Phase(-3600, 4, 60, 1, replayed=50)],
        id="replays made most deliveries",
    ),
]


@pytest.mark.parametrize("phases", STEPS)
def test_whatever_period_is_asked_for_its_numbers_cover_its_rows(log: Log, phases: list[Phase]) -> None:
    for phase in phases:
        log.live_through(phase)

    moments = boundaries(log.work)
    check_periods(log.work, [*moments[::11], moments[-1]])


@settings(through_the_app())
@given(
    phases=st.lists(
        st.builds(
            Phase,
            step=st.sampled_from([0, 20, 45, 61, 600, 3600, 86_400]).flatmap(lambda by: st.sampled_from([by, -by])),
            early=st.integers(0, 5),
            count=st.integers(0, 40),
            every=st.sampled_from([0, 1, 30, 300]),
            replayed=st.integers(0, 30),
        ),
        min_size=1,
        max_size=6,
    ),
    data=st.data(),
)
def test_a_period_finds_what_a_plain_filter_finds_whatever_the_clocks_did(
    log: Log, phases: list[Phase], data: st.DataObject
) -> None:
    log.clear()
    for phase in phases:
        log.live_through(phase)
    moments = boundaries(log.work)
    check_periods(log.work, data.draw(st.lists(st.sampled_from(moments), min_size=1, max_size=8)))


AHEAD = [Phase(0, 0, 40, 20), Phase(7200, 0, 60, 20), Phase(-7200, 5, 80, 20)]


def of(work: Work, person: Any, **period: datetime) -> list[int]:
    wanted = DeliveryFilter(**period)
    rows = deliveries.find(work, organization_number=person.organization.number, wanted=wanted, limit=500)
    return sorted(row.number for row in rows)


def test_the_log_finds_what_was_made_before_while_and_after_a_clock_was_ahead(log: Log, work: Work, ada, clock) -> None:
    for phase in AHEAD:
        log.live_through(phase)
    numbers = scalars(work, select(Delivery.number).order_by(Delivery.number))
    before, ahead, after = numbers[:40], numbers[40:100], numbers[100:]

    assert of(work, ada, until=clock.now()) == before + after
    assert of(work, ada, since=clock.now()) == ahead
    assert of(work, ada, since=clock.now() - timedelta(seconds=20 * 10)) == ahead + after[-10:]


def test_a_replay_reaches_all_that_was_made_in_its_period(log: Log, work: Work, ada, clock) -> None:
    for phase in AHEAD:
        log.live_through(phase)
    numbers = scalars(work, select(Delivery.number).order_by(Delivery.number))
    begun = clock.now() - timedelta(seconds=20 * 10)
    scope = Scope(organization_number=ada.organization.number, which=Which.ALL, since=begun, until=clock.now())

    reach = selection.reach_of(work, scope)

    assert reach.first_delivery <= numbers[-10]
    assert reach.last_delivery == numbers[-1]


def test_a_period_is_as_narrow_as_the_disorder_allows(log: Log, work: Work, clock) -> None:
    for phase in AHEAD:
        log.live_through(phase)
    numbers = scalars(work, select(Event.number).order_by(Event.number))
    rows_of_disorder = log_walks.DISORDER.seconds // 20

    later = log_walks.first_since(work.session, Event, clock.now() + timedelta(hours=1))
    earlier = log_walks.last_until(work.session, Event, clock.now() - timedelta(seconds=20 * 80 + 200))

    assert numbers[40] <= later < numbers[100]
    assert earlier <= numbers[39 + rows_of_disorder]


def test_a_step_that_is_noted_meanwhile_counts_for_the_next_page(log: Log, work: Work, clock) -> None:
    for phase in AHEAD[:2]:
        log.live_through(phase)
    clock.advance(hours=-2)
    newest = log_walks.newest(work.session, Event)
    log_walks.last_until(work.session, Event, clock.now())
    work.session.rollback()
    stepped_clocks.note(work)

    assert log_walks.last_until(work.session, Event, clock.now() - timedelta(seconds=20 * 62)) < newest - 59


def test_a_step_is_noted_once(log: Log, work: Work) -> None:
    for phase in AHEAD:
        log.live_through(phase)
    numbers = [scalars(work, select(model.number).order_by(model.number))[99] for model in (Event, Delivery)]

    assert stepped_clocks.note(work) == 0
    assert [(row.event_number, row.delivery_number) for row in scalars(work, select(ClockStep))] == [tuple(numbers)]


def test_nothing_is_noted_for_a_clock_that_is_right_or_nearly_so(log: Log, work: Work) -> None:
    for phase in (Phase(0, 1, 5, 20), Phase(20, 1, 5, 20), Phase(-20, 1, 5, 20), Phase(3600, 1, 5, 20)):
        log.live_through(phase)

    assert scalars(work, select(ClockStep)) == []


def test_a_step_goes_when_retention_has_passed_it(log: Log, work: Work, clock) -> None:
    for phase in AHEAD:
        log.live_through(phase)
    numbers = scalars(work, select(Event.number).order_by(Event.number))

    retention.prune_events(work)
    assert len(scalars(work, select(ClockStep))) == 1
    work.session.execute(delete(Event).where(Event.number <= numbers[99]))
    work.session.commit()
    retention.prune_events(work)

    assert scalars(work, select(ClockStep)) == []
