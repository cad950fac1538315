"""Hooks that send to one host and port share its silence: one fault, one probe, and all go on together."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from console.core.outcomes import Outcome
from console.models import Delivery, Destination, Hook, HookState, Turn
from console.services.deliveries import backlogs, deliveries
from console.services.engine import due, results, unsent
from console.services.engine.unsent import Fate
from console.services.hooks import hook_tests, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.upkeep import repairing, stepped_clocks
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from tests.engine import (
    attempts,
    claim,
    delivery,
    end,
    hire,
    make_hook,
    publish,
    put,
    record,
    rows_of,
    scalars,
    set_state,
    state_of,
)

pytestmark = pytest.mark.both_databases
FAILURES = 5
URL = "https://shop.example.com/{}"


@pytest.fixture
def dead(work: Work, ada) -> list[Hook]:
    """Five hooks on one host, each with a failure: nothing answers there."""
    made = [make_hook(work, ada, url=URL.format(index)) for index in range(FAILURES)]
    fail(work, ada)
    free_turns(work)
    return made


def fail(work: Work, person, outcome: Outcome = Outcome.CONNECT_TIMEOUT, **fields: object) -> None:
    """Let the first delivery of every hook fail."""
    publish(work, person)
    rows = rows_of(claim(work, hire(work)))
    results.record(work, ended=[end(work, row, outcome, **fields) for row in rows])


def free_turns(work: Work) -> None:
    work.session.execute(update(Turn).values(worker_number=None))
    work.session.commit()


def all_due(work: Work) -> None:
    """Let nothing but the circuits hold deliveries back, and no hook's own one."""
    work.session.execute(update(HookState).values(open_until=None, openings=0, lane=DELIVERIES))
    work.session.commit()


def destination(work: Work) -> Destination | None:
    found = scalars(work, select(Destination).execution_options(populate_existing=True))
    return found[0] if found else None


def test_failures_of_several_hooks_in_a_row_open_the_circuit_of_their_destination(work: Work, dead) -> None:
    found = destination(work)

    assert found is not None
    assert (found.name, found.failures, found.openings) == ("shop.example.com:443", FAILURES, 1)
    assert timedelta(seconds=24) <= found.open_until - work.now() <= timedelta(seconds=36)
    assert {state_of(work, hook).openings for hook in dead} == {0}


def test_the_hooks_of_a_dead_destination_wait_and_then_one_of_them_tries_it(work: Work, ada, dead, clock) -> None:
    all_due(work)
    publish(work, ada)
    worker = hire(work, lane=DELIVERIES_SLOW)

    assert claim(work, worker, lane=DELIVERIES_SLOW) == []
    assert due.due_lanes(work) == {}
    clock.advance(seconds=40)
    assert due.due_lanes(work).keys() == {DELIVERIES_SLOW}
    [probe] = rows_of(claim(work, worker, lane=DELIVERIES_SLOW))
    assert rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW)) == []

    record(work, probe, Outcome.TIMEOUT)

    found = destination(work)
    assert found is not None
    assert found.openings == 2
    assert timedelta(seconds=48) <= found.open_until - work.now() <= timedelta(seconds=72)


def test_hooks_behind_a_dead_destination_are_served_in_the_slow_lane_alone(work: Work, ada, dead, clock) -> None:
    all_due(work)
    publish(work, ada)
    clock.advance(seconds=40)

    assert claim(work, hire(work), lane=DELIVERIES) == []


def test_rows_that_wait_for_a_destination_which_turned_out_dead_are_unwanted(work: Work, ada) -> None:
    for index in range(FAILURES + 1):
        make_hook(work, ada, url=URL.format(index))
    publish(work, ada)
    *rows, last = rows_of(claim(work, hire(work)))
    work.session.execute(
        update(HookState).where(HookState.hook_number == last.hook_number).values(consecutive_failures=1)
    )
    work.session.commit()

    results.record(work, ended=[end(work, row, Outcome.CONNECTION_RESET) for row in rows])

    assert unsent.look_again(work, rows=[last], lane=DELIVERIES)[last.number].fate is Fate.UNWANTED


def test_an_answer_of_any_kind_ends_the_waiting_of_all(work: Work, ada, dead, clock, ring) -> None:
    all_due(work)
    publish(work, ada)
    clock.advance(seconds=40)
    [probe] = rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))
    ring.lanes.clear()

    record(work, probe, Outcome.SERVER_ERROR, status=500)

    assert destination(work) is None
    assert set(ring.lanes) == {DELIVERIES, DELIVERIES_SLOW}
    assert len(rows_of(claim(work, hire(work)))) >= len(dead) - 1


