"""Publishing over the API: what is stored is what was sent, once."""

from __future__ import annotations

import json
import threading
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.models import Delivery, Event
from tests.api.conftest import pointers, rows
from tests.fuzz import through_the_app

PAYLOAD = b'{ "b": 1.10,\t"a" : [1e400, -0, 1E+2],\n"esc": "\\u0041\\/\\ud83d\\ude00", "text": "\xc3\xbc" }'


def stored(work):
    return rows(work, Event)


@pytest.mark.both_databases
def test_an_event_is_stored_with_a_delivery_for_each_hook_that_hears_it(ada_api, work, ring):
    ada_api.make_hook(all_events=False, event_types=["order.*"])
    ada_api.make_hook(all_events=False, event_types=["customer.*"])
    ada_api.make_hook(is_active=False)

    response = ada_api.post("/events", json={"type": "order.paid", "payload": {"order": 1}})

    answer = response.get_json()
    (event,) = stored(work)
    assert response.status_code == 202
    assert answer == {"id": str(event.id), "type": "order.paid", "deliveries": 2}
    assert [row.state for row in rows(work, Delivery)] == ["pending", "held"]
    assert ring.lanes == ["deliveries"]


@pytest.mark.both_databases
def test_payload_and_context_are_kept_byte_for_byte(ada_api, work):
    body = b'{"context": {"x" : 0.10} , "payload":' + PAYLOAD + b' ,"type":"order.paid"}'

    published = ada_api.post_bytes("/events", body)
    read = ada_api.get(f"/events/{published.get_json()['id']}")

    (event,) = stored(work)
    assert published.status_code == 202
    assert (event.payload, event.context) == (PAYLOAD, b'{"x" : 0.10}')
    assert b'"payload": ' + PAYLOAD in read.data
    assert read.get_json()["context"] == {"x": 0.1}


