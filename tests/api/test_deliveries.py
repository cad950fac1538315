"""The log over the API."""

from __future__ import annotations

import gzip
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from console.core.outcomes import Outcome
from console.models import Delivery, Event, Turn
from console.services.work import SystemClock
from tests.api.conftest import pointers, rows
from tests.apps import others_waiting
from tests.engine import claim, hire, record, rows_of

FIELDS = [
    "id",
    "number",
    "event",
    "hook",
    "event_type",
    "url",
    "state",
    "attempt_count",
    "next_attempt_at",
    "waiting_reason",
    "created_at",
    "finished_at",
    "test",
]
ATTEMPT = [
    "number",
    "chain",
    "trigger",
    "started_at",
    "duration_ms",
    "outcome",
    "error",
    "request",
    "response",
    "timings",
]


def attempt(work, outcome=Outcome.OK, **fields):
    """Make the attempt of whatever is due."""
    worker = hire(work)
    (grant,) = claim(work, worker)
    record(work, *grant.rows, outcome, **fields)
    with work.transaction():
        work.session.execute(update(Turn).values(worker_number=None))


def answered(work, status=200, body=b"thanks"):
    attempt(
        work,
        Outcome.OK if status < 300 else Outcome.SERVER_ERROR,
        status=status,
        duration_ms=12.5,
        timings={"dns": 1.0, "total": 12.5},
        request_headers=(("content-type", "application/json"), ("webhook-id", "x"), ("x-key", "••••••")),
        response_headers=(("content-type", "text/plain"), ("x-a", "1"), ("x-a", "2")),
        response_body=body,
    )


@pytest.mark.both_databases
def test_a_delivery_has_its_fields_and_every_attempt(ada_api, work, clock):
    hook = ada_api.make_hook()
    event = ada_api.publish(payload={"n": 1})
    answered(work, 500, b"\xff broken")
    clock.advance(minutes=2)
    answered(work, 200)

    listed = ada_api.only_delivery()
    read = ada_api.get(f"/deliveries/{listed['id']}").get_json()

    attempts = read.pop("attempts")
    assert read == listed
    assert list(listed) == FIELDS
    assert (listed["hook"], listed["event"], listed["state"]) == (hook["id"], event["id"], "delivered")
    assert (listed["attempt_count"], listed["next_attempt_at"], listed["test"]) == (2, None, False)
    assert [list(one) for one in attempts] == [ATTEMPT, ATTEMPT]
    assert [one["number"] for one in attempts] == [1, 2]
    assert [one["outcome"] for one in attempts] == ["server_error", "ok"]
    assert attempts[0]["response"]["body"] == "\ufffd broken"
    assert attempts[1] | {"started_at": None} == {
        "number": 2,
        "chain": 1,
        "trigger": "automatic",
        "started_at": None,
        "duration_ms": 12.5,
        "outcome": "ok",
        "error": None,
        "request": {
            "method": "POST",
            "url": hook["url"],
            "headers": {"content-type": "application/json", "webhook-id": "x", "x-key": "••••••"},
            "body": '{"type":"order.paid","timestamp":"2026-11-22T09:00:00.000000Z","data":{"n": 1}}',
        },
        "response": {
            "status": 200,
            "headers": {"content-type": "text/plain", "x-a": "1, 2"},
            "body": "thanks",
            "body_note": None,
            "truncated": False,
        },
        "timings": {"dns": 1.0, "total": 12.5},
    }


@pytest.mark.parametrize(
    ("headers", "body", "text", "note"),
    [
        ([("content-type", "text/plain; charset=iso-8859-1")], "Grüße".encode("latin-1"), "Grüße", None),
        ([("content-encoding", "gzip")], gzip.compress("Grüße".encode(), mtime=0), "Grüße", None),
        ([], "Grüße".encode("latin-1"), "Gr\ufffd\ufffde", "Some bytes are not valid UTF-8 and are shown as \ufffd."),
    ],
)
def test_a_response_is_decoded_as_its_headers_say(ada_api, work, headers, body, text, note):
    ada_api.make_hook()
    ada_api.publish()
    attempt(work, Outcome.SERVER_ERROR, status=500, response_headers=headers, response_body=body)

    delivery = ada_api.get(f"/deliveries/{ada_api.only_delivery()['id']}").get_json()

    response = delivery["attempts"][0]["response"]
    assert (response["body"], response["body_note"], response["truncated"]) == (text, note, False)


def test_an_attempt_without_an_answer_has_no_response_but_a_reason(ada_api, work):
    ada_api.make_hook()
    ada_api.publish()
    attempt(work, Outcome.TIMEOUT, error="The receiver did not answer within 15 s.")

    delivery = ada_api.get(f"/deliveries/{ada_api.only_delivery()['id']}").get_json()

    (one,) = delivery["attempts"]
    assert one["response"] is None
    assert one["error"] == "The receiver did not answer within 15 s."
    assert delivery["state"] == "pending"
    assert delivery["next_attempt_at"]


