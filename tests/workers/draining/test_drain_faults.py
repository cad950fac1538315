"""Draining when something is wrong: the database, the key, the receiver, or the worker itself."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from sqlalchemy import Engine, event, select
from sqlalchemy.exc import OperationalError

from console.models import Delivery
from console.services.keys import KeyRing
from console.services.upkeep import beating, sweeping
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from console.settings import Settings
from tests.engine import attempts, counts, delivery, make_hook, publish, put, scalars, set_state, state_of
from tests.receiver import Receiver


def test_rows_whose_hook_could_not_be_read_after_their_claim_are_sent_soon_all_the_same(
    work: Work, ada, receiver, hire_hand
) -> None:
    make_hook(work, ada, url=receiver.url)
    [number] = publish(work, ada)
    failures = [sqlite3.OperationalError("database is locked")]

    def fail(*arguments: object) -> None:
        if "hooks.sealed_headers" in str(arguments[2]) and failures:
            raise OperationalError("", None, failures.pop())

    event.listen(Engine, "before_cursor_execute", fail)
    hire_hand().deliver(slice_s=10)
    event.remove(Engine, "before_cursor_execute", fail)

    assert not failures
    assert (delivery(work, number).state, [one.outcome for one in attempts(work, number)]) == ("delivered", ["ok"])


def test_a_wrong_key_is_our_own_fault(work: Work, ada, receiver, hire_hand) -> None:
    make_hook(work, ada, url=receiver.url)
    [number] = publish(work, ada)
    hand = hire_hand()
    hand.drain._equipment = replace(hand.drain._equipment, keys=KeyRing(["another key that is long enough"]))

    hand.deliver()

    found = delivery(work, number)
    assert receiver.receipts == []
    assert (found.state, found.chain_failures, found.last_outcome) == ("pending", 0, "system_error")
    assert "HOOKYARD_SECRET_KEY" in (attempts(work, number)[0].error or "")


def test_an_address_that_is_not_allowed_is_blocked(work: Work, ada, receiver, hire_hand) -> None:
    make_hook(work, ada, url=receiver.url)
    [number] = publish(work, ada)
    strict = Settings(**work.settings.model_dump(exclude={"allow_nets"}))

    hand = hire_hand()
    hand.drain._equipment = replace(hand.drain._equipment, settings=strict)

    hand.deliver()

    found = delivery(work, number)
    assert receiver.receipts == []
    assert (found.state, found.last_outcome, found.chain_failures) == ("pending", "blocked_url", 1)


def test_a_dead_receiver_moves_its_hook_to_the_slow_lane_and_the_rest_waits_there(
    work: Work, ada, receiver, hire_hand, ring
) -> None:
    with Receiver() as gone:
        url = gone.url
    dead, healthy = make_hook(work, ada, url=url), make_hook(work, ada, url=receiver.url)
    set_state(work, dead, concurrency=8)
    publish(work, ada, 40)

    hire_hand().deliver()

    assert len(receiver.receipts) == 40
    assert state_of(work, dead).lane == DELIVERIES_SLOW
    assert DELIVERIES_SLOW in ring.lanes
    waiting = scalars(work, select(Delivery).where(Delivery.hook_number == dead.number))
    assert {row.state for row in waiting} == {"pending"}
    assert sum(row.attempt_count == 0 for row in waiting) >= 30
    assert state_of(work, healthy).lane == DELIVERIES


def test_a_worker_that_may_be_thought_dead_begins_nothing(work: Work, ada, receiver, hire_hand) -> None:
    make_hook(work, ada, url=receiver.url)
    publish(work, ada)
    hand = hire_hand()
    hand.beat._ending.set()
    hand.beat._confirmed_at -= 6

    hand.deliver(slice_s=0.5)

    assert receiver.receipts == []
    assert counts(work) == {"pending": 1}


def test_a_2xx_that_comes_after_the_claim_was_freed_still_counts(
    work: Work, ada, receiver, hire_hand, wait_until
) -> None:
    make_hook(work, ada, url=receiver.url)
    [number] = publish(work, ada)
    receiver.gate.clear()
    hand = hire_hand()
    thread = hand.in_background()
    wait_until(lambda: receiver.receipts)
    put(work, number, claimed_by=None)
    sweeping.sweep(work)
    assert delivery(work, number).state == "pending"

    receiver.gate.set()
    thread.join(20)

    assert delivery(work, number).state == "delivered"


def test_a_worker_that_was_declared_dead_drops_what_it_had_claimed(
    work: Work, ada, receiver, hire_hand, wait_until
) -> None:
    make_hook(work, ada, url=receiver.url)
    numbers = publish(work, ada, 3)
    receiver.gate.clear()
    hand = hire_hand()
    thread = hand.in_background()
    wait_until(lambda: receiver.receipts)
    former = hand.beat.worker
    beating.retire(work, worker=former)
    assert sweeping.sweep(work).freed == 3

    hand.beat.once()
    receiver.gate.set()
    thread.join(20)

    assert hand.beat.worker != former
    assert len(receiver.receipts) == 1
    states = [delivery(work, number).state for number in numbers]
    assert states == ["delivered", "pending", "pending"]
