"""Lists of pretix's organizer webhooks, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from console.services.event_types import catalogue
from console.services.work import Work
from tests.dialects.pretix_stage import (
    LEAST,
    TYPE,
    W,
    make,
    make_native,
    path_of,
)

pytestmark = pytest.mark.usefixtures("two_events")


def test_an_empty_list(ada_api: Any) -> None:
    answer = ada_api.get(W)

    assert answer.data == b'{"count":0,"next":null,"previous":null,"results":[]}'


@pytest.mark.both_databases
def test_a_list_is_in_the_order_of_ids_and_filtered_by_its_switch(ada_api: Any, mallory_api: Any) -> None:
    on, off = make(ada_api), make(ada_api, enabled=False)
    mallory_api.post("/api/v1/organizers/elsewhere/webhooks/", json=LEAST)

    def ids(query: str) -> list[int]:
        answer = ada_api.get(W + query).get_json()
        assert answer["count"] == len(answer["results"])
        return [webhook["id"] for webhook in answer["results"]]

    assert ids("") == [on["id"], off["id"]]
    assert ids("?ordering=-id") == [on["id"], off["id"]]
    assert ids("?enabled=true") == ids("?enabled=1") == [on["id"]]
    assert ids("?enabled=FALSE") == [off["id"]]
    assert ids("?enabled=perhaps") == ids("?enabled=") == [on["id"], off["id"]]
    assert ada_api.get(W).get_json()["results"] == [on, off]


def test_a_list_comes_in_pages(ada_api: Any, ada: Any, work: Work) -> None:
    numbers = [make_native(work, ada, event_types=[TYPE])["id"] for _ in range(53)]

    first = ada_api.get(f"{W}?page_size=500&enabled=true").get_json()
    second = ada_api.get(first["next"].removeprefix("http://hookyard.test")).get_json()
    usual = ada_api.get(f"{W}?page_size=none").get_json()
    small = ada_api.get(f"{W}?page_size=2&page=2").get_json()

    address = f"http://hookyard.test{W}?enabled=true"
    assert (first["count"], first["next"]) == (53, f"{address}&page=2&page_size=500")
    assert (first["previous"], second["previous"]) == (None, f"{address}&page_size=500")
    assert [hook["id"] for hook in first["results"] + second["results"]] == numbers
    assert len(usual["results"]) == 50
    assert [hook["id"] for hook in small["results"]] == numbers[2:4]


@pytest.mark.parametrize("page", ["0", "2", "x", "9" * 400])
def test_a_page_that_is_not_there(ada_api: Any, page: str) -> None:
    answer = ada_api.get(f"{W}?page={page}")

    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Invalid page."})


SEEN = [200, 200, 204]


HIDDEN = [404, 404, 404]


VISIBILITY = [
    ({"event_types": [TYPE, "pretix.event.item.*"]}, SEEN),
    ({"event_types": []}, SEEN),
    ({"event_types": [TYPE, "order.paid"]}, HIDDEN),
    ({"event_types": ["pretix.event.order.*"]}, HIDDEN),
    ({"event_types": [TYPE], "event_groups": True}, HIDDEN),
    ({"all_events": True}, HIDDEN),
]


@pytest.mark.parametrize(("fields", "expected"), VISIBILITY)
def test_only_hooks_that_pretix_has_words_for_are_shown(
    ada_api: Any, ada: Any, work: Work, fields: dict[str, Any], expected: list[int]
) -> None:
    if "event_groups" in fields:
        groups = catalogue.groups(work, organization_number=ada.organization.number)
        fields = fields | {"event_groups": [groups[0].name]}
    webhook = make_native(work, ada, **fields)

    listed = ada_api.get(W).get_json()["count"]
    statuses = [ada_api.call(method, path_of(webhook), json={}).status_code for method in ("GET", "PATCH", "DELETE")]

    assert listed == (expected is SEEN)
    assert statuses == expected
