"""Draining: what was claimed and is not sent any more, and how a run ends."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import func, select

from console.models import Attempt, Turn
from console.services.deliveries import deliveries
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from tests.engine import attempts, counts, delivery, make_hook, publish, put, scalars, set_state, state_of
from workers.board import FRESH_S


@pytest.mark.parametrize(("change", "state"), [(hooks.disable, "held"), (hooks.delete, "canceled")])
def test_a_hook_that_is_switched_off_gets_nothing_that_had_not_begun(
    work: Work, ada, receiver, hire_hand, wait_until, change, state
) -> None:
    hook = make_hook(work, ada, url=receiver.url)
    publish(work, ada, 4)
    receiver.gate.clear()
    thread = hire_hand().in_background()
    wait_until(lambda: receiver.receipts)

    change(work, hook=hook)
    let_rows_grow_stale(wait_until)
    receiver.gate.set()
    thread.join(20)

    assert len(receiver.receipts) == 1
    assert counts(work) == {"delivered": 1, state: 3}
    assert scalars(work, select(func.count()).select_from(Attempt)) == [1]


def test_a_delivery_that_is_canceled_before_it_begins_is_not_sent(
    work: Work, ada, receiver, hire_hand, wait_until
) -> None:
    make_hook(work, ada, url=receiver.url, max_in_flight=2)
    numbers = publish(work, ada, 3)
    receiver.gate.clear()
    thread = hire_hand().in_background()
    wait_until(lambda: receiver.receipts)

    deliveries.cancel(work, delivery=delivery(work, numbers[-1]))
    work.session.commit()
    let_rows_grow_stale(wait_until)
    receiver.gate.set()
    thread.join(20)

    assert len(receiver.receipts) == 2
    assert delivery(work, numbers[-1]).state == "canceled"


def test_rows_that_wait_go_to_the_hooks_new_address(work: Work, ada, receiver, hire_hand, wait_until) -> None:
    hook = make_hook(work, ada, url=f"{receiver.url}/old")
    publish(work, ada, 3)
    receiver.gate.clear()
    thread = hire_hand().in_background()
    wait_until(lambda: receiver.receipts)

    hooks.change(work, hook=hook, draft=HookDraft(url=f"{receiver.url}/new"))
    let_rows_grow_stale(wait_until)
    receiver.gate.set()
    thread.join(20)

    assert [receipt.path for receipt in receiver.receipts] == ["/hook/old", "/hook/new", "/hook/new"]


def let_rows_grow_stale(wait_until: Callable[..., None]) -> None:
    """Wait until no row may begin without another look at the database."""
    deadline = monotonic() + FRESH_S + 0.01
    wait_until(lambda: monotonic() > deadline)


def test_what_waits_for_a_slow_request_is_given_back_to_the_slow_lane(
    work: Work, ada, receiver, hire_hand, wait_until
) -> None:
    hook = make_hook(work, ada, url=receiver.url)
    numbers = publish(work, ada, 4)
    receiver.gate.clear()
    thread = hire_hand().in_background()
    wait_until(lambda: receiver.receipts)
    assert len(attempts(work, numbers[-1])) == 1

    claims_before = delivery(work, numbers[-1]).claim_no
    wait_until(lambda: delivery(work, numbers[-1]).claim_no != claims_before or not attempts(work, numbers[-1]))
    receiver.gate.set()
    thread.join(20)

    assert counts(work) == {"delivered": 1, "pending": 3}
    assert state_of(work, hook).lane == DELIVERIES_SLOW
    hire_hand(lane=DELIVERIES_SLOW).deliver()
    assert state_of(work, hook).lane == DELIVERIES  # two quick responses bring it back
    hire_hand().deliver()
    assert counts(work) == {"delivered": 4}
    assert [attempt.number for attempt in attempts(work, numbers[-1])] == [1]


# --- ending ---------------------------------------------------------------------------------------------------------


def test_stopping_finishes_what_is_in_flight_and_gives_the_rest_back(
    work: Work, ada, receiver, hire_hand, wait_until
) -> None:
    hook = make_hook(work, ada, url=receiver.url, max_in_flight=2)
    set_state(work, hook, concurrency=2)
    publish(work, ada, 8)
    receiver.gate.clear()
    hand = hire_hand()
    thread = hand.in_background()
    wait_until(lambda: len(receiver.receipts) == 2)

    hand.drain.stop()
    wait_until(lambda: counts(work) == {"sending": 2, "pending": 6})
    receiver.gate.set()
    thread.join(20)

    assert not thread.is_alive()
    assert counts(work) == {"delivered": 2, "pending": 6}
    assert scalars(work, select(Turn).where(Turn.worker_number.is_not(None))) == []
    assert hand.deliver(), "a job that it still takes must be rung for again"


def test_a_slice_that_ends_says_that_work_is_left(work: Work, ada, receiver, hire_hand) -> None:
    make_hook(work, ada, url=receiver.url, max_in_flight=1)
    publish(work, ada, 500)

    assert hire_hand().deliver(slice_s=0.2)

    found = counts(work)
    assert found["delivered"] + found["pending"] == 500
    assert found["pending"]


def test_a_delivery_that_killed_its_workers_is_sent_with_nothing_beside_it(
    work: Work, ada, receiver, hire_hand
) -> None:
    hook = make_hook(work, ada, url=receiver.url)
    set_state(work, hook, concurrency=8)
    suspect, *others = publish(work, ada, 9)
    put(work, suspect, interrupted=2)
    beside: list[int] = []
    suspect_id = str(delivery(work, suspect).id)

    def answer(receipt: Any) -> Any:
        if receipt.id == suspect_id:
            beside.append(receiver._at_once)
        return (200, {}, b"")

    receiver.answer = answer

    hire_hand().deliver()

    assert counts(work) == {"delivered": 1 + len(others)}
    assert beside == [1]