def test_a_probe_that_came_to_nothing_is_made_again(work: Work, ada, dead, clock) -> None:
    all_due(work)
    publish(work, ada)
    clock.advance(seconds=40)
    claim(work, hire(work), lane=DELIVERIES_SLOW)

    clock.advance(seconds=46)

    assert len(rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))) == 1


def test_a_hook_with_nothing_to_send_just_now_does_not_take_the_probe(work: Work, ada, dead, clock) -> None:
    """What killed its workers is sent alone, and what has expired not at all: the probe would be nobody's."""
    all_due(work)
    suspect, expired, *_ = publish(work, ada)
    put(work, suspect, interrupted=due.SUSPECT_AFTER)
    put(work, expired, expires_at=clock.now())
    work.session.execute(update(Delivery).where(Delivery.number < suspect).values(state="failed"))
    work.session.execute(
        update(Turn).where(Turn.hook_number.in_([one.number for one in dead[:2]])).values(served_at=None)
    )
    work.session.commit()
    clock.advance(seconds=40)

    [probe] = rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))

    assert probe.number not in {suspect, expired}


@pytest.mark.parametrize(
    ("outcome", "fields"),
    [
        (Outcome.SERVER_ERROR, {"status": 500}),
        (Outcome.CLIENT_ERROR, {"status": 404}),
        (Outcome.BLOCKED_ADDRESS, {}),
        (Outcome.SYSTEM_ERROR, {}),
        (Outcome.DNS_TEMPORARY, {"is_own_fault": True}),
    ],
)
def test_what_says_nothing_of_the_way_there_is_no_fault_of_the_destination(work: Work, ada, outcome, fields) -> None:
    for index in range(FAILURES):
        make_hook(work, ada, url=URL.format(index))

    fail(work, ada, outcome, **fields)

    assert destination(work) is None


def test_an_answer_between_failures_begins_the_count_anew(work: Work, ada) -> None:
    for index in range(FAILURES):
        make_hook(work, ada, url=URL.format(index))
    publish(work, ada)
    *rows, last = rows_of(claim(work, hire(work)))
    results.record(work, ended=[end(work, row, Outcome.TIMEOUT) for row in rows])

    record(work, last)

    assert destination(work) is None


def test_one_failing_hook_is_no_fault_of_its_destination(work: Work, ada) -> None:
    hook = make_hook(work, ada, url=URL.format(1))
    set_state(work, hook, concurrency=8)
    publish(work, ada, FAILURES)

    rows = rows_of(claim(work, hire(work)))
    results.record(work, ended=[end(work, row, Outcome.TIMEOUT) for row in rows])

    found = destination(work)
    assert found is not None
    assert (found.failures, found.openings) == (FAILURES, 0)
    assert state_of(work, hook).openings == 1


def test_another_organizations_hooks_on_the_same_host_go_on(work: Work, ada, dead, mallory) -> None:
    make_hook(work, mallory, url=URL.format("other"))
    publish(work, mallory)

    assert len(rows_of(claim(work, hire(work)))) == 1


def test_an_explicit_schedule_is_not_put_off_by_its_destination_but_goes_one_at_a_time(work: Work, ada, dead) -> None:
    all_due(work)
    exact = make_hook(work, ada, url=URL.format("exact"), retry={"kind": "fixed", "seconds": 5})
    set_state(work, exact, concurrency=8, consecutive_failures=1)
    publish(work, ada, 3)

    [grant] = claim(work, hire(work), lane=DELIVERIES_SLOW)

    assert (grant.hook_number, len(grant.rows), grant.limit) == (exact.number, 1, 1)


@pytest.mark.parametrize("ask", ["test", "resend"])
def test_what_a_person_asks_for_does_not_wait_for_the_destination(work: Work, ada, dead, ask) -> None:
    all_due(work)
    [number, *_] = publish(work, ada)
    if ask == "test":
        number = hook_tests.send(work, hook=dead[0]).number
    else:
        deliveries.resend(work, delivery=delivery(work, number))

    assert [row.number for row in rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))] == [number]


