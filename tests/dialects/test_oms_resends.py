"""Resending events of the oms dialect, over HTTP."""

from __future__ import annotations

from time import monotonic
from typing import Any
from uuid import uuid4

import pytest

from console.api.dialects.oms import event_views
from console.core.outcomes import Outcome
from console.services.work import Work
from tests.apps import others_waiting
from tests.dialects.oms_stage import (
    NO_EVENT,
    NULL,
    REQUIRED,
    RESEND,
    attempt,
    events_of,
    make,
    path_of,
    publish,
    published_natively,
)
from tests.engine import claim, delivery, hire, record, rows_of


@pytest.mark.both_databases
def test_a_resent_event_is_the_same_event_with_one_attempt_more(ada_api: Any, work: Work) -> None:
    publish(ada_api, make(ada_api))
    attempt(work, events_of(ada_api)[0])
    [before] = events_of(ada_api)

    answer = ada_api.post(RESEND, json={"event": before["uuid"]})
    [waiting] = events_of(ada_api)
    attempt(work, before, Outcome.SERVER_ERROR, status=503)
    [after] = events_of(ada_api)

    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert (waiting["delivered"], waiting["retry_count"]) == (False, 1)
    assert (after["uuid"], after["request_payload"]) == (before["uuid"], before["request_payload"])
    assert (after["delivered"], after["retry_count"], len(after["request_datetimes"])) == (False, 2, 2)


def test_a_resent_event_has_its_whole_schedule_again(ada_api: Any, work: Work) -> None:
    publish(ada_api, make(ada_api, retry_countdown_config={"choice": "linear", "kwargs": {"base": 60}}))
    [event] = events_of(ada_api)
    for _ in range(3):
        attempt(work, event, Outcome.SERVER_ERROR, status=500)

    ada_api.post(RESEND, json={"event": event["uuid"].replace("-", "")})
    attempt(work, event, Outcome.SERVER_ERROR, status=500)

    assert delivery(work, event["id"]).next_attempt_at == work.now(), "linear: the first retry is at once"


def test_a_held_event_is_released_although_its_webhook_is_inactive(ada_api: Any, ada: Any, work: Work) -> None:
    ada_api.delete(path_of(make(ada_api)))
    published_natively(work, ada)
    [event] = events_of(ada_api)
    assert delivery(work, event["id"]).state == "held"

    answer = ada_api.post(RESEND, data={"event": event["uuid"]})
    attempt(work, event)

    assert answer.status_code == 200
    assert events_of(ada_api)[0]["delivered"] is True


RESENT_WRONG: list[tuple[Any, Any]] = [
    ({}, REQUIRED),
    ({"event": None}, NULL),
    ({"event": "x"}, ["Must be a valid UUID."]),
    ({"event": 5}, ["Must be a valid UUID."]),
    ({"event": ""}, ["Must be a valid UUID."]),
]


@pytest.mark.parametrize(("body", "words"), RESENT_WRONG)
def test_a_wrong_event_is_named(ada_api: Any, body: Any, words: Any) -> None:
    answer = ada_api.post(RESEND, json=body)

    assert (answer.status_code, answer.get_json()) == (400, {"event": words})


def test_an_unknown_event_has_its_code(ada_api: Any, ed_api: Any, mallory_api: Any) -> None:
    publish(ada_api, make(ada_api))
    [event] = events_of(ada_api)

    for api, uuid in ((ada_api, str(uuid4())), (ed_api, event["uuid"]), (mallory_api, event["uuid"])):
        answer = api.post(RESEND, json={"event": uuid})
        assert (answer.status_code, answer.get_json()) == (406, NO_EVENT)


@pytest.mark.both_databases
def test_an_event_that_is_being_sent_is_resent_when_its_attempt_has_ended(
    ada_api: Any, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ada_api, make(ada_api))
    [event] = events_of(ada_api)
    [row] = rows_of(claim(work, hire(work)))
    monkeypatch.setattr(event_views, "sleep", lambda _seconds: record(work, row))

    answer = ada_api.post(RESEND, json={"event": event["uuid"]})

    assert (answer.status_code, answer.data) == (200, b"")
    found = delivery(work, event["id"])
    assert (found.state, found.trigger, found.attempt_count) == ("pending", "resend", 1)


def test_an_attempt_that_takes_too_long_is_a_conflict(
    ada_api: Any, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(ada_api, make(ada_api))
    claim(work, hire(work))
    monkeypatch.setattr(event_views, "PATIENCE_S", 0.1)

    answer = ada_api.post(RESEND, json={"event": events_of(ada_api)[0]["uuid"]})

    assert (answer.status_code, list(answer.get_json())) == (409, ["detail"])


def test_an_event_being_sent_is_not_waited_for_while_as_many_requests_wait_as_may(ada_api: Any, work: Work) -> None:
    publish(ada_api, make(ada_api))
    claim(work, hire(work))
    event = events_of(ada_api)[0]["uuid"]
    begun = monotonic()

    with others_waiting(ada_api.client.application):
        answer = ada_api.post(RESEND, json={"event": event})

    assert answer.status_code == 409
    assert monotonic() - begun < event_views.PATIENCE_S
