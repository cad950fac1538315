"""Event types and sources over the API."""

from __future__ import annotations

import pytest

from console.services.event_types import catalogue
from tests.api.conftest import pointers


@pytest.mark.both_databases
def test_an_event_type_is_added_changed_and_deleted(ada_api):
    written = {
        "name": "shop.order/paid",
        "group": "Shop orders",
        "description": "An order was paid.",
        "sample": {"total": 1.5, "items": []},
        "schema": {"type": "object"},
        "validate": True,
    }

    created = ada_api.post("/event-types", json=written)
    path = created.headers["Location"].removeprefix("/api/v1")
    read = ada_api.get(path)
    changed = ada_api.patch(path, json={"group": None, "sample": None, "validate": False})

    assert created.status_code == 201
    assert created.get_json() == read.get_json()
    assert read.get_json() | written == read.get_json()
    assert read.get_json()["groups"] == ["Shop orders"]
    assert read.get_json()["builtin"] is False
    assert changed.status_code == 200
    assert (changed.get_json()["group"], changed.get_json()["groups"], changed.get_json()["sample"]) == (None, [], None)
    assert changed.get_json()["description"] == "An order was paid."
    assert ada_api.delete(path).status_code == 204
    assert ada_api.get(path).status_code == 404


UNREACHABLE = ["/lead", "//dbl", "a//b", "end/", "a/./b", ".", "..", "%2F", "order.paid ", "a\x7fb"]
"""Names that no address leads to."""


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_name_that_no_path_leads_to_is_refused_wherever_it_is_given(ada_api, name):
    event = {"type": name, "payload": {}}

    made = ada_api.post("/event-types", json={"name": name})
    published = ada_api.post("/events", json=event)
    batch = ada_api.post("/events/batch", json={"events": [event]})
    hook = ada_api.post("/hooks", json={"url": "https://a.example/", "event_types": [name]})

    assert pointers(made) == {"/name": "event_type_form"}
    assert pointers(published) == {"/type": "event_type_form"}
    assert pointers(batch) == {"/events/0/type": "event_type_form"}
    assert pointers(hook) == {"/event_types/0": "event_type_form"}


@pytest.mark.parametrize("name", UNREACHABLE)
def test_a_type_of_such_a_name_from_an_earlier_version_can_be_deleted(ada_api, work, ada, name):
    with work.transaction():
        made = catalogue.create(work, organization_number=ada.organization.number, name="legacy")
        made.name = name

    deleted = ada_api.delete("/event-types", query_string={"name": name})
    again = ada_api.delete("/event-types", query_string={"name": name})

    assert deleted.status_code == 204
    assert again.status_code == 404
    assert name not in catalogue.names(work, organization_number=ada.organization.number)


def test_a_type_may_be_in_several_groups(ada_api):
    created = ada_api.post("/event-types", json={"name": "a", "groups": ["one", "two"]}).get_json()

    assert (created["group"], created["groups"]) == ("one", ["one", "two"])


def test_a_group_and_groups_at_once_are_refused(ada_api):
    response = ada_api.post("/event-types", json={"name": "a", "group": "one", "groups": ["two"]})

    assert pointers(response) == {"/group": "ambiguous"}


def test_a_name_is_taken_once(ada_api):
    ada_api.post("/event-types", json={"name": "a"})

    response = ada_api.post("/event-types", json={"name": "a"})

    assert response.status_code == 409
    assert response.get_json()["code"] == "event_type_exists"


def test_types_that_came_with_hookyard_stay(ada_api):
    (builtin,) = ada_api.get("/event-types?builtin=true&limit=1").get_json()["data"]

    response = ada_api.delete(f"/event-types/{builtin['name']}")

    assert builtin["builtin"] is True
    assert response.status_code == 409


def test_event_types_are_filtered(ada_api):
    ada_api.post("/event-types", json={"name": "zebra.seen", "group": "animals", "description": "Black and white"})

    for query in ("q=ZEBRA", "q=black", "group=animals", "builtin=false"):
        assert [one["name"] for one in ada_api.get(f"/event-types?{query}").get_json()["data"]] == ["zebra.seen"]
    assert ada_api.get("/event-types?group=anim").get_json()["data"] == []


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"name": "a b"}, "/name", "event_type_form"),
        ({"name": ""}, "/name", "event_type_length"),
        ({"group": " x"}, "/group", "pattern"),
        ({"groups": ["ok", ""]}, "/groups/1", "pattern"),
        ({"description": "x" * 2001}, "/description", "too_long"),
        ({"schema": []}, "/schema", "type"),
        ({"validate": True}, "/validate", "schema_missing"),
        ({"validate": "yes"}, "/validate", "type"),
        ({"validate": True, "schema": {"type": "strnig"}}, "/schema", "schema_unusable"),
        ({"builtin": True}, "/builtin", "unknown_field"),
    ],
)
def test_a_wrong_field_of_an_event_type_is_pointed_at(ada_api, fields, pointer, code):
    response = ada_api.post("/event-types", json={"name": "a"} | fields)

    assert response.status_code == 422
    assert pointers(response) == {pointer: code}


def test_a_new_group_can_be_subscribed_to_and_is_live(ada_api):
    ada_api.post("/event-types", json={"name": "order.paid", "group": "orders"})
    ada_api.make_hook(all_events=False, event_groups=["orders"])

    ada_api.post("/event-types", json={"name": "order.lost", "group": "orders"})

    assert ada_api.publish(type="order.lost")["deliveries"] == 1
    assert ada_api.publish(type="order.found")["deliveries"] == 0


@pytest.mark.both_databases
def test_a_source_is_made_listed_and_read(ada_api):
    created = ada_api.post("/sources", json={"slug": "shop-berlin", "name": "Shop Berlin"})

    assert created.status_code == 201
    assert created.headers["Location"] == "/api/v1/sources/shop-berlin"
    assert ada_api.get("/sources/shop-berlin").get_json() == created.get_json()
    assert ada_api.get("/sources").get_json() == {"data": [created.get_json()], "next_cursor": None}


def test_a_slug_is_taken_once_and_has_a_form(ada_api):
    ada_api.post("/sources", json={"slug": "a"})

    assert ada_api.post("/sources", json={"slug": "a"}).status_code == 409
    assert pointers(ada_api.post("/sources", json={"slug": "a b"})) == {"/slug": "pattern"}
    assert pointers(ada_api.post("/sources", json={})) == {"/slug": "required"}


def test_a_hook_hears_events_of_its_sources_and_those_without_one(ada_api):
    for slug in ("a", "b"):
        ada_api.post("/sources", json={"slug": slug})
    ada_api.make_hook(sources=["a"])
    ada_api.make_hook(sources=[])

    assert ada_api.publish(source="a")["deliveries"] == 1
    assert ada_api.publish(source="b")["deliveries"] == 0
    assert ada_api.publish()["deliveries"] == 2