@pytest.mark.parametrize("ask", ["all that waits", "one delivery", "enable", "form"])
def test_who_wants_a_hook_tried_now_need_not_wait_for_its_destination(work: Work, ada, dead, ask) -> None:
    all_due(work)
    [number, *_] = publish(work, ada)
    assert claim(work, hire(work), lane=DELIVERIES_SLOW) == []

    if ask == "all that waits":
        backlogs.send_now(work, hook=dead[0])
    elif ask == "one delivery":
        deliveries.send_now(work, delivery=delivery(work, number))
    else:
        hooks.disable(work, hook=dead[0])
        if ask == "enable":
            hooks.enable(work, hook=dead[0])
        else:
            hooks.change(work, hook=dead[0], draft=HookDraft(is_active=True))

    assert len(rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))) == 1
    assert claim(work, hire(work), lane=DELIVERIES_SLOW) == []


def test_a_destination_that_is_tried_already_is_not_tried_twice_at_once(work: Work, ada, dead, clock) -> None:
    all_due(work)
    publish(work, ada)
    clock.advance(seconds=40)
    assert len(rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))) == 1

    backlogs.send_now(work, hook=dead[0])

    assert claim(work, hire(work), lane=DELIVERIES_SLOW) == []


def test_switching_a_hook_on_where_it_moves_to_ends_the_pause_there_and_not_where_it_was(work: Work, ada, dead) -> None:
    moving = make_hook(work, ada, url="https://elsewhere.example.com/", is_active=False)

    hooks.change(work, hook=dead[0], draft=HookDraft(is_active=False))
    hooks.change(work, hook=dead[0], draft=HookDraft(url="https://elsewhere.example.com/", is_active=True))
    assert is_paused(work)

    hooks.change(work, hook=moving, draft=HookDraft(url=URL.format(9), is_active=True))
    assert not is_paused(work)


def is_paused(work: Work) -> bool:
    found = destination(work)
    return found is not None and found.open_until is not None and found.open_until > work.now()


def test_a_hook_that_moves_elsewhere_waits_no_longer(work: Work, ada, dead) -> None:
    all_due(work)
    hooks.change(work, hook=dead[0], draft=HookDraft(url="https://elsewhere.example.com/"))
    publish(work, ada)

    assert {row.hook_number for row in rows_of(claim(work, hire(work)))} == {dead[0].number}


def test_waiting_for_a_destination_costs_nothing_of_the_budget(work: Work, ada, dead, clock) -> None:
    all_due(work)
    [number, *_] = publish(work, ada)
    clock.advance(seconds=20)
    claim(work, hire(work), lane=DELIVERIES_SLOW)

    assert (delivery(work, number).chain_failures, attempts(work, number)) == (0, [])


def test_hooks_that_hardly_get_an_attempt_of_their_own_are_disabled_by_their_destinations_failures(
    work: Work, ada, dead, clock
) -> None:
    since = work.now() - timedelta(days=6)
    all_due(work)
    set_state(work, dead[0], failing_since=since, failed_attempts=2, last_failure_at=since + timedelta(days=1))
    work.session.execute(update(Destination).values(failures=40))
    work.session.commit()
    [number, *_] = publish(work, ada)
    for other in dead[1:]:
        hooks.delete(work, hook=other)
    clock.advance(seconds=40)
    for row in rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW)):
        record(work, row, Outcome.TIMEOUT)

    work.session.refresh(dead[0])
    assert not dead[0].is_active
    assert delivery(work, number).state == "held"


def test_a_destination_without_hooks_is_forgotten(work: Work, dead) -> None:
    for hook in dead:
        hooks.delete(work, hook=hook)

    repairing.repair(work)

    assert destination(work) is None


def test_a_pause_that_a_stepped_clock_made_endless_is_shortened(work: Work, dead) -> None:
    work.session.execute(update(Destination).values(open_until=work.now() + timedelta(days=300)))
    work.session.commit()

    stepped_clocks.clamp(work)

    found = destination(work)
    assert found is not None
    assert found.open_until <= work.now() + timedelta(days=1)


def test_four_4xx_and_a_5xx_do_not_open_a_hooks_circuit(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    set_state(work, hook, consecutive_failures=4, circuit_failures=0)
    [number] = publish(work, ada)
    put(work, number, next_attempt_at=work.now())
    [row] = rows_of(claim(work, hire(work)))

    record(work, row, Outcome.SERVER_ERROR, status=500)

    assert (state_of(work, hook).openings, state_of(work, hook).circuit_failures) == (0, 1)
