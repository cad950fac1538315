"""Lists of events of the oms dialect, over HTTP: filters, order, pages."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from console.core.outcomes import Outcome
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import Work
from tests.dialects.oms_stage import (
    E,
    attempt,
    events_of,
    make,
    publish,
)


@pytest.fixture
def three(ada_api: Any, work: Work, clock: Any) -> list[dict[str, Any]]:
    """Three events, a second apart: one delivered, one whose receiver failed twice, one without an attempt."""
    made, other = make(ada_api), make(ada_api, event_type="shipment.created")
    publish(ada_api, made, {"pk": 1, "model": "package"})
    [first] = events_of(ada_api)
    attempt(work, first)
    clock.advance(seconds=1)
    publish(ada_api, other, {"pk": "A-2", "model": "shipment"})
    second = events_of(ada_api)[0]
    attempt(work, second, Outcome.SERVER_ERROR, status=503)
    attempt(work, second, Outcome.TIMEOUT)
    clock.advance(seconds=1)
    publish(ada_api, made, {"pk": 3, "model": "package"})
    return events_of(ada_api)[::-1]


@pytest.mark.both_databases
def test_the_list_is_filtered(ada_api: Any, three: list[dict[str, Any]]) -> None:
    first, second, third = (event["id"] for event in three)
    moment = "2026-11-22T09:00:01Z"
    expected: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [third, second, first]),
        ({"uuid": three[0]["uuid"]}, [first]),
        ({"uuid": three[0]["uuid"].replace("-", "").upper()}, [first]),
        ({"uuid": str(uuid4())}, []),
        ({"response_http_status": "200"}, [first]),
        ({"response_http_status": "500.0"}, [second]),
        ({"response_http_status": "0"}, []),
        ({"response_http_status": "1.5"}, []),
        ({"delivered": "true"}, [first]),
        ({"delivered": "0"}, [third, second]),
        ({"delivered": "maybe"}, [third, second, first]),
        ({"created_date": moment}, [second]),
        ({"created_date__gt": moment}, [third]),
        ({"created_date__gte": moment}, [third, second]),
        ({"created_date__lt": moment}, [first]),
        ({"created_date__lte": moment, "created_date__gte": "2026-11-22T09:00:01"}, [second]),
        ({"object_id": "1"}, [first]),
        ({"object_id": "A-2"}, [second]),
        ({"object_id": "2"}, []),
        ({"event_type": "PACKAGE.created"}, [third, first]),
        ({"event_type": "package"}, []),
        ({"content_type": three[1]["content_type"]}, [second]),
        ({"webhook": three[1]["webhook"]["id"]}, [second]),
        ({"webhook": three[0]["webhook"]["id"], "delivered": "false"}, [third]),
        ({"unknown": "x", "page_size": "0"}, [third, second, first]),
    ]

    for query, ids in expected:
        assert [event["id"] for event in events_of(ada_api, **query)] == ids, query


NO_CHOICE = ["Select a valid choice. That choice is not one of the available choices."]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("uuid", "x", ["Enter a valid UUID."]),
        ("response_http_status", "x", ["Enter a number."]),
        ("created_date", "x", ["Enter a valid date/time."]),
        ("created_date__lte", "2026-13-01", ["Enter a valid date/time."]),
        ("content_type", "999999", NO_CHOICE),
        ("content_type", "package", NO_CHOICE),
        ("webhook", "999999", NO_CHOICE),
        ("webhook", "x", NO_CHOICE),
    ],
)
def test_a_wrong_filter_is_named(ada_api: Any, name: str, value: str, words: list[str]) -> None:
    answer = ada_api.get(E, query_string={name: value})

    assert (answer.status_code, answer.get_json()) == (400, {name: words})


def test_webhooks_of_others_are_no_choice(ada_api: Any, ed_api: Any) -> None:
    made = make(ada_api)

    assert ed_api.get(f"{E}?webhook={made['id']}").get_json() == {"webhook": NO_CHOICE}


@pytest.mark.both_databases
def test_the_list_is_sorted(ada_api: Any, three: list[dict[str, Any]]) -> None:
    first, second, third = (event["id"] for event in three)
    expected = {
        "id": [first, second, third],
        "-id": [third, second, first],
        "created_date": [first, second, third],
        "-modified_date": [third, second, first],
        "delivered": [third, second, first],
        "-delivered": [first, third, second],
        "retry_count": [third, first, second],
        "-retry_count": [second, first, third],
        "response_http_status": [third, first, second],
        "-response_http_status": [second, first, third],
        "-delivered,id": [first, second, third],
        "uuid": [third, second, first],
        "--id,;": [third, second, first],
    }

    for ordering, ids in expected.items():
        assert [event["id"] for event in events_of(ada_api, ordering=ordering)] == ids, ordering


def test_the_list_comes_in_pages(ada_api: Any, three: list[dict[str, Any]]) -> None:
    page = ada_api.get(f"{E}?page=2&page_size=1&ordering=id").get_json()

    assert (page["count"], page["results"]) == (3, [three[1]])
    assert page["next"] == f"http://hookyard.test{E}?ordering=id&page=3&page_size=1"
    assert page["previous"] == f"http://hookyard.test{E}?ordering=id&page_size=1"
    for wrong in ("0", "4", "x"):
        answer = ada_api.get(f"{E}?page={wrong}&page_size=1")
        assert (answer.status_code, answer.get_json()) == (404, {"detail": "Invalid page."})


def test_pages_have_twenty_events_unless_told_and_at_most_a_hundred(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api)
    drafts = [EventDraft(type="package.created", payload=b"{}") for _ in range(101)]
    publishing.publish_batch(work, organization_number=ada.organization.number, drafts=drafts)

    assert [len(events_of(ada_api)), len(events_of(ada_api, page_size="500"))] == [20, 100]
