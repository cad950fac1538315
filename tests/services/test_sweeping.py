"""What is done about dead workers, stepped clocks, and what is over; and who does it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from console.core.outcomes import Outcome
from console.models import HookState, Turn
from console.services import beating, deliveries, due, hooks, sweeping
from console.services.beating import DEAD_AFTER
from console.services.outbox import HELD_REASON
from console.services.sweeping import LOST_AFTER, PARKED_AFTER, Swept
from console.services.work import DELIVERIES, Work
from tests.engine import (
    attempts,
    claim,
    delivery,
    hire,
    make_hook,
    publish,
    put,
    record,
    rows_of,
    set_state,
    state_of,
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
    assert found.next_attempt_at == work.now() + timedelta(seconds=5)
    [attempt] = attempts(work, number)
    assert (attempt.outcome, attempt.charged) == ("interrupted", False)
    assert turns(work) == [None]


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


def test_each_death_in_a_row_doubles_the_wait_and_the_fifth_gives_up(work: Work, ada, clock) -> None:
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

    assert waits == [5, 10, 20, 40]
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


# --- the leader -----------------------------------------------------------------------------------------------------


def test_one_worker_leads_and_another_follows_when_it_is_silent(work: Work, clock) -> None:
    assert sweeping.lead(work, worker=1)
    assert not sweeping.lead(work, worker=2)
    clock.advance(seconds=3)
    assert sweeping.lead(work, worker=1)
    clock.advance(seconds=9)
    assert not sweeping.lead(work, worker=2)

    clock.advance(seconds=2)

    assert sweeping.lead(work, worker=2)
    assert not sweeping.lead(work, worker=1)


def test_the_lead_is_free_at_once_when_its_holder_resigns(work: Work) -> None:
    sweeping.lead(work, worker=1)

    sweeping.resign(work, worker=1)

    assert sweeping.lead(work, worker=2)


# --- time -----------------------------------------------------------------------------------------------------------


def test_attempts_that_a_wrong_clock_put_too_far_ahead_are_moved_back(work: Work, ada) -> None:
    make_hook(work, ada)
    far, near = publish(work, ada, 2)
    put(work, far, next_attempt_at=work.now() + timedelta(days=40))
    put(work, near, next_attempt_at=work.now() + timedelta(hours=20))

    assert sweeping.clamp(work) == 1

    assert delivery(work, far).next_attempt_at == work.now() + timedelta(hours=24 * 1.2)
    assert delivery(work, near).next_attempt_at == work.now() + timedelta(hours=20)


def test_a_long_delay_of_an_explicit_schedule_is_not_too_far(work: Work, ada) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 20 * 86_400})
    [number] = publish(work, ada)
    put(work, number, next_attempt_at=work.now() + timedelta(days=19))

    assert sweeping.clamp(work) == 0


def test_any_delay_that_a_random_policy_may_draw_is_not_too_far(work: Work, ada) -> None:
    make_hook(work, ada, retry={"kind": "random", "min": 0, "max": 7 * 86_400})
    [number] = publish(work, ada)
    put(work, number, next_attempt_at=work.now() + timedelta(days=6.9))

    assert sweeping.clamp(work) == 0


def test_a_clock_that_is_set_back_holds_no_hook_back(work: Work, ada, clock) -> None:
    hook = make_hook(work, ada, rate_limit={"count": 1, "seconds": 60})
    paused = make_hook(work, ada)
    publish(work, ada)
    clock.advance(days=3)
    worker = hire(work)
    claim(work, worker)
    set_state(work, paused, open_until=work.now())
    clock.advance(days=-3)

    sweeping.clamp(work)

    assert state_of(work, hook).next_send_at == work.now() + timedelta(seconds=60)
    assert state_of(work, paused).open_until == work.now() + timedelta(hours=24)


def test_what_was_published_while_a_clock_was_ahead_is_due_when_it_is_set_back(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    clock.advance(hours=20)
    [number] = publish(work, ada)
    clock.advance(hours=-20)

    assert sweeping.clamp(work) == 1
    assert delivery(work, number).next_attempt_at == work.now()


def test_a_worker_that_dies_after_its_clock_was_set_back_is_noticed(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    clock.advance(days=1)
    claim(work, hire(work))
    clock.advance(days=-1)

    sweeping.clamp(work)
    clock.advance(seconds=11)
    sweeping.sweep(work)

    assert delivery(work, number).state == "pending"


def test_a_leader_that_dies_after_its_clock_was_set_back_is_followed(work: Work, clock) -> None:
    clock.advance(days=1)
    sweeping.lead(work, worker=1)
    clock.advance(days=-1)

    assert sweeping.lead(work, worker=2)


def test_a_waiting_delivery_expires(work: Work, ada, clock) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 5, "expires_after": 60})
    [number] = publish(work, ada)
    clock.advance(seconds=61)

    assert sweeping.expire(work) == 1
    assert (delivery(work, number).state, delivery(work, number).finished_at) == ("failed", work.now())


# --- repairs --------------------------------------------------------------------------------------------------------


def test_a_hook_without_the_engines_rows_gets_them(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    publish(work, ada)
    work.session.execute(delete(HookState).where(HookState.hook_number == hook.number))
    work.session.execute(delete(Turn).where(Turn.hook_number == hook.number))
    work.session.commit()

    sweeping.repair(work)

    assert len(rows_of(claim(work, hire(work)))) == 1


def test_what_became_pending_as_its_hook_was_switched_off_is_settled(work: Work, ada) -> None:
    disabled, deleted = make_hook(work, ada), make_hook(work, ada)
    held, canceled = publish(work, ada)
    hooks.disable(work, hook=disabled)
    hooks.delete(work, hook=deleted)
    for number in (held, canceled):
        put(work, number, state="pending", next_attempt_at=work.now())

    assert sweeping.settle(work) == 2

    assert (delivery(work, held).state, delivery(work, canceled).state) == ("held", "canceled")


def test_what_was_held_as_its_hook_was_enabled_is_settled_and_what_is_to_be_kept_stays(work: Work, ada) -> None:
    hook, keeping, disabled = (make_hook(work, ada) for _ in range(3))
    missed, kept, waits = publish(work, ada)
    for one in (hook, keeping, disabled):
        hooks.disable(work, hook=one)
    held = {"state": "held", "waiting_reason": HELD_REASON, "next_attempt_at": None}
    hooks.enable(work, hook=hook)
    put(work, missed, **held)
    hooks.enable(work, hook=keeping, held="keep")

    assert sweeping.settle(work) == 1

    assert (delivery(work, missed).state, delivery(work, missed).next_attempt_at) == ("pending", work.now())
    assert [delivery(work, number).state for number in (kept, waits)] == ["held", "held"]


def test_what_was_held_as_its_hook_was_deleted_is_settled(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    hooks.delete(work, hook=hook)
    put(work, number, state="held", waiting_reason=HELD_REASON, finished_at=None)

    assert sweeping.settle(work) == 1
    assert (delivery(work, number).state, delivery(work, number).finished_at) == ("canceled", work.now())


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