def test_viewers_do_not_read_what_receivers_answer(ada_api, vi_api, work):
    ada_api.make_hook()
    ada_api.publish()
    answered(work)
    path = f"/deliveries/{ada_api.only_delivery()['id']}"

    assert ada_api.get(path).get_json()["attempts"][0]["response"]["body"] == "thanks"
    assert vi_api.get(path).get_json()["attempts"][0]["response"]["body"] is None


@pytest.mark.both_databases
def test_deliveries_are_filtered(ada_api, work, clock):
    first, second = ada_api.make_hook(name="first"), ada_api.make_hook(all_events=False, event_types=["order.*"])
    ada_api.publish(type="customer.created", object={"model": "customer", "pk": "C-17"})
    worker = hire(work)
    (row,) = rows_of(claim(work, worker))
    record(work, row, Outcome.SERVER_ERROR, status=503)
    clock.advance(hours=1)
    event = ada_api.publish(type="order.paid")
    ada_api.post(f"/hooks/{second['id']}/disable")
    everything = ada_api.get("/deliveries").get_json()["data"]

    def found(query):
        return [delivery["number"] for delivery in ada_api.get(f"/deliveries?{query}").get_json()["data"]]

    third_number, second_number, first_number = (delivery["number"] for delivery in everything)
    assert found(f"hook={first['id']}") == [second_number, first_number]
    assert found(f"hook={second['id']}") == [third_number]
    assert found(f"event={event['id']}") == [third_number, second_number]
    assert found("hook=00000000-0000-7000-8000-000000000000") == []
    assert found("event_type=order.paid") == [third_number, second_number]
    assert found("event_type=order.*") == [third_number, second_number]
    assert found("event_type=order") == []
    assert found("state=held") == [third_number]
    assert found("state=pending,held") == [third_number, second_number, first_number]
    assert found("state=delivered") == []
    assert found("status_class=5xx") == [first_number]
    assert found("status_class=none") == []
    assert found("status=503") == [first_number]
    assert found("status=500") == []
    assert found("status_class=failed") == [first_number]
    assert found("since=2026-11-22T09:30:00Z") == [third_number, second_number]
    assert found("until=2026-11-22T10:30:00%2B01:00") == [first_number]
    assert found("q=C-17") == [first_number]
    assert found(f"q={everything[0]['id'][:24]}") == [third_number]
    assert found(f"q={event['id']}") == [third_number, second_number]


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("state=done", "/state", "choice"),
        ("state=", "/state", "choice"),
        ("status_class=6xx", "/status_class", "choice"),
        ("status=99", "/status", "range"),
        ("status=4xx", "/status", "type"),
        ("attempt=first", "/attempt", "choice"),
        ("hook=17", "/hook", "uuid"),
        ("hook=01890000000070008000000000000000", "/hook", "uuid"),
        ("event_type=a..b", "/event_type", "event_type_form"),
        ("event_type=*.paid", "/event_type", "pattern"),
        ("since=yesterday", "/since", "time"),
        ("until=1700000000", "/until", "time"),
        ("limit=0", "/limit", "range"),
        ("limit=101", "/limit", "range"),
        ("limit=1.0", "/limit", "type"),
        ("limit=%201", "/limit", "type"),
        ("cursor=17", "/cursor", "pattern"),
        ("q=a%00b", "/q", "control"),
        ("nope=1", "/nope", "unknown_field"),
        ("state=held&state=failed", "/state", "repeated"),
    ],
)
def test_a_wrong_filter_is_pointed_at(ada_api, query, pointer, code):
    response = ada_api.get(f"/deliveries?{query}")

    assert response.status_code == 422
    assert pointers(response) == {pointer: code}


def test_resend_begins_a_new_chain_and_keeps_the_history(ada_api, work, ring):
    ada_api.make_hook()
    ada_api.publish()
    answered(work)
    delivery = ada_api.only_delivery()
    ring.lanes.clear()

    response = ada_api.post(f"/deliveries/{delivery['id']}/resend")
    answered(work)

    again = ada_api.get(f"/deliveries/{delivery['id']}").get_json()
    assert response.status_code == 202
    assert response.get_json()["state"] == "pending"
    assert ring.lanes == ["deliveries"]
    assert [(one["number"], one["chain"], one["trigger"]) for one in again["attempts"]] == [
        (1, 1, "automatic"),
        (2, 2, "resend"),
    ]