@through_the_app()
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
)
def test_any_json_is_kept_as_it_was_written(ada_api, work, value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    if "\\u0000" in text.replace("\\\\", ""):
        return  # refused, as PostgreSQL could not hold it

    response = ada_api.post_bytes("/events", f'{{"type": "t", "payload": {text}}}'.encode())

    assert response.status_code == 202
    assert stored(work)[-1].payload == text.encode()


def test_everything_that_may_be_said_of_an_event_is_kept(ada_api):
    ada_api.post("/sources", json={"slug": "shop-berlin"})

    published = ada_api.publish(
        source="shop-berlin",
        occurred_at="2026-11-22T10:00:00.123456+02:00",
        message="Order 17 was paid",
        context={"who": "ada"},
        object={"model": "order", "pk": "17"},
    )
    event = ada_api.get(f"/events/{published['id']}").get_json()

    assert event["source"] == "shop-berlin"
    assert event["occurred_at"] == "2026-11-22T08:00:00.123456Z"
    assert event["created_at"] == "2026-11-22T09:00:00Z"
    assert event["message"] == "Order 17 was paid"
    assert event["context"] == {"who": "ada"}
    assert event["object"] == {"model": "order", "pk": "17"}
    assert event["payload"] == {"order": 1}
    assert event["test"] is False


def test_a_payload_may_be_any_json_also_null(ada_api, work):
    for payload in (b"null", b"0", b'"x"', b"[]", b"true"):
        assert ada_api.post_bytes("/events", b'{"type":"t","payload":' + payload + b"}").status_code == 202

    assert [event.payload for event in stored(work)] == [b"null", b"0", b'"x"', b"[]", b"true"]


# --- idempotency ----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize("where", ["header", "id"])
def test_a_repeated_key_gets_the_same_answer_and_stores_nothing(ada_api, work, where):
    ada_api.make_hook()
    body = {"type": "order.paid", "payload": {"order": 1}} | ({"id": "k-1"} if where == "id" else {})
    headers = {"Idempotency-Key": "k-1"} if where == "header" else {}

    first, second = (ada_api.post("/events", json=body, headers=headers) for _ in range(2))
    other = ada_api.post("/events", json=body | {"payload": {"order": 2}}, headers=headers)

    assert first.status_code == second.status_code == 202
    assert first.get_json() == second.get_json()
    assert other.status_code == 409
    assert other.get_json()["code"] == "idempotency_conflict"
    assert len(stored(work)) == 1
    assert len(rows(work, Delivery)) == 1


def test_an_id_that_is_a_uuid_becomes_the_id_of_the_event(ada_api):
    wanted = str(uuid4())

    assert ada_api.publish(id=wanted)["id"] == wanted
    assert ada_api.publish(id=wanted)["id"] == wanted
    assert UUID(ada_api.publish(id="not-a-uuid")["id"])


def test_keys_of_other_organizations_do_not_collide(ada_api, mallory_api):
    assert ada_api.publish(id="k-1")["id"] != mallory_api.publish(id="k-1", payload=2)["id"]


@pytest.mark.both_databases
def test_two_organizations_may_use_the_same_event_id(ada_api, mallory_api):
    same, fresh = str(uuid4()), str(uuid4())
    ada_api.publish(id=same, payload="ada's")

    answer = mallory_api.post("/events", json={"type": "t", "payload": "mallory's", "id": same})
    batch = mallory_api.post(
        "/events/batch",
        json={"events": [{"type": "t", "payload": "mallory's", "id": one} for one in (same, fresh)]},
    )

    assert answer.status_code == batch.status_code == 202
    assert answer.get_json()["id"] == same
    assert [one["id"] for one in batch.get_json()["events"]] == [same, fresh]
    assert ada_api.get(f"/events/{same}").get_json()["payload"] == "ada's"
    assert mallory_api.get(f"/events/{same}").get_json()["payload"] == "mallory's"


@pytest.mark.both_databases
def test_an_event_id_that_was_published_without_a_key_is_a_conflict_in_its_own_organization(ada_api, mallory_api):
    taken = ada_api.publish()["id"]

    own = ada_api.post("/events", json={"type": "t", "payload": 1, "id": taken})
    elsewhere = mallory_api.post("/events", json={"type": "t", "payload": 1, "id": taken})

    assert own.status_code == 409
    assert own.get_json()["code"] == "id_taken"
    assert elsewhere.status_code == 202


@pytest.mark.both_databases
def test_a_search_for_an_id_that_two_organizations_use_finds_ones_own(ada_api, mallory_api):
    same = str(uuid4())
    ada_api.publish(id=same, payload="ada's")
    mallory_api.make_hook()
    mallory_api.publish(id=same, payload="mallory's")

    [event] = mallory_api.get("/events", query_string={"q": same}).get_json()["data"]
    [delivery] = mallory_api.get("/deliveries", query_string={"q": same}).get_json()["data"]

    assert event["id"] == same
    assert delivery["event"] == same
    assert ada_api.get("/deliveries", query_string={"q": same}).get_json()["data"] == []


@pytest.mark.both_databases
def test_of_many_publishers_with_one_key_exactly_one_wins(app, ada_api, caller, work):
    ada_api.make_hook()
    barrier = threading.Barrier(8)
    answers: list[tuple[int, dict]] = []

    def publish(number: int) -> None:
        mine = caller(ada_api.token)
        barrier.wait()
        body = {"type": "order.paid", "payload": {"from": number % 2}}
        response = mine.post("/events", json=body, headers={"Idempotency-Key": "race"})
        answers.append((response.status_code, response.get_json()))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(status for status, _ in answers) == [202] * 4 + [409] * 4
    assert len({answer["id"] for status, answer in answers if status == 202}) == 1
    assert len(stored(work)) == 1
    assert len(rows(work, Delivery)) == 1


# --- batches --------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_batch_answers_for_each_event_in_order(ada_api, work):
    ada_api.make_hook(all_events=False, event_types=["b"])
    body = b'{"events": [{"type":"a","payload":1.10}, {"payload": {"x" : 1e400},"type":"b","id":"k"}]}'

    response = ada_api.post_bytes("/events/batch", body)

    events = stored(work)
    assert response.status_code == 202
    assert response.get_json() == {
        "events": [
            {"id": str(events[0].id), "type": "a", "deliveries": 0},
            {"id": str(events[1].id), "type": "b", "deliveries": 1},
        ]
    }
    assert [event.payload for event in events] == [b"1.10", b'{"x" : 1e400}']


def test_a_batch_with_one_wrong_event_stores_none(ada_api, work):
    events = [{"type": "a", "payload": 1}, {"type": "a..b", "payload": 1}, {"type": "a", "payload": 1, "source": "x"}]

    response = ada_api.post("/events/batch", json={"events": events})

    assert response.status_code == 422
    assert pointers(response) == {"/events/1/type": "event_type_form"}
    assert stored(work) == []


@pytest.mark.parametrize("others", [0, 2])
def test_a_wrong_source_in_a_batch_is_pointed_at(ada_api, others):
    events = [{"type": "a", "payload": 1, "source": "nowhere"}] + [{"type": "a", "payload": 1}] * others

    response = ada_api.post("/events/batch", json={"events": events})

    assert pointers(response) == {"/events/0/source": "unknown_source"}


def test_a_batch_with_a_key_is_stored_once(ada_api, work):
    body = {"events": [{"type": "a", "payload": 1}, {"type": "a", "payload": 2, "id": "own"}]}
    headers = {"Idempotency-Key": "batch-1"}

    first, second = (ada_api.post("/events/batch", json=body, headers=headers) for _ in range(2))
    other = ada_api.post("/events/batch", json={"events": [{"type": "a", "payload": 3}]}, headers=headers)

    assert first.get_json() == second.get_json()
    assert other.status_code == 409
    assert [event.idempotency_key for event in stored(work)] == ["batch-1#0", "own"]


@pytest.mark.parametrize("count", [0, 1001])
def test_a_batch_has_1_to_1000_events(ada_api, count):
    response = ada_api.post("/events/batch", json={"events": [{"type": "a", "payload": 1}] * count})

    assert response.status_code == 422
    assert list(pointers(response)) == ["/events"]


def test_a_batch_of_1000_events_may_have_16_mib(ada_api, work):
    response = ada_api.post("/events/batch", json={"events": [{"type": "a", "payload": "x" * 16_000}] * 1000})

    assert response.status_code == 202
    assert len(response.get_json()["events"]) == 1000


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"type": ""}, "/type", "event_type_length"),
        ({"type": "a b"}, "/type", "event_type_form"),
        ({"type": "order.*"}, "/type", "event_type_form"),
        ({"type": "x" * 201}, "/type", "event_type_length"),
        ({"type": None}, "/type", "type"),
        ({"source": "nowhere"}, "/source", "unknown_source"),
        ({"source": ""}, "/source", "too_short"),
        ({"id": ""}, "/id", "too_short"),
        ({"id": "x" * 256}, "/id", "too_long"),
        ({"id": 5}, "/id", "type"),
        ({"occurred_at": "2026-11-22"}, "/occurred_at", "time"),
        ({"occurred_at": "2026-11-22T09:00:00"}, "/occurred_at", "time"),
        ({"occurred_at": "2026-02-30T09:00:00Z"}, "/occurred_at", "time"),
        ({"occurred_at": "0001-01-01T00:00:00+23:59"}, "/occurred_at", "range"),
        ({"occurred_at": 0}, "/occurred_at", "time"),
        ({"message": "x" * 2001}, "/message", "too_long"),
        ({"object": {"model": "x" * 101}}, "/object/model", "too_long"),
        ({"object": {"id": "x"}}, "/object/id", "unknown_field"),
        ({"object": "x"}, "/object", "type"),
        ({"payload": "x" * 262_143}, "/payload", "too_large"),
        ({"context": {"x": "x" * 262_143}}, "/context", "too_large"),
        ({"context": 5}, "/context", "type"),
        ({"context": [{}]}, "/context", "type"),
        ({"context": "{}"}, "/context", "type"),
        ({"id": "order-17\nX-Evil: 1"}, "/id", "control"),
        ({"id": "order\u202e17"}, "/id", "control"),
        ({"id": "\u0085"}, "/id", "control"),
        ({"object": {"model": "shop\torder"}}, "/object/model", "control"),
        ({"object": {"pk": "17\r"}}, "/object/pk", "control"),
        ({"number": 1}, "/number", "unknown_field"),
    ],
)
def test_a_wrong_field_of_an_event_is_pointed_at(ada_api, work, fields, pointer, code):
    response = ada_api.post("/events", json={"type": "order.paid", "payload": 1} | fields)

    assert response.status_code == 422
    assert pointers(response) == {pointer: code}
    assert stored(work) == []


