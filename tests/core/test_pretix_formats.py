"""The payload format of pretix: keys, order, values and bytes that its receivers rely on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.catalogue import PRETIX, packaged
from console.core.errors import Refused
from tests.core.formats_stage import MESSAGE, fields, made, values

PAYLOAD = (
    b'{"code":"ABC23","orderposition_id":23442,"orderposition_positionid":1,"checkin_list":2,"type":"entry",'
    b'"first_checkin":true,"subevent":7,"item":12,"voucher":31,"waitinglistentry":4,"customer":"8WSAJCJ",'
    b'"issuer_id":1,"acceptor_id":9,"acceptor_slug":"other","giftcard":5,'
    b'"notification_id":0,"organizer":"x","event":"x","issuer_slug":"x","action":"x"}'
)
START = b'{"notification_id":123455,"organizer":"acmecorp","event":"democon",'
KINDS = {
    "order": START + b'"code":"ABC23","action":"%s"}',
    "event": START + b'"action":"%s"}',
    "subevent": START + b'"subevent":7,"action":"%s"}',
    "item": START + b'"item":12,"action":"%s"}',
    "voucher": START + b'"voucher":31,"action":"%s"}',
    "waitinglistentry": START + b'"waitinglistentry":4,"action":"%s"}',
    "checkin": START + b'"code":"ABC23","action":"%s","orderposition_id":23442,"orderposition_positionid":1,'
    b'"checkin_list":2,"type":"entry","first_checkin":true}',
    "customer": b'{"notification_id":123455,"organizer":"acmecorp","customer":"8WSAJCJ","action":"%s"}',
    "giftcard": b'{"notification_id":123455,"issuer_id":1,"issuer_slug":"acmecorp","giftcard":5,"action":"%s"}',
    "giftcard_transaction": b'{"notification_id":123455,"issuer_id":1,"issuer_slug":"acmecorp","acceptor_id":9,'
    b'"acceptor_slug":"other","giftcard":5,"action":"%s"}',
}


@pytest.mark.parametrize(("name", "kind"), [(known.name, known.kind) for known in packaged(PRETIX)])
def test_a_pretix_body_has_the_keys_of_its_kind(name: str, kind: str) -> None:
    action = name.replace("*", "something")

    body = made(replace(MESSAGE, event_type=action, payload=PAYLOAD), "pretix")

    assert body.data == KINDS[kind] % action.encode()


def test_every_kind_of_pretix_has_an_action_type() -> None:
    assert {known.kind for known in packaged(PRETIX)} == set(KINDS)


@pytest.mark.parametrize("name", ["order.paid", "pretix.plugins.badges.printed", "pretix", "pretix.event.order.*"])
def test_a_type_that_is_none_of_pretix_makes_the_body_of_an_event(name: str) -> None:
    body = made(replace(MESSAGE, event_type=name, payload=b"[1"), "pretix")

    assert body.data == KINDS["event"] % name.encode()


def test_an_event_without_a_source_is_null() -> None:
    body = made(replace(MESSAGE, source=None, event_type="pretix.event.order.paid", payload=PAYLOAD), "pretix")

    assert body.data.startswith(b'{"notification_id":123455,"organizer":"acmecorp","event":null,"code":"ABC23"')


@pytest.mark.parametrize(
    ("action", "key", "pk", "written"),
    [
        ("pretix.event.order.paid", "code", "ABC23", b'"ABC23"'),
        ("pretix.event.order.paid", "code", "123", b'"123"'),
        ("pretix.event.checkin", "code", "123", b'"123"'),
        ("pretix.customer.created", "customer", "42", b'"42"'),
        ("pretix.subevent.added", "subevent", "7", b"7"),
        ("pretix.event.item.changed", "item", "12", b"12"),
        ("pretix.voucher.added", "voucher", "31", b"31"),
        ("pretix.event.orders.waitinglist.added", "waitinglistentry", "4", b"4"),
        ("pretix.giftcards.created", "giftcard", "5", b"5"),
        ("pretix.giftcards.transaction.manual", "giftcard", "a5", b'"a5"'),
        ("pretix.giftcards.created", "giftcard", "-5", b'"-5"'),
        ("pretix.giftcards.created", "giftcard", "٣", '"٣"'.encode()),
        ("pretix.giftcards.created", "giftcard", "²", '"²"'.encode()),
        ("pretix.giftcards.created", "giftcard", None, b"null"),
        ("pretix.event.order.paid", "code", None, b"null"),
        ("pretix.giftcards.created", "issuer_id", "5", b"null"),
        ("pretix.giftcards.transaction.manual", "acceptor_id", "5", b"null"),
        ("pretix.giftcards.transaction.manual", "acceptor_slug", "5", b"null"),
        ("pretix.event.checkin", "orderposition_id", "5", b"null"),
        ("pretix.event.checkin", "type", "5", b"null"),
    ],
)
@pytest.mark.parametrize("payload", [b"{}", b'{"other": 1}', b'"code"', b'["code"]', b"null", b"5"])
def test_what_the_payload_does_not_say_comes_from_the_object_or_is_null(
    action: str, key: str, pk: str | None, written: bytes, payload: bytes
) -> None:
    message = replace(MESSAGE, event_type=action, payload=payload, object_model="thing", object_pk=pk)

    body = made(message, "pretix").data

    assert b'"%s":%s' % (key.encode(), written) in body


def test_the_payload_wins_over_the_object_even_with_null() -> None:
    message = replace(MESSAGE, event_type="pretix.subevent.added", object_pk="7")

    assert b'"subevent":8,' in made(replace(message, payload=b'{"subevent":8}'), "pretix").data
    assert b'"subevent":null,' in made(replace(message, payload=b'{"subevent":null}'), "pretix").data


@given(values, st.none() | st.integers(0, 2), st.booleans())
def test_a_pretix_value_keeps_its_bytes(value: object, indent: int | None, ascii_: bool) -> None:  # noqa: FBT001  a drawn value
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_).encode()
    payload = b'{"other": [{"item": 0}], "item" : ' + text + b' , "more": 1}'

    body = made(replace(MESSAGE, event_type="pretix.event.item.added", payload=payload), "pretix").data

    assert body == START + b'"item":' + text + b',"action":"pretix.event.item.added"}'


@pytest.mark.parametrize("text", [b"1.50", b"1e400", b"12345678901234567890.0", b'"\\u00e9\\/"', b"[1 ,2]"])
def test_a_pretix_number_keeps_its_digits_and_a_text_its_escapes(text: bytes) -> None:
    message = replace(MESSAGE, event_type="pretix.event.item.added", payload=b'{"item":' + text + b"}")

    assert b'"item":' + text + b"," in made(message, "pretix").data


def test_a_payload_that_is_no_json_is_refused_where_it_is_needed() -> None:
    with pytest.raises(Refused) as caught:
        made(replace(MESSAGE, event_type="pretix.event.order.paid", payload=b"{"), "pretix")
    assert caught.value.code == "json_syntax"


def test_a_pretix_form_has_a_field_for_each_key() -> None:
    message = replace(MESSAGE, event_type="pretix.customer.created", source=None, payload=b"{}")

    assert fields(made(message, "pretix", content_type="form")) == [
        ("notification_id", "123455"),
        ("organizer", "acmecorp"),
        ("customer", "null"),
        ("action", "pretix.customer.created"),
    ]
