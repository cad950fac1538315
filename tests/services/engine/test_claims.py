"""Free turns become claimed rows, and rows that were not begun go back as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from console.models import Turn, Which
from console.services.deliveries import deliveries
from console.services.engine import due, unsent
from console.services.engine.turns import Seat
from console.services.engine.wants import MOST_ROWS, MOST_TURNS
from console.services.hooks import hook_tests, hooks
from console.services.replays import replays, steps
from console.services.replays.planning import ReplayDraft
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
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
)

pytestmark = pytest.mark.both_databases


def test_a_claimed_delivery_has_its_attempt_row_before_anything_is_sent(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    worker = hire(work)

    [row] = rows_of(claim(work, worker))

    assert (row.number, row.attempt, row.claim_no, row.worker) == (number, 1, 1, worker)
    assert row.event.payload == b'{"n":0}'
    assert (delivery(work, number).state, delivery(work, number).claimed_by) == ("sending", worker)
    [attempt] = attempts(work, number)
    assert (attempt.number, attempt.outcome, attempt.url, attempt.started_at) == (1, None, hook.url, work.now())


def test_a_row_is_claimed_once(work: Work, ada) -> None:
    make_hook(work, ada)
    publish(work, ada)

    first, second = claim(work, hire(work)), claim(work, hire(work))

    assert (len(rows_of(first)), second) == (1, [])


def test_what_is_not_due_yet_stays(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    put(work, number, next_attempt_at=work.now() + timedelta(seconds=10))
    worker = hire(work)

    assert claim(work, worker) == []
    clock.advance(seconds=10)
    assert len(rows_of(claim(work, worker))) == 1


def test_a_new_hook_gets_little_and_a_proven_one_four_rows_for_each_request_in_flight(work: Work, ada) -> None:
    new = make_hook(work, ada, max_in_flight=16)
    proven = make_hook(work, ada, max_in_flight=16)
    set_state(work, proven, concurrency=16)
    publish(work, ada, 80)

    grants = claim(work, hire(work))

    assert {(grant.hook_number, grant.slot): (grant.cap, len(grant.rows)) for grant in grants} == {
        (new.number, 0): (1, 4),
        (proven.number, 0): (8, 32),
        (proven.number, 1): (8, 32),
    }


def test_a_serial_hook_gets_one_row_at_a_time_in_order_of_creation(work: Work, ada) -> None:
    hook = make_hook(work, ada, max_in_flight=1)
    numbers = publish(work, ada, 3)
    worker = hire(work)
    sent = []

    for _ in numbers:
        [row] = rows_of(claim(work, worker))
        assert claim(work, worker, held={(hook.number, 0): Seat(waiting=0, in_flight=1)}) == []
        record(work, row)
        sent.append(row.number)

    assert sent == numbers


def test_a_claim_takes_a_limited_number_of_rows_and_serves_the_longest_unserved_first(work: Work, ada, clock) -> None:
    made = [make_hook(work, ada, max_in_flight=8) for _ in range(10)]
    for hook in made:
        set_state(work, hook, concurrency=8)
    publish(work, ada, 40)
    worker = hire(work)

    first = claim(work, worker)
    clock.advance(seconds=1)
    second = claim(work, hire(work))

    assert sum(len(grant.rows) for grant in first) == MOST_ROWS
    assert {grant.hook_number for grant in second}.isdisjoint(grant.hook_number for grant in first)


def test_a_hook_with_a_backlog_does_not_keep_the_others_waiting(work: Work, ada, clock) -> None:
    large = make_hook(work, ada, event_types=["bulk.done"], all_events=False)
    small = make_hook(work, ada, event_types=["order.paid"], all_events=False)
    publish(work, ada, 200, type="bulk.done")
    publish(work, ada, 1, type="order.paid")
    worker = hire(work)

    served = {grant.hook_number for grant in claim(work, worker)}

    assert served == {large.number, small.number}


def test_a_turn_is_held_by_one_worker_until_it_lets_go(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    publish(work, ada, 20)
    one, other = hire(work), hire(work)
    grants = claim(work, one)

    assert claim(work, other) == []
    unsent.give_back(work, worker=one, rows=rows_of(grants), turns=[(hook.number, 0)])
    assert len(rows_of(claim(work, other))) == 4


def test_idle_turns_are_let_go_in_the_same_step(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    publish(work, ada)
    worker = hire(work)
    [row] = rows_of(claim(work, worker))
    record(work, row)

    claim(work, worker, idle=[(hook.number, 0)])

    assert work.session.scalars(select(Turn.worker_number).where(Turn.hook_number == hook.number)).all() == [None, None]


def test_lanes_do_not_see_each_others_hooks(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    set_state(work, hook, lane=DELIVERIES_SLOW)
    publish(work, ada)
    worker = hire(work)

    assert claim(work, worker, lane=DELIVERIES) == []
    assert len(rows_of(claim(work, worker, lane=DELIVERIES_SLOW))) == 1


def test_hooks_of_an_organization_that_takes_up_the_senders_come_last(work: Work, ada, mallory, clock) -> None:
    crowd = [make_hook(work, ada) for _ in range(40)]
    publish(work, ada)
    late = make_hook(work, mallory)
    publish(work, mallory)
    work.session.execute(update(Turn).where(Turn.hook_number == late.number).values(served_at=work.now()))
    work.session.commit()
    crowding = crowd[0].organization_number

    without = {grant.hook_number for grant in claim(work, hire(work))}
    grants = claim(work, hire(work), crowding=crowding)

    assert late.number not in without
    assert grants[0].hook_number == late.number
    assert {grant.organization_number for grant in grants} == {crowding, late.organization_number}


# --- waiting hooks --------------------------------------------------------------------------------------------------


def test_an_open_circuit_holds_deliveries_back_and_then_lets_one_probe_through(work: Work, ada, clock) -> None:
    hook = make_hook(work, ada)
    publish(work, ada, 5)
    set_state(work, hook, open_until=work.now() + timedelta(seconds=30), openings=1, concurrency=8)
    worker = hire(work)

    assert claim(work, worker) == []
    assert due.due_lanes(work) == {}
    clock.advance(seconds=30)
    [grant] = claim(work, worker)
    assert (len(grant.rows), grant.cap, grant.limit) == (1, 1, 1)


def test_an_explicit_schedule_is_not_put_off_by_a_circuit(work: Work, ada) -> None:
    hook = make_hook(work, ada, retry={"kind": "fixed", "seconds": 5})
    publish(work, ada, 5)
    set_state(work, hook, open_until=work.now() + timedelta(seconds=30), openings=1)

    assert len(rows_of(claim(work, hire(work)))) == 1


def test_a_test_send_does_not_wait_for_the_circuit(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    publish(work, ada, 5)
    set_state(work, hook, open_until=work.now() + timedelta(seconds=30), openings=1)
    sent = hook_tests.send(work, hook=hook)

    assert [row.number for row in rows_of(claim(work, hire(work)))] == [sent.number]


def test_a_rate_limit_spreads_attempts_over_time(work: Work, ada, clock) -> None:
    make_hook(work, ada, rate_limit={"count": 10, "seconds": 1})
    publish(work, ada, 50)
    worker = hire(work)
    taken = 0

    for _ in range(100):
        taken += len(rows_of(claim(work, worker)))
        clock.advance(milliseconds=20)

    assert 20 <= taken <= 23


def test_the_end_of_a_rate_limits_pause_is_known(work: Work, ada) -> None:
    make_hook(work, ada, rate_limit={"count": 1, "seconds": 60})
    publish(work, ada, 2)

    claim(work, hire(work))

    assert due.next_limited(work, lane=DELIVERIES, at=work.now()) == work.now() + timedelta(seconds=60)
    assert due.due_lanes(work) == {}


def test_what_became_pending_while_its_hook_was_disabled_is_not_claimed_but_a_resend_is(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    stray, resent = publish(work, ada, 2)
    hooks.disable(work, hook=hook)
    put(work, stray, state="pending", next_attempt_at=work.now())
    deliveries.resend(work, delivery=delivery(work, resent))

    assert [row.number for row in rows_of(claim(work, hire(work)))] == [resent]


def test_what_is_past_its_expiry_fails_instead_of_being_sent(work: Work, ada, clock) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 5, "expires_after": 60})
    [number] = publish(work, ada)
    clock.advance(seconds=61)

    assert claim(work, hire(work)) == []
    assert delivery(work, number).state == "failed"
    assert attempts(work, number) == []


def test_the_default_schedule_by_name_is_as_exact_as_the_settings_make_it(work: Work, ada) -> None:
    work = replace(work, settings=work.settings.model_copy(update={"retry_schedule": "10,60"}))
    assert work.settings.default_retry is not None
    hook = make_hook(work, ada, retry={"kind": "schedule", "attempts": 2})
    publish(work, ada)
    set_state(work, hook, open_until=work.now() + timedelta(hours=1), openings=3)

    assert len(claim(work, hire(work))) == 1


def test_a_probe_is_one_request_also_for_a_hook_with_several_turns(work: Work, ada) -> None:
    hook = make_hook(work, ada, max_in_flight=32)
    publish(work, ada, 4)
    set_state(work, hook, concurrency=32, openings=1)
    worker = hire(work)

    first = claim(work, worker)
    again = claim(work, worker, held={(hook.number, 0): Seat(0, 1)})
    beside = claim(work, hire(work))

    assert [len(rows_of(grants)) for grants in (first, again, beside)] == [1, 0, 0]


def test_what_is_replayed_comes_after_what_was_published_since(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    old = publish(work, ada, 6)
    for number in old:
        put(work, number, state="failed", next_attempt_at=None)
    replays.start(work, organization_number=ada.organization.number, draft=ReplayDraft(which=Which.FAILED))
    for _ in range(2):
        steps.tend(work)
    assert {delivery(work, number).state for number in old} == {"pending"}
    clock.advance(seconds=1)
    fresh = publish(work, ada, 2)

    [grant] = claim(work, hire(work))

    numbers = [row.number for row in grant.rows]
    assert len(numbers) == 4
    assert set(numbers) > set(fresh)
    assert set(numbers) - set(fresh) == set(old[:2])
    assert hook.is_active


# --- suspects -------------------------------------------------------------------------------------------------------


def test_a_delivery_that_killed_two_workers_is_claimed_alone(work: Work, ada) -> None:
    make_hook(work, ada)
    suspect, other = publish(work, ada, 2)
    put(work, suspect, interrupted=2)
    worker = hire(work)

    assert [row.number for row in rows_of(claim(work, worker))] == [other]
    assert [row.number for row in rows_of(claim(work, worker, alone=True))] == [suspect]


def test_hooks_with_nothing_but_deliveries_that_killed_workers_leave_the_others_room(work: Work, ada, clock) -> None:
    for _ in range(MOST_TURNS + 1):
        make_hook(work, ada, all_events=False, event_types=["bad"])
    for number in publish(work, ada, type="bad"):
        put(work, number, interrupted=due.SUSPECT_AFTER)
    healthy = make_hook(work, ada)
    for _ in range(2):
        publish(work, ada)
        clock.advance(seconds=1)
        grants = claim(work, worker := hire(work))
        assert [grant.hook_number for grant in grants] == [healthy.number]
        for row in rows_of(grants):
            record(work, row)
        claim(work, worker, idle=[(healthy.number, 0)])


def test_due_work_is_known_by_lane_with_the_age_of_the_oldest(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    publish(work, ada)
    since = work.now()
    clock.advance(seconds=7)

    assert due.due_lanes(work) == {DELIVERIES: since}