def test_type_and_payload_are_required(ada_api):
    assert pointers(ada_api.post("/events", json={})) == {"/type": "required", "/payload": "required"}


def test_a_key_is_at_most_255_characters(ada_api):
    response = ada_api.post("/events", json={"type": "t", "payload": 1}, headers={"Idempotency-Key": "x" * 256})

    assert response.status_code == 422


def test_a_key_has_no_control_characters(ada_api, work):
    response = ada_api.post("/events", json={"type": "t", "payload": 1}, headers={"Idempotency-Key": "a\tb"})

    assert pointers(response) == {"/id": "control"}
    assert stored(work) == []


def test_publishing_needs_no_redis(ada_api, work):
    """The ring of these tests records; one that is lost is the engine's to make up for. The answer does not wait."""
    assert ada_api.publish()["deliveries"] == 0
    assert len(stored(work)) == 1


def test_a_payload_that_does_not_fit_the_schema_of_its_type_is_pointed_at(ada_api):
    schema = {"type": "object", "required": ["order"], "properties": {"total": {"type": "number"}}}
    ada_api.post("/event-types", json={"name": "order.paid", "schema": schema, "validate": True})

    one = ada_api.post("/events", json={"type": "order.paid", "payload": {"total": "9"}})
    many = ada_api.post(
        "/events/batch", json={"events": [{"type": "other", "payload": 1}, {"type": "order.paid", "payload": 1}]}
    )

    assert one.status_code == many.status_code == 422
    assert pointers(one) == {"/payload": "schema", "/payload/total": "schema"}
    assert pointers(many) == {"/events/1/payload": "schema"}
    assert ada_api.get("/events").get_json()["data"] == []
    assert ada_api.publish(payload={"order": 1, "total": 9})["deliveries"] == 0


def test_a_filter_decides_by_the_payload(ada_api):
    ada_api.make_hook(filter="total > `100`")

    assert ada_api.publish(payload={"total": 500})["deliveries"] == 1
    assert ada_api.publish(payload={"total": 5})["deliveries"] == 0
    assert ada_api.publish(payload="no object")["deliveries"] == 0
