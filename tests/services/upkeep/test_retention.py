"""What is deleted when it is old, and what stays."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from console.models import Attempt, Delivery, Event, HookHour, Replay, Which, Worker
from console.services.deliveries import deliveries
from console.services.replays import replays, steps
from console.services.replays.planning import ReplayDraft
from console.services.upkeep import beating, pruning, retention
from console.services.work import Work
from tests.engine import claim, delivery, hire, make_hook, publish, put, record, rows_of

pytestmark = pytest.mark.both_databases


def count(work: Work, model: type) -> int:
    return work.session.scalar(select(func.count()).select_from(model)) or 0


def deliver(work: Work, ada) -> int:
    make_hook(work, ada)
    [number] = publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    record(work, row)
    return number


def test_old_finished_events_go_with_their_deliveries_and_attempts(work: Work, ada, clock) -> None:
    deliver(work, ada)
    clock.advance(days=31)

    pruned = retention.prune(work)

    assert (pruned.events, pruned.place) == (1, None)
    assert [count(work, model) for model in (Event, Delivery, Attempt)] == [0, 0, 0]


def test_what_is_young_stays(work: Work, ada, clock) -> None:
    deliver(work, ada)
    clock.advance(days=29)

    assert retention.prune(work).events == 0


def test_an_event_stays_while_one_of_its_deliveries_waits(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    publish(work, ada)
    clock.advance(days=31)

    assert retention.prune(work).events == 0


def test_a_delivery_that_was_resent_lately_keeps_its_event(work: Work, ada, clock) -> None:
    number = deliver(work, ada)
    clock.advance(days=31)
    deliveries.resend(work, delivery=delivery(work, number))
    put(work, number, state="delivered", finished_at=work.now())

    assert retention.prune(work).events == 0


def test_a_shorter_time_can_be_asked_for(work: Work, ada, clock) -> None:
    deliver(work, ada)
    clock.advance(days=2)

    assert retention.prune(work, days=1).events == 1


def old_events(work: Work, ada, clock, number_of: int) -> list[int]:
    """Publish so many events, whose deliveries end, and let a month pass; give the numbers of the deliveries."""
    numbers = publish(work, ada, number_of)
    for number in numbers:
        put(work, number, state="delivered", finished_at=work.now())
    clock.advance(days=31)
    return numbers


def test_it_goes_in_small_steps_and_says_where_to_go_on(work: Work, ada, clock, monkeypatch) -> None:
    monkeypatch.setattr(pruning, "MOST_ROWS", 4)
    make_hook(work, ada)
    old_events(work, ada, clock, 5)

    first = retention.prune_events(work, most_s=0)
    assert (first.events, first.place is not None) == (2, True)
    rest = retention.prune_events(work, place=first.place or pruning.START)

    assert (rest.events, rest.place) == (3, None)
    assert count(work, Delivery) == 0


def test_what_weighs_much_goes_alone(work: Work, ada, clock, monkeypatch) -> None:
    monkeypatch.setattr(pruning, "MOST_BYTES", 10)
    make_hook(work, ada)
    old_events(work, ada, clock, 3)

    assert pruning.step(work, until=work.now(), place=pruning.START).events <= 1
    assert retention.prune_events(work).place is None
    assert (count(work, Event), count(work, Delivery)) == (0, 0)


def test_an_event_with_more_deliveries_than_go_at_once_goes_bit_by_bit(work: Work, ada, clock, monkeypatch) -> None:
    for _ in range(7):
        make_hook(work, ada)
    old_events(work, ada, clock, 2)
    monkeypatch.setattr(pruning, "MOST_ROWS", 3)

    first = pruning.step(work, until=work.now(), place=pruning.START)

    assert (first.events, count(work, Event), count(work, Delivery)) == (0, 2, 11)
    assert retention.prune(work).events == 2
    assert (count(work, Event), count(work, Delivery)) == (0, 0)


def test_old_events_that_stay_are_passed_and_what_comes_after_them_goes(work: Work, ada, clock, monkeypatch) -> None:
    monkeypatch.setattr(pruning, "WINDOW", 2)
    make_hook(work, ada)
    numbers = old_events(work, ada, clock, 6)
    for number in numbers[:5]:
        put(work, number, state="held", finished_at=None)

    assert retention.prune(work).events == 1
    assert count(work, Event) == 5


def test_old_rollups_and_workers_go_too(work: Work, ada, clock) -> None:
    deliver(work, ada)
    gone = hire(work)
    beating.retire(work, worker=gone)
    clock.advance(days=401)

    retention.prune(work)

    assert count(work, HookHour) == 0
    assert work.session.get(Worker, gone, populate_existing=True) is None


def test_a_replay_outlives_its_deliveries_and_goes_with_the_rollups(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    put(work, number, state="failed", next_attempt_at=None, finished_at=work.now())
    row = replays.start(work, organization_number=ada.organization.number, draft=ReplayDraft(which=Which.FAILED))
    for _ in range(2):
        steps.tend(work)
    put(work, number, state="delivered", finished_at=work.now())
    clock.advance(seconds=5)
    steps.tend(work)

    clock.advance(days=31)
    retention.prune(work)
    assert (count(work, Delivery), replays.progress_of(work, [row])[row.number].delivered) == (0, 1)

    clock.advance(days=370)
    retention.prune(work)
    assert count(work, Replay) == 0


def test_the_rollups_outlive_the_attempts_they_count(work: Work, ada, clock) -> None:
    deliver(work, ada)
    clock.advance(days=399)

    retention.prune(work)

    assert (count(work, Attempt), count(work, HookHour)) == (0, 1)
