"""Events of the oms dialect, over HTTP: publish to a webhook, read what became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from console.core.outcomes import Outcome
from console.models import Delivery, Event
from console.services.deliveries import deliveries
from console.services.event_types import catalogue
from console.services.hooks import hooks
from console.services.work import Work
from tests.dialects.drf_stage import NOT_FOUND, row_of
from tests.dialects.oms_stage import (
    EVENT_KEYS,
    HOOK_KEYS,
    INACTIVE,
    LEAST,
    NO_WEBHOOK,
    NULL,
    PACKAGE,
    PUBLISH,
    REQUIRED,
    UNKNOWN_TYPE,
    E,
    attempt,
    events_of,
    make,
    make_native,
    publish,
    published_natively,
)
from tests.engine import claim, delivery, hire

JSON = (("Content-Type", "application/json"),)


# --- publish-event --------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_an_event_is_published_to_one_webhook(ada_api: Any, ada: Any, work: Work, ring: Any) -> None:
    made = make(ada_api)
    make(ada_api, target_url="https://receiver.example.com/other")
    make_native(work, ada, all_events=True, event_types=[])

    answer = ada_api.post(PUBLISH, json={"hook": made["id"], "instance": PACKAGE})

    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (202, b"", "0")
    [event] = events_of(ada_api)
    assert list(event) == EVENT_KEYS
    assert list(event["webhook"]) == HOOK_KEYS
    assert event == {
        "id": event["id"],
        "webhook": made,
        "created_date": "2026-11-22T09:00:00.000000Z",
        "modified_date": "2026-11-22T09:00:00.000000Z",
        "uuid": str(UUID(event["uuid"])),
        "request_payload": {
            "event": {"type": "package.created", "uuid": event["uuid"].replace("-", "")},
            "payload": PACKAGE,
        },
        "response_content": {},
        "response_http_status": None,
        "delivered": False,
        "request_datetimes": [],
        "retry_count": None,
        "object_id": 1,
        "content_type": event["content_type"],
    }
    assert isinstance(event["content_type"], int)
    assert ada_api.get(f"{E}{event['id']}/").get_json() == event
    assert work.session.scalar(select(func.count()).select_from(Delivery)) == 1
    assert ring.lanes == ["deliveries"]


def test_the_instance_is_the_payload_as_it_was_written(ada_api: Any, work: Work) -> None:
    made = make(ada_api)
    text = '{"pk": 7, "model":"package","price":1.10,\n"more" : {"ü":"\\u00fc", "n": 123456789012345678901234567890}}'

    ada_api.post(PUBLISH, data=f'{{"instance": {text}, "hook": "{made["id"]}"}}', content_type="application/json")

    assert work.session.scalars(select(Event.payload)).one() == text.encode()
    answer = ada_api.get(E)
    assert '"price": 1.10, "more": {"ü": "\\u00fc", "n": 123456789012345678901234567890}' in answer.text


def test_a_form_is_taken_too(ada_api: Any) -> None:
    made = make(ada_api)

    as_json = ada_api.post(PUBLISH, data={"hook": made["id"], "instance": '{"pk": 5, "model": "package"}'})
    by_key = ada_api.post(PUBLISH, data={"hook": made["id"], "instance.pk": "6", "instance.model": "package"})

    assert (as_json.status_code, by_key.status_code) == (202, 202)
    second, first = events_of(ada_api)
    assert (first["object_id"], first["request_payload"]["payload"]) == (5, {"pk": 5, "model": "package"})
    assert (second["object_id"], second["request_payload"]["payload"]) == (6, {"pk": "6", "model": "package"})


def test_the_form_of_the_documents_sample_has_lost_the_object(ada_api: Any) -> None:
    answer = ada_api.post(PUBLISH, data={"hook": make(ada_api)["id"], "instance": ["pk", "model"]})

    no_object = {"instance": {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}}
    assert (answer.status_code, answer.get_json()) == (400, no_object)


NO_INTEGER = ["A valid integer is required."]
INSTANCES: list[tuple[Any, Any]] = [
    ({}, {"hook": REQUIRED, "instance": REQUIRED}),
    ({"hook": None, "instance": None}, {"hook": NULL, "instance": NULL}),
    ({"hook": "webhook.pk", "instance": PACKAGE}, {"hook": NO_INTEGER}),
    ({"hook": 1.5, "instance": PACKAGE}, {"hook": NO_INTEGER}),
    ({"hook": True, "instance": PACKAGE}, {"hook": NO_INTEGER}),
    (
        {"hook": 1, "instance": "x"},
        {"instance": {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}},
    ),
    ({"hook": 1, "instance": {"model": "package"}}, {"instance": {"pk": REQUIRED}}),
    ({"hook": "x", "instance": {}}, {"hook": NO_INTEGER, "instance": {"pk": REQUIRED, "model": REQUIRED}}),
    (
        {"hook": 1, "instance": {"pk": None, "model": ""}},
        {"instance": {"pk": NULL, "model": ["This field may not be blank."]}},
    ),
    (
        {"hook": 1, "instance": {"pk": "x" * 101, "model": True}},
        {
            "instance": {
                "pk": ["Ensure this field has no more than 100 characters."],
                "model": ["Not a valid string."],
            }
        },
    ),
]


@pytest.mark.parametrize(("body", "errors"), INSTANCES)
def test_wrong_fields_of_publish_event_are_named(ada_api: Any, body: Any, errors: Any) -> None:
    answer = ada_api.post(PUBLISH, json=body)

    assert (answer.status_code, answer.get_json()) == (400, errors)


@pytest.mark.parametrize("hook", [0, -1, 99999, 10**30, "007"])
def test_an_unknown_webhook_has_its_code(ada_api: Any, hook: Any) -> None:
    answer = ada_api.post(PUBLISH, json={"hook": hook, "instance": PACKAGE})

    assert (answer.status_code, answer.get_json()) == (406, NO_WEBHOOK)


def test_webhooks_of_others_are_unknown(ed_api: Any, ada_api: Any, mallory_api: Any) -> None:
    made = make(ada_api)

    for api in (ed_api, mallory_api):
        assert api.post(PUBLISH, json={"hook": made["id"], "instance": PACKAGE}).get_json() == NO_WEBHOOK


def test_an_inactive_webhook_has_its_code_and_gets_nothing(ada_api: Any) -> None:
    made = make(ada_api, is_active=False)

    answer = ada_api.post(PUBLISH, json={"hook": made["id"], "instance": PACKAGE})

    assert (answer.status_code, answer.get_json(), events_of(ada_api)) == (406, INACTIVE, [])


def test_a_type_that_is_registered_no_longer_has_its_code(ada_api: Any, ada: Any, work: Work) -> None:
    own = catalogue.create(work, organization_number=ada.organization.number, name="a.own")
    made = make(ada_api, event_type="a.own")
    catalogue.delete(work, event_type=own)

    answer = ada_api.post(PUBLISH, json={"hook": made["id"], "instance": PACKAGE})

    assert (answer.status_code, answer.get_json()) == (406, UNKNOWN_TYPE)


def test_fields_are_checked_before_codes(ada_api: Any) -> None:
    assert ada_api.post(PUBLISH, json={"hook": 99999}).get_json() == {"instance": REQUIRED}


def test_an_instance_that_is_too_large_is_refused(ada_api: Any) -> None:
    made = make(ada_api)

    answer = ada_api.post(PUBLISH, json={"hook": made["id"], "instance": {**PACKAGE, "x": "x" * 300_000}})

    assert (answer.status_code, list(answer.get_json())) == (400, ["instance"])


@pytest.mark.parametrize("value", ["\x00", '{"pk":1,"model":"a","x":1e400}'])
def test_a_form_may_hold_nothing_that_json_may_not(ada_api: Any, value: str) -> None:
    made = make(ada_api)
    form = {"hook": made["id"], "instance.pk": "1", "instance.model": "a", "instance.x": value}
    text = {"hook": made["id"], "instance": value}

    answer = ada_api.post(PUBLISH, data=form if value == "\x00" else text)

    assert (answer.status_code, list(answer.get_json())) == (400, ["instance"])


# --- what the core makes of it --------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_events_of_the_organization_reach_active_webhooks_of_their_type(ada_api: Any, ada: Any, work: Work) -> None:
    made = make(ada_api)
    make(ada_api, event_type="shipment.created")

    published_natively(work, ada, b'{"a":[1,2]}', object_model="Order", object_pk="A-7")
    published_natively(work, ada, type="package.updated")

    [event] = events_of(ada_api)
    assert event["webhook"] == made
    assert event["request_payload"]["payload"] == {"a": [1, 2]}
    assert event["object_id"] == "A-7"


@pytest.mark.both_databases
def test_each_model_has_its_integer_whatever_its_case(ada_api: Any, ada: Any, mallory_api: Any, work: Work) -> None:
    made, foreign = make(ada_api), make(mallory_api)
    publish(ada_api, made)
    publish(ada_api, made, {"pk": 2, "model": "shipment"})
    publish(ada_api, made, {"pk": 3, "model": "PACKAGE"})
    published_natively(work, ada, object_model="Package", object_pk="4")
    published_natively(work, ada)
    publish(mallory_api, foreign)

    *_, second, first = numbers = [event["content_type"] for event in events_of(ada_api)]

    assert numbers == [None, first, first, second, first]
    assert first != second
    assert events_of(mallory_api)[0]["content_type"] == first


def test_a_form_body_is_shown_as_an_object(ada_api: Any, ada: Any, work: Work) -> None:
    make_native(work, ada, content_type="form", payload_format="standard")
    published_natively(work, ada, b'{"a":1}')

    [event] = events_of(ada_api)

    assert (event["request_payload"]["type"], event["request_payload"]["data"]) == ("package.created", '{"a":1}')


# --- attempts -------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_attempts_are_counted_newest_first(ada_api: Any, work: Work, clock: Any) -> None:
    publish(ada_api, make(ada_api))
    [event] = events_of(ada_api)

    clock.advance(seconds=1)
    attempt(work, event, Outcome.SERVER_ERROR, status=500, response_body=b"broken")
    clock.advance(seconds=1)
    attempt(work, event, Outcome.OK, status=201, response_body=b'{"a":1}')

    [event] = events_of(ada_api)
    assert event["request_datetimes"] == ["2026-11-22T09:00:02.000000Z", "2026-11-22T09:00:01.000000Z"]
    assert (event["retry_count"], event["delivered"]) == (2, True)
    assert (event["response_http_status"], event["response_content"]) == (201, {"a": 1})
    assert event["modified_date"] == "2026-11-22T09:00:02.000000Z"


def test_an_attempt_that_is_being_made_does_not_count_yet(ada_api: Any, work: Work) -> None:
    publish(ada_api, make(ada_api))
    claim(work, hire(work))

    [event] = events_of(ada_api, ordering="retry_count")

    assert (event["retry_count"], event["request_datetimes"], event["response_http_status"]) == (None, [], None)


UTF16 = (("Content-Type", "text/plain; charset=utf-16"),)
CONTENTS: list[tuple[bytes, Any, Any]] = [
    (b"", (), {}),
    (b"ok", (), "ok"),
    (b"false", JSON, "false"),
    (b"12", JSON, "12"),
    (b'"text"', JSON, '"text"'),
    (b"[1, null]", (), [1, None]),
    (b' {"a": {"b": 1.10}}\n', (), {"a": {"b": 1.1}}),
    (b'{"a": NaN}', JSON, '{"a": NaN}'),
    (b'{"a":', JSON, '{"a":'),
    ("größe".encode("utf-16"), UTF16, "größe"),
    (b"\xff\x00", (), "\ufffd\x00"),
    (b"[" * 5000, JSON, "[" * 5000),
]


@pytest.mark.parametrize(("body", "headers", "content"), CONTENTS)
def test_an_answer_is_shown_as_json_when_it_is_an_object_or_a_list(
    ada_api: Any, work: Work, body: bytes, headers: Any, content: Any
) -> None:
    publish(ada_api, make(ada_api))
    attempt(work, events_of(ada_api)[0], response_body=body, response_headers=headers)

    [event] = events_of(ada_api)

    assert event["response_content"] == content
    assert event["response_http_status"] == 200


@pytest.mark.parametrize(
    ("outcome", "error"), [(Outcome.TIMEOUT, "No answer within 10 s."), (Outcome.CONNECTION_REFUSED, None)]
)
def test_an_attempt_without_an_answer_is_a_500_with_its_error(
    ada_api: Any, work: Work, outcome: Outcome, error: str | None
) -> None:
    publish(ada_api, make(ada_api))
    attempt(work, events_of(ada_api)[0], outcome, error=error)

    [event] = events_of(ada_api, response_http_status="500")

    assert (event["response_http_status"], event["delivered"]) == (500, False)
    assert event["response_content"] == (error or "The receiver's machine is there, but nothing listens on this port.")


# --- who sees what --------------------------------------------------------------------------------------------------


def test_events_are_seen_with_their_webhook(ada_api: Any, ed_api: Any, mallory_api: Any, ada: Any, work: Work) -> None:
    publish(ed_api, make(ed_api))
    make_native(work, ada, all_events=True)
    published_natively(work, ada, type="order.paid")
    [event] = events_of(ed_api)

    assert events_of(ada_api) == [event]
    assert events_of(mallory_api) == []
    answer = mallory_api.get(f"{E}{event['id']}/")
    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


def test_events_of_a_deleted_hook_are_gone(ada_api: Any, work: Work) -> None:
    made = make(ada_api)
    publish(ada_api, made)
    [event] = events_of(ada_api)

    hooks.delete(work, hook=row_of(work, made))

    assert events_of(ada_api) == []
    assert ada_api.get(f"{E}{event['id']}/").status_code == 404


def test_the_webhook_of_an_event_keeps_its_secrets_too(
    ada_api: Any, caller: Callable[..., Any], token_of: Callable[..., str], ada: Any
) -> None:
    publish(ada_api, make(ada_api, secret_key="s3cret"))

    [event] = events_of(caller(token_of(ada, "DELIVERIES:VIEW")))

    assert (event["webhook"]["secret_key"], events_of(ada_api)[0]["webhook"]["secret_key"]) == (None, "s3cret")


@pytest.mark.parametrize("number", ["0", "x", "999999", "9" * 40])
def test_an_unknown_event_id_is_not_found(ada_api: Any, number: str) -> None:
    answer = ada_api.get(f"{E}{number}/")

    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


# --- the body -------------------------------------------------------------------------------------------------------


def test_the_body_is_written_as_receivers_of_oms_expect(ada_api: Any, work: Work) -> None:
    publish(ada_api, make(ada_api), {"pk": 1, "model": "package", "list": [1, 2], "text": "a,b:c"})
    [event] = events_of(ada_api)

    body = deliveries.body_of(delivery(work, event["id"]))

    assert body.data == json.dumps(event["request_payload"]).encode()
    assert (body.content_type, body.headers) == ("application/json", {"X-Whisperer-Event": "package.created"})
    assert LEAST["event_type"] in body.data.decode()


def test_a_schedule_has_eleven_attempts(ada_api: Any, work: Work, clock: Any) -> None:
    """Exactly as it says, from the end of each attempt, although the circuit opens meanwhile."""
    publish(ada_api, make(ada_api, retry_countdown_config={"choice": "exponential", "kwargs": {"base": 2}}))
    [event] = events_of(ada_api)
    waits = []

    for _ in range(11):
        attempt(work, event, Outcome.SERVER_ERROR, status=500, duration_ms=1500.0)
        found = delivery(work, event["id"])
        if found.next_attempt_at is not None:
            waits.append((found.next_attempt_at - work.now() - timedelta(seconds=1.5)).total_seconds())
            clock.advance(seconds=2.5)

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert delivery(work, event["id"]).state == "failed"
