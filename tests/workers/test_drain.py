"""Draining: what is due is sent and recorded, to whom, how many at a time, and what is not sent any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Thread
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select
from sqlalchemy.exc import OperationalError

from console.core.signing import Verification, verify
from console.models import Attempt, Delivery, Turn
from console.services.deliveries import deliveries
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.keys import KeyRing
from console.services.upkeep import beating, sweeping
from console.services.work import DELIVERIES, DELIVERIES_SLOW, SystemClock, Work
from console.settings import Settings
from tests.engine import attempts, delivery, make_hook, publish, put, scalars, set_state, state_of
from tests.receiver import Receiver
from workers.beat import Beat
from workers.board import FRESH_S
from workers.drain import Drain
from workers.equipment import Equipment, open_engine
from workers.sender import Sender

THREADS = 8


@dataclass
class Hand:
    """A worker without a process: its beat and its drain."""

    beat: Beat
    drain: Drain

    def deliver(self, *, slice_s: float = 30) -> bool:
        return self.drain.run(slice_s=slice_s)

    def in_background(self) -> Thread:
        thread = Thread(target=self.drain.run, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def work(work: Work) -> Work:
    """The same, at the time that it really is: receivers and threads do not follow a clock that stands still."""
    return replace(work, clock=SystemClock())


@pytest.fixture
def hire_hand(work: Work) -> Iterator[Callable[..., Hand]]:
    with ExitStack() as stack:

        def hire(*, lane: str = DELIVERIES, threads: int = THREADS, **equipment_fields: Any) -> Hand:
            settings = work.settings
            engine = open_engine(settings, pool_size=4)
            stack.callback(engine.dispose)
            equipment = Equipment(engine, settings, work.keys, **{"ring": work.ring, **equipment_fields})
            sender = Sender(equipment.settings.target_policy, user_agent="Hookyard/test", pool_size=32)
            beat = Beat(equipment, lane=lane)
            drain = Drain(equipment, lane=lane, beat=beat, sender=sender, threads=threads)
            beat.start()
            drain.start()
            stack.callback(beat.stop)
            stack.callback(drain.close)
            return Hand(beat, drain)

        yield hire


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def counts(work: Work) -> dict[str, int]:
    query = select(Delivery.state, func.count()).group_by(Delivery.state)
    found = {row.state: row.count for row in work.session.execute(query)}
    work.session.commit()
    return found


# --- sending --------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_everything_that_is_due_is_delivered_once(work: Work, ada, receiver, hire_hand) -> None:
    for index in range(3):
        make_hook(work, ada, url=f"{receiver.url}/{index}")
    publish(work, ada, 50)

    is_work_left = hire_hand().deliver()

    assert not is_work_left
    assert counts(work) == {"delivered": 150}
    sent = set(map(str, scalars(work, select(Delivery.id))))
    assert (len(receiver.ids), set(receiver.ids)) == (150, sent)
    assert scalars(work, select(Turn).where(Turn.worker_number.is_not(None))) == []


def test_a_request_is_signed_and_named_as_standard_webhooks_says(work: Work, ada, receiver, hire_hand) -> None:
    hook = make_hook(work, ada, url=f"{receiver.url}?x=1", headers={"X-Team": "blue"})
    [number] = publish(work, ada)
    secrets = hook_secrets.secrets_of(work, hook)
    work.session.commit()

    hire_hand().deliver()

    [receipt] = receiver.receipts
    row = delivery(work, number)
    assert (receipt.method, receipt.path) == ("POST", "/hook?x=1")
    assert receipt.id == str(row.id)
    assert receipt.headers["content-type"] == "application/json"
    assert receipt.headers["x-team"] == "blue"
    assert receipt.headers["user-agent"] == "Hookyard/test"
    timestamp = int(receipt.headers["webhook-timestamp"])
    found = verify(
        message_id=receipt.id,
        timestamp=timestamp,
        body=receipt.body,
        signature_header=receipt.headers["webhook-signature"],
        secret=secrets[0][1],
        now=int(work.now().timestamp()),
    )
    assert found is Verification.VALID


def test_every_retry_has_the_same_id_and_the_same_body(work: Work, ada, receiver, hire_hand) -> None:
    answers = iter([(500, {}, b"no"), (200, {}, b"ok")])
    receiver.answer = lambda _: next(answers)
    make_hook(work, ada, url=receiver.url)
    [number] = publish(work, ada)
    hand = hire_hand()

    hand.deliver()
    assert delivery(work, number).state == "pending"
    put(work, number, next_attempt_at=work.now())
    hand.deliver()

    first, second = receiver.receipts
    assert (first.id, first.body) == (second.id, second.body)
    assert delivery(work, number).state == "delivered"
    assert [(attempt.number, attempt.status) for attempt in attempts(work, number)] == [(1, 500), (2, 200)]


def test_what_was_exchanged_is_kept_without_secrets(work: Work, ada, receiver, hire_hand) -> None:
    receiver.answer = (202, {"X-Request-Id": "r1"}, b"\xff\x00 taken")
    make_hook(work, ada, url=receiver.url, headers={"Authorization": "Bearer s3cret"})
    [number] = publish(work, ada)

    hire_hand().deliver()

    [attempt] = attempts(work, number)
    sent = dict(attempt.request_headers)
    assert "s3cret" not in str(sent)
    assert sent["webhook-id"] == str(delivery(work, number).id)
    assert receiver.receipts[0].headers["authorization"] == "Bearer s3cret"
    assert {name.lower() for name in sent} == set(receiver.receipts[0].headers)  # the sender's own ones too
    assert (sent["Host"], sent["Content-Length"]) == (
        receiver.receipts[0].headers["host"],
        str(len(receiver.receipts[0].body)),
    )
    assert (attempt.status, attempt.response_body) == (202, b"\xff\x00 taken")
    assert ["X-Request-Id", "r1"] in attempt.response_headers
    assert set(attempt.timings) == {"dns", "connect", "tls", "send", "first_byte", "body", "total"}
    assert attempt.peer.startswith("127.0.0.1:")


# --- how many, in which order ---------------------------------------------------------------------------------------


def test_no_more_requests_are_in_flight_than_the_hook_allows(work: Work, ada, receiver, hire_hand) -> None:
    hook = make_hook(work, ada, url=receiver.url, max_in_flight=3)
    set_state(work, hook, concurrency=3)
    publish(work, ada, 60)

    hire_hand().deliver()

    assert counts(work) == {"delivered": 60}
    assert receiver.most_at_once <= 3


def test_a_hook_starts_with_one_request_and_earns_more(work: Work, ada, receiver, hire_hand, wait_until) -> None:
    hook = make_hook(work, ada, url=receiver.url, max_in_flight=16)
    publish(work, ada, 60)
    receiver.gate.clear()
    thread = hire_hand(threads=16).in_background()

    wait_until(lambda: receiver.receipts)
    assert receiver.most_at_once == 1
    receiver.gate.set()
    thread.join(20)

    assert counts(work) == {"delivered": 60}
    assert state_of(work, hook).concurrency == 16


def test_a_serial_hook_gets_first_attempts_in_order_of_creation(work: Work, ada, receiver, hire_hand) -> None:
    make_hook(work, ada, url=receiver.url, max_in_flight=1)
    numbers = publish(work, ada, 30)

    hire_hand().deliver()

    expected = [str(delivery(work, number).id) for number in numbers]
    assert receiver.ids == expected
    assert receiver.most_at_once == 1


@pytest.mark.both_databases
def test_two_workers_side_by_side_send_nothing_twice(work: Work, ada, receiver, hire_hand) -> None:
    for index in range(6):
        hook = make_hook(work, ada, url=f"{receiver.url}/{index}", max_in_flight=16)
        set_state(work, hook, concurrency=16)
    publish(work, ada, 60)
    threads = [hire_hand().in_background() for _ in range(2)]

    for thread in threads:
        thread.join(60)

    assert counts(work) == {"delivered": 360}
    assert len(receiver.ids) == len(set(receiver.ids)) == 360


def test_a_backlog_rings_for_another_worker(work: Work, ada, receiver, hire_hand, ring) -> None:
    hook = make_hook(work, ada, url=receiver.url)
    set_state(work, hook, concurrency=16)
    publish(work, ada, 60)
    ring.lanes.clear()

    hire_hand().deliver()

    assert ring.lanes == [DELIVERIES]


def test_a_hook_with_a_rate_limit_is_served_at_its_pace(work: Work, ada, receiver, hire_hand) -> None:
    make_hook(work, ada, url=receiver.url, rate_limit={"count": 20, "seconds": 1})
    publish(work, ada, 21)
    begun = monotonic()

    hire_hand().deliver()

    assert counts(work) == {"delivered": 21}
    assert 0.6 < monotonic() - begun < 3


# --- what is not sent any more --------------------------------------------------------------------------------------


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


def test_what_cannot_begin_soon_is_given_back(work: Work, ada, receiver, hire_hand, wait_until) -> None:
    make_hook(work, ada, url=receiver.url)
    numbers = publish(work, ada, 4)
    receiver.gate.clear()
    thread = hire_hand().in_background()
    wait_until(lambda: receiver.receipts)
    assert len(attempts(work, numbers[-1])) == 1

    claims_before = delivery(work, numbers[-1]).claim_no
    wait_until(lambda: delivery(work, numbers[-1]).claim_no != claims_before or not attempts(work, numbers[-1]))
    receiver.gate.set()
    thread.join(20)

    assert counts(work) == {"delivered": 4}
    assert [attempt.number for attempt in attempts(work, numbers[-1])] == [1]


# --- faults ---------------------------------------------------------------------------------------------------------


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
