"""Claimed rows that have not begun: given back without a trace, or no longer wanted."""

from __future__ import annotations

import pytest

from console.core.outcomes import Outcome
from console.services.deliveries import deliveries
from console.services.engine import unsent
from console.services.engine.unsent import Fate
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.upkeep import sweeping
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
    state_of,
)

pytestmark = pytest.mark.both_databases


def test_giving_back_leaves_no_trace_of_the_attempt(work: Work, ada) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    worker = hire(work)
    before = delivery(work, number).next_attempt_at

    count = unsent.give_back(work, worker=worker, rows=rows_of(claim(work, worker)))

    row = delivery(work, number)
    assert (count, row.state, row.attempt_count, row.claimed_by) == (1, "pending", 0, None)
    assert row.next_attempt_at == before
    assert attempts(work, number) == []


def test_attempt_numbers_have_no_gaps_after_giving_back(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    worker = hire(work)
    unsent.give_back(work, worker=worker, rows=rows_of(claim(work, worker)), turns=[(hook.number, 0)])

    [row] = rows_of(claim(work, worker))
    record(work, row)

    assert [attempt.number for attempt in attempts(work, number)] == [1]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda work, hook, _: hooks.disable(work, hook=hook), "held"),
        (lambda work, hook, _: hooks.delete(work, hook=hook), "canceled"),
        (lambda work, _, number: deliveries.cancel(work, delivery=delivery(work, number)), "canceled"),
    ],
    ids=["hook disabled", "hook deleted", "canceled"],
)
def test_what_is_no_longer_wanted_is_not_begun_and_ends_as_people_asked(work: Work, ada, change, state) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    worker = hire(work)
    rows = rows_of(claim(work, worker))
    change(work, hook, number)

    found = unsent.look_again(work, rows=rows, lane=DELIVERIES)
    work.session.rollback()
    unsent.give_back(work, worker=worker, rows=rows)

    assert found[number].fate is Fate.UNWANTED
    assert (delivery(work, number).state, delivery(work, number).next_attempt_at) == (state, None)
    assert attempts(work, number) == []


def test_a_look_again_sees_the_hooks_new_version(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    rows = rows_of(claim(work, hire(work)))
    hooks.change(work, hook=hook, draft=HookDraft(url="https://example.com/elsewhere"))

    found = unsent.look_again(work, rows=rows, lane=DELIVERIES)[number]

    assert (found.fate, found.hook_version) == (Fate.WANTED, rows[0].hook_version + 1)


def test_a_row_that_was_lost_is_not_given_back(work: Work, ada) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    worker = hire(work)
    rows = rows_of(claim(work, worker))
    put(work, number, claimed_by=worker + 1, claim_no=2)

    assert unsent.look_again(work, rows=rows, lane=DELIVERIES)[number].fate is Fate.LOST
    work.session.rollback()
    assert unsent.give_back(work, worker=worker, rows=rows) == 0
    assert delivery(work, number).state == "sending"


def test_rows_of_a_hook_that_moved_to_the_slow_lane_are_unwanted_in_this_one(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    set_state(work, hook, concurrency=8)
    publish(work, ada, 2)
    first, second = rows_of(claim(work, hire(work)))

    recorded = record(work, first, Outcome.TIMEOUT)

    assert recorded.withdrawn == {hook.number}
    assert state_of(work, hook).lane == DELIVERIES_SLOW
    assert unsent.look_again(work, rows=[second], lane=DELIVERIES)[second.number].fate is Fate.UNWANTED


def test_a_row_that_a_late_2xx_ended_before_it_began_leaves_no_gap(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    [frozen] = rows_of(claim(work, hire(work)))
    clock.advance(seconds=60)
    sweeping.sweep(work)
    clock.advance(seconds=60)
    worker = hire(work)
    rows = rows_of(claim(work, worker))
    record(work, frozen)

    unsent.give_back(work, worker=worker, rows=rows)

    deliveries.resend(work, delivery=delivery(work, number))
    record(work, rows_of(claim(work, worker, idle=[(rows[0].hook_number, 0)]))[0])
    assert [(one.number, one.outcome) for one in attempts(work, number)] == [
        (1, "ok"),
        (2, "interrupted"),
        (3, "ok"),
    ]
