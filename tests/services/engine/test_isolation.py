"""One receiver's trouble stays its own: what a hook's failures, and its neighbours', keep from being sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from console.core.outcomes import Outcome
from console.models import Hook, HookState, Turn
from console.services.deliveries import waits
from console.services.engine import due, results
from console.services.hooks import hook_health, hook_tests, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from tests.engine import claim, delivery, end, hire, make_hook, publish, record, rows_of, set_state, state_of

pytestmark = pytest.mark.both_databases
DEAD = "https://shop.example.com/dead/{}"
OK = "https://shop.example.com/ok"
REFUSED, TAKEN = "order.paid", "order.refunded"


def free_turns(work: Work) -> None:
    work.session.execute(update(Turn).values(worker_number=None))
    work.session.commit()


def next_rows(work: Work, *, lane: str) -> list[int]:
    """Claim as a new worker would; give the numbers of the deliveries."""
    found = [row.number for row in rows_of(claim(work, hire(work), lane=lane))]
    free_turns(work)
    return found


def fail(work: Work, hook: Hook, outcome: Outcome, *, type: str, times: int) -> None:  # noqa: A002 as everywhere
    """Let new events of a type fail at a hook, one after another."""
    for number in [number for _ in range(times) for number in publish_to(work, hook, type=type)]:
        rows = [row for lane in (DELIVERIES, DELIVERIES_SLOW) for row in rows_of(claim(work, hire(work), lane=lane))]
        results.record(work, ended=[end(work, row, outcome, status=500) for row in rows])
        free_turns(work)
        assert delivery(work, number).attempt_count <= 1


def publish_to(work: Work, hook: Hook, *, type: str) -> list[int]:  # noqa: A002
    class Owner:
        organization = hook.organization

    return publish(work, Owner, type=type)


# --- a receiver that refuses one type -------------------------------------------------------------------------------


def test_a_circuit_that_opened_over_one_type_lets_the_others_through(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    fail(work, hook, Outcome.SERVER_ERROR, type=REFUSED, times=5)
    assert state_of(work, hook).openings == 1
    assert state_of(work, hook).failing_types == [REFUSED]

    [bad], [good] = publish(work, ada, type=REFUSED), publish(work, ada, type=TAKEN)

    assert set(due.due_lanes(work)) == {DELIVERIES_SLOW}
    assert next_rows(work, lane=DELIVERIES_SLOW) == [good]
    assert "Its hook is paused" in str(waits.reason_of(work, delivery(work, bad)))


def test_what_a_circuit_lets_through_is_found_behind_a_backlog_of_what_it_holds_back(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    fail(work, hook, Outcome.SERVER_ERROR, type=REFUSED, times=5)
    publish(work, ada, 200, type=REFUSED)

    [good] = publish(work, ada, type=TAKEN)
    publish(work, ada, 20, type=REFUSED)

    assert next_rows(work, lane=DELIVERIES_SLOW) == [good]


def test_a_success_of_another_type_closes_the_circuit(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    fail(work, hook, Outcome.SERVER_ERROR, type=REFUSED, times=5)
    publish(work, ada, type=TAKEN)

    record(work, rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))[0])

    found = state_of(work, hook)
    assert (found.openings, found.open_until, found.failing_types) == (0, None, [])


def test_the_request_that_tries_a_receiver_again_is_of_a_type_that_was_not_refused(work: Work, ada, clock) -> None:
    hook = make_hook(work, ada)
    fail(work, hook, Outcome.SERVER_ERROR, type=REFUSED, times=5)
    [good] = publish(work, ada, type=TAKEN)
    publish(work, ada, type=REFUSED)
    clock.advance(seconds=3600)

    assert next_rows(work, lane=DELIVERIES_SLOW) == [good]


def test_the_request_that_tries_a_receiver_again_is_the_newest(work: Work, ada, clock) -> None:
    """The oldest may be what broke it."""
    hook = make_hook(work, ada)
    fail(work, hook, Outcome.SERVER_ERROR, type=REFUSED, times=5)
    *_, newest = publish(work, ada, 3, type=REFUSED)
    clock.advance(seconds=3600)

    assert next_rows(work, lane=DELIVERIES_SLOW) == [newest]


def test_a_receiver_that_does_not_answer_is_tried_by_no_type(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    fail(work, hook, Outcome.CONNECT_TIMEOUT, type=REFUSED, times=5)

    publish(work, ada, type=TAKEN)

    assert next_rows(work, lane=DELIVERIES_SLOW) == []
    assert due.due_lanes(work) == {}


def test_the_page_of_a_hook_names_the_types_that_are_paused(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    fail(work, hook, Outcome.SERVER_ERROR, type=REFUSED, times=5)

    words = hook_health.condition(work, hook).health.words

    assert words.startswith("Paused for order.paid after 5 failures in a row")


# --- neighbours at one destination ----------------------------------------------------------------------------------


@pytest.fixture
def silent(work: Work, ada) -> list[Hook]:
    """Six hooks on one host that is silent to all of them; its circuit is open."""
    dead = [make_hook(work, ada, url=DEAD.format(index)) for index in range(6)]
    publish(work, ada)
    rows = rows_of(claim(work, hire(work)))
    results.record(work, ended=[end(work, row, Outcome.TIMEOUT) for row in rows])
    free_turns(work)
    return dead


def test_a_hook_that_is_answered_is_not_stopped_by_its_neighbours(work: Work, ada, silent) -> None:
    good = make_hook(work, ada, url=OK)
    set_state(work, good, last_success_at=work.now())

    [number] = publish_to(work, good, type=TAKEN)[-1:]

    assert number in next_rows(work, lane=DELIVERIES)
    assert hook_health.condition(work, good).health.until is None
    assert waits.reason_of(work, delivery(work, number)) != ""


def test_a_hook_that_nobody_tried_yet_is_tried(work: Work, ada, silent) -> None:
    make_hook(work, ada, url=OK)
    *_, number = publish(work, ada)

    assert number in next_rows(work, lane=DELIVERIES)


def test_a_hook_that_failed_there_itself_waits_for_the_destination(work: Work, ada, silent) -> None:
    good = make_hook(work, ada, url=OK)
    set_state(work, good, consecutive_failures=1)
    publish(work, ada)

    assert next_rows(work, lane=DELIVERIES) == next_rows(work, lane=DELIVERIES_SLOW) == []


def test_the_hook_that_tries_a_destination_again_is_the_likeliest_to_be_answered(
    work: Work, ada, silent, clock
) -> None:
    """It failed once, after many successes; the others never had one, and were not served for longer."""
    good = make_hook(work, ada, url=OK)
    set_state(work, good, consecutive_failures=1, last_success_at=work.now())
    *_, number = publish(work, ada)
    work.session.execute(update(HookState).values(open_until=None, openings=0, lane=DELIVERIES))
    work.session.commit()
    clock.advance(seconds=40)

    assert next_rows(work, lane=DELIVERIES_SLOW) == [number]


# --- a receiver that was replaced -----------------------------------------------------------------------------------


def test_a_changed_url_begins_afresh(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    set_state(
        work,
        hook,
        lane=DELIVERIES_SLOW,
        openings=3,
        open_until=work.now() + timedelta(days=1),
        consecutive_failures=9,
        circuit_failures=9,
        failing_since=work.now(),
        failed_attempts=9,
        failing_types=["*"],
        concurrency=1,
    )
    [number] = publish(work, ada)

    hooks.change(work, hook=hook, draft=HookDraft(url="https://example.org/new"))

    found = state_of(work, hook)
    assert (found.lane, found.openings, found.open_until, found.consecutive_failures) == (DELIVERIES, 0, None, 0)
    assert (found.failing_since, found.failed_attempts, found.failing_types) == (None, 0, [])
    assert next_rows(work, lane=DELIVERIES) == [number]


def test_a_changed_url_does_not_wait_for_what_the_old_receiver_asked_for(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    record(work, rows_of(claim(work, hire(work)))[0], Outcome.CLIENT_ERROR, status=429, retry_after="86400")
    free_turns(work)
    assert next_rows(work, lane=DELIVERIES) == []

    hooks.change(work, hook=hook, draft=HookDraft(url="https://example.org/new"))

    assert next_rows(work, lane=DELIVERIES) == [number]


def test_a_change_of_anything_else_keeps_what_is_known_of_the_receiver(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    until = work.now() + timedelta(hours=1)
    set_state(work, hook, openings=3, open_until=until)

    hooks.change(work, hook=hook, draft=HookDraft(name="Shop"))

    assert (state_of(work, hook).openings, state_of(work, hook).open_until) == (3, until)


# --- tests ----------------------------------------------------------------------------------------------------------


def test_a_test_is_sent_by_the_quick_lane_whatever_its_hook_waits_for(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    set_state(work, hook, lane=DELIVERIES_SLOW, openings=2, open_until=work.now() + timedelta(hours=1))
    publish(work, ada)
    work.session.execute(update(Turn).values(worker_number=hire(work, lane=DELIVERIES_SLOW)))
    work.session.commit()

    test = hook_tests.send(work, hook=hook)

    assert set(due.due_lanes(work)) >= {DELIVERIES}
    assert next_rows(work, lane=DELIVERIES) == [test.number]


def test_a_test_that_was_claimed_is_wanted_in_the_quick_lane(work: Work, ada) -> None:
    from console.services.engine import unsent

    hook = make_hook(work, ada)
    set_state(work, hook, lane=DELIVERIES_SLOW)
    hook_tests.send(work, hook=hook)
    rows = rows_of(claim(work, hire(work)))

    assert [unsent.look_again(work, rows=rows, lane=DELIVERIES)[row.number].fate.value for row in rows] == ["wanted"]
