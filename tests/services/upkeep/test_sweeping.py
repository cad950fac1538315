"""What is done about dead workers, and about what is over."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from console.core.outcomes import Outcome
from console.models import Turn
from console.services.deliveries import deliveries
from console.services.engine import due
from console.services.hooks import hooks
from console.services.upkeep import beating, leading, sweeping
from console.services.upkeep.beating import DEAD_AFTER
from console.services.upkeep.sweeping import LOST_AFTER, PARKED_AFTER, Swept
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from tests.engine import (
    attempts,
    claim,
    delivery,
    hire,
    make_hook,
    publish,
    record,
    rows_of,
)

pytestmark = pytest.mark.both_databases
LATE = DEAD_AFTER + timedelta(seconds=1)


def turns(work: Work) -> list[int | None]:
    return list(work.session.scalars(select(Turn.worker_number)))


def test_a_worker_that_stopped_beating_is_dead_and_what_it_held_is_free(work: Work, ada, clock) -> None:
    make_hook(work, ada, max_in_flight=8)
    [number] = publish(work, ada)
    claim(work, hire(work))
    clock.advance(seconds=LATE.total_seconds())

    swept = sweeping.sweep(work)

    assert swept == Swept(workers=1, freed=1, parked=0)
    found = delivery(work, number)
    assert (found.state, found.claimed_by, found.interrupted, found.chain_failures) == ("pending", None, 1, 0)
    assert found.next_attempt_at == work.now() + timedelta(seconds=0.5)
    [attempt] = attempts(work, number)
    assert (attempt.outcome, attempt.charged) == ("interrupted", False)
    assert turns(work) == [None]


def test_a_worker_whose_process_has_ended_loses_what_it_held_at_once(work: Work, ring, ada) -> None:
    """Its beat is a moment old: nobody waits until it runs out, neither for its hooks nor for its lead."""
    make_hook(work, ada, max_in_flight=8)
    [number] = publish(work, ada)
    doomed, other = hire(work, pid=1), hire(work, pid=2)
    claim(work, doomed)
    assert leading.lead(work, worker=doomed)
    ring.lanes.clear()

    swept = sweeping.bury(work, workers=[doomed])

    assert swept == Swept(workers=0, freed=1, parked=0)
    assert (delivery(work, number).state, turns(work)) == ("pending", [None])
    assert not beating.beat(work, worker=doomed, in_flight=0)
    assert beating.beat(work, worker=other, in_flight=0)
    assert leading.lead(work, worker=other)
    assert ring.lanes == [DELIVERIES, DELIVERIES_SLOW]


def test_neighbours_are_the_other_living_workers_of_the_same_pid_space(work: Work) -> None:
    me, near, retired = (
        beating.register(work, lane=DELIVERIES, host="a", pid=pid, pid_space="here", version="0") for pid in (1, 2, 3)
    )
    beating.register(work, lane=DELIVERIES, host="a", pid=4, pid_space="elsewhere", version="0")
    hire(work, pid=5)
    beating.retire(work, worker=retired)

    assert beating.neighbours(work, worker=me, pid_space="here") == {near: 2}
    assert beating.neighbours(work, worker=me, pid_space=None) == {}


def test_a_worker_that_beats_keeps_what_it_holds(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    publish(work, ada)
    worker = hire(work)
    claim(work, worker)
    clock.advance(seconds=9)
    assert beating.beat(work, worker=worker, in_flight=1)
    clock.advance(seconds=9)

    assert sweeping.sweep(work) == Swept()


def test_a_worker_that_was_declared_dead_is_told_so_at_its_next_beat(work: Work, clock) -> None:
    worker = hire(work)
    clock.advance(seconds=LATE.total_seconds())
    sweeping.sweep(work)

    assert not beating.beat(work, worker=worker, in_flight=0)


def test_what_a_retired_worker_left_is_free_at_once(work: Work, ada) -> None:
    make_hook(work, ada)
    publish(work, ada)
    worker = hire(work)
    claim(work, worker)
    beating.retire(work, worker=worker)

    assert sweeping.sweep(work).freed == 1


def test_one_death_costs_half_a_second_each_further_one_doubles_the_wait_and_the_fifth_gives_up(
    work: Work, ada, clock
) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    waits = []

    for count in range(PARKED_AFTER):
        assert len(rows_of(claim(work, hire(work), alone=count >= 2))) == 1
        clock.advance(seconds=LATE.total_seconds())
        sweeping.sweep(work)
        found = delivery(work, number)
        if found.next_attempt_at is not None:
            waits.append((found.next_attempt_at - work.now()).total_seconds())
            clock.advance(seconds=waits[-1])

    assert waits == [0.5, 10, 20, 40]
    assert (found.state, found.waiting_reason) == ("failed", "The worker died each time it was attempted.")
    assert [attempt.number for attempt in attempts(work, number)] == [1, 2, 3, 4, 5]


def test_an_attempt_that_came_to_its_end_clears_the_count_of_deaths(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    claim(work, hire(work))
    clock.advance(seconds=LATE.total_seconds())
    sweeping.sweep(work)
    clock.advance(seconds=5)

    [row] = rows_of(claim(work, hire(work)))
    record(work, row)

    assert (delivery(work, number).interrupted, delivery(work, number).state) == (0, "delivered")


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda work, hook, _: hooks.disable(work, hook=hook), "held"),
        (lambda work, hook, _: hooks.delete(work, hook=hook), "canceled"),
        (lambda work, _, number: deliveries.cancel(work, delivery=delivery(work, number)), "canceled"),
    ],
    ids=["hook disabled", "hook deleted", "canceled"],
)
def test_an_interrupted_delivery_that_nobody_wants_any_more_is_not_sent_again(
    work: Work, ada, clock, change, state
) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    claim(work, hire(work))
    change(work, hook, number)
    clock.advance(seconds=LATE.total_seconds())

    sweeping.sweep(work)

    assert (delivery(work, number).state, delivery(work, number).next_attempt_at) == (state, None)


def test_what_a_living_worker_lost_sight_of_is_freed_in_the_end(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    publish(work, ada)
    worker = hire(work)
    claim(work, worker)
    clock.advance(seconds=LOST_AFTER.total_seconds() + 1)
    beating.beat(work, worker=worker, in_flight=0)

    assert sweeping.sweep(work) == Swept(freed=1)


def test_a_waiting_delivery_expires(work: Work, ada, clock) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 5, "expires_after": 60})
    [number] = publish(work, ada)
    clock.advance(seconds=61)

    assert sweeping.expire(work) == 1
    assert (delivery(work, number).state, delivery(work, number).finished_at) == ("failed", work.now())


def test_a_turn_that_its_living_worker_lost_sight_of_is_freed(work: Work, ada, clock) -> None:
    """Its letting go did not reach the database, and nothing else would wake that worker for this hook."""
    make_hook(work, ada)
    worker = hire(work)
    [first] = publish(work, ada)
    [row] = rows_of(claim(work, worker))
    record(work, row, Outcome.SERVER_ERROR, status=500)
    for _ in range(20):
        clock.advance(seconds=9)
        beating.beat(work, worker=worker, in_flight=0)
    assert due.due_lanes(work) == {}

    sweeping.sweep(work)

    assert list(due.due_lanes(work)) == [DELIVERIES]
    assert delivery(work, first).state == "pending"
