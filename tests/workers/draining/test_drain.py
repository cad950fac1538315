"""Draining: what is due is sent and recorded, to whom, how many at a time, and what is not sent any more."""

from __future__ import annotations

from time import monotonic

import pytest
from sqlalchemy import select

from console.core.signing import Verification, verify
from console.models import Delivery, Turn
from console.services.hooks import hook_secrets
from console.services.work import DELIVERIES, Work
from tests.engine import attempts, counts, delivery, make_hook, publish, put, scalars, set_state, state_of


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