def test_what_waits_is_canceled_and_what_ended_is_not(ada_api):
    ada_api.make_hook()
    ada_api.publish()
    path = f"/deliveries/{ada_api.only_delivery()['id']}/cancel"

    first, second = ada_api.post(path), ada_api.post(path)

    assert first.status_code == 200
    assert first.get_json()["state"] == "canceled"
    assert second.status_code == 409
    assert second.get_json()["code"] == "final"


def test_what_is_being_sent_is_not_resent(ada_api, work):
    ada_api.make_hook()
    ada_api.publish()
    claim(work, hire(work))

    response = ada_api.post(f"/deliveries/{ada_api.only_delivery()['id']}/resend")

    assert response.status_code == 409
    assert response.get_json()["code"] == "sending"


def test_a_delivery_of_a_deleted_hook_is_not_resent(ada_api):
    hook = ada_api.make_hook()
    ada_api.publish()
    ada_api.delete(f"/hooks/{hook['id']}")

    assert ada_api.post(f"/deliveries/{ada_api.only_delivery()['id']}/resend").status_code == 409


# --- tests ----------------------------------------------------------------------------------------------------------


def test_a_test_is_a_delivery_marked_as_such(ada_api, work, ring):
    hook = ada_api.make_hook(is_active=False)

    response = ada_api.post(f"/hooks/{hook['id']}/test", json={})

    delivery = response.get_json()
    assert response.status_code == 202
    assert response.headers["Location"] == f"/api/v1/deliveries/{delivery['id']}"
    assert list(delivery) == [*FIELDS, "attempts"]
    assert (delivery["test"], delivery["state"], delivery["event_type"]) == (True, "pending", "webhook.test")
    assert ring.lanes == ["deliveries"]


def test_a_test_sends_the_payload_as_it_was_written(ada_api, work):
    hook = ada_api.make_hook()

    body = b'{"payload": {"a" : 1.10} , "event_type":"order.paid"}'
    assert ada_api.post_bytes(f"/hooks/{hook['id']}/test", body).status_code == 202

    assert rows(work, Event)[0].payload == b'{"a" : 1.10}'


def test_a_test_without_a_payload_sends_the_sample_of_its_type(ada_api, work):
    hook = ada_api.make_hook()
    ada_api.post("/event-types", json={"name": "order.paid", "sample": {"order": "A-1"}})

    ada_api.post(f"/hooks/{hook['id']}/test", json={"event_type": "order.paid"})

    assert rows(work, Event)[0].payload == b'{"order":"A-1"}'


def test_a_test_may_wait_for_its_outcome(ada_api, work, engine, wait_until):
    hook = ada_api.make_hook()

    def deliver() -> None:
        with Session(engine, expire_on_commit=False) as session:
            mine = replace(work, session=session)
            wait_until(lambda: rows(mine, Delivery))
            answered(mine, 200, b"got it")

    thread = threading.Thread(target=deliver)
    thread.start()
    response = ada_api.post(f"/hooks/{hook['id']}/test?wait=10", json={})
    thread.join()

    assert response.status_code == 200
    assert response.get_json()["state"] == "delivered"
    assert response.get_json()["attempts"][0]["response"]["body"] == "got it"


def test_a_test_that_does_not_end_in_time_is_given_as_it_is(ada_api):
    hook = ada_api.make_hook()
    before = SystemClock().now()

    response = ada_api.post(f"/hooks/{hook['id']}/test?wait=0.2", json={})

    assert response.status_code == 202
    assert response.get_json()["state"] == "pending"
    assert SystemClock().now() - before >= timedelta(seconds=0.2)


@pytest.mark.parametrize("wait", ["21", "-1", "x", "nan", "1e1", ""])
def test_a_test_waits_0_to_20_seconds(ada_api, work, wait):
    hook = ada_api.make_hook()

    response = ada_api.post(f"/hooks/{hook['id']}/test?wait={wait}", json={})

    assert response.status_code == 422
    assert list(pointers(response)) == ["/wait"]
    assert rows(work, Delivery) == []


def test_a_test_is_answered_at_once_while_as_many_requests_wait_as_may(ada_api, app):
    hook = ada_api.make_hook()
    before = SystemClock().now()

    with others_waiting(app):
        response = ada_api.post(f"/hooks/{hook['id']}/test?wait=20", json={})

    assert (response.status_code, response.get_json()["state"]) == (202, "pending")
    assert SystemClock().now() - before < timedelta(seconds=5)


def test_nothing_waits_for_the_one_who_waits(ada_api, caller):
    """A writer goes through while somebody waits: no transaction is kept open between two looks."""
    hook = ada_api.make_hook()
    waiting = threading.Thread(target=lambda: caller(ada_api.token).post(f"/hooks/{hook['id']}/test?wait=1", json={}))
    waiting.start()

    before = SystemClock().now()
    for _ in range(10):
        ada_api.publish()

    assert SystemClock().now() - before < timedelta(seconds=1)
    waiting.join()
