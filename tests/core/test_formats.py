"""The payload formats of the dialects: keys, order, values, bytes and headers that their receivers rely on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.catalogue import PRETIX, packaged
from console.core.envelopes import FORMATS, Body, Message, build, extra_headers
from console.core.errors import Refused
from console.core.formats.oms import spaced

MESSAGE = Message(
    id="d2a839f0-09cc-4755-a731-081d4cc1330a",
    event_type="order.paid",
    payload=b'{"b": 1.50}',
    occurred_at=datetime(2026, 11, 21, 23, 10, 1, 44605, tzinfo=UTC),
    source="democon",
    organization="acmecorp",
    number=123455,
    delivery_id=UUID("d2a839f0-09cc-4755-a731-081d4cc1330a"),
)
names = st.sampled_from(list(FORMATS))
content_types = st.sampled_from(["json", "form"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
payloads = st.builds(
    lambda value, indent, ascii_, around: (around + json.dumps(value, indent=indent, ensure_ascii=ascii_)).encode(),
    values,
    st.none() | st.integers(0, 2),
    st.booleans(),
    st.sampled_from(["", " ", "\r\n\t"]),
)


def made(message: Message, payload_format: str, *, content_type: str = "json") -> Body:
    return build(message, payload_format=payload_format, content_type=content_type)


def fields(body: Body) -> list[tuple[str, str]]:
    return parse_qsl(body.data.decode("ascii"), keep_blank_values=True, strict_parsing=True)


# --- every format ---------------------------------------------------------------------------------------------------


def test_these_are_the_formats() -> None:
    assert list(FORMATS) == ["standard", "waldur", "pretix", "oms"]


@given(payloads, names, content_types)
def test_the_same_message_always_makes_the_same_bytes(payload: bytes, payload_format: str, content_type: str) -> None:
    first = made(replace(MESSAGE, payload=payload), payload_format, content_type=content_type)

    assert made(replace(MESSAGE, payload=payload), payload_format, content_type=content_type) == first


@given(payloads, names)
def test_every_json_body_is_json_and_says_so(payload: bytes, payload_format: str) -> None:
    body = made(replace(MESSAGE, payload=payload), payload_format)

    assert isinstance(json.loads(body.data), dict)
    assert body.content_type == "application/json"


@given(payloads, names)
def test_a_form_has_the_keys_of_the_json_body_and_json_text_for_what_is_no_string(
    payload: bytes, payload_format: str
) -> None:
    message = replace(MESSAGE, payload=payload)
    form = made(message, payload_format, content_type="form")

    members = json.loads(made(message, payload_format).data)

    assert form.content_type == "application/x-www-form-urlencoded"
    assert [name for name, _ in fields(form)] == list(members)
    for name, text in fields(form):
        assert text == members[name] if isinstance(members[name], str) else json.loads(text) == members[name]


@pytest.mark.parametrize("payload_format", list(FORMATS))
def test_a_content_type_that_is_neither_is_refused(payload_format: str) -> None:
    with pytest.raises(Refused) as caught:
        made(MESSAGE, payload_format, content_type="xml")
    assert caught.value.code == "content_type_unknown"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        made(MESSAGE, "bogus")
    assert caught.value.code == "payload_format_unknown"


@pytest.mark.parametrize("payload_format", ["standard", "waldur", "pretix", "bogus"])
def test_only_oms_has_headers_of_its_own(payload_format: str) -> None:
    config = {"auth": {"auth_type": "basic", "username": "a", "password": "b"}}

    assert extra_headers(payload_format, body=b"{}", secret="s", config=config) == {}
    if payload_format in FORMATS:
        assert made(MESSAGE, payload_format).headers == {}


# --- waldur ---------------------------------------------------------------------------------------------------------


def test_a_waldur_body_has_five_keys() -> None:
    message = replace(
        MESSAGE,
        event_type="customer_update_succeeded",
        message="Customer Example was renamed.",
        context=b'{"customer_name":"Example"}',
    )

    assert made(message, "waldur").data == (
        b'{"timestamp":"2026-11-21T23:10:01.044605","message":"Customer Example was renamed.",'
        b'"type":"customer_update_succeeded","context":{"customer_name":"Example"},"levelname":"INFO"}'
    )


def test_a_waldur_form_holds_the_context_as_json_text() -> None:
    message = replace(MESSAGE, context=b'{"n": 1.0, "t": "a&b \\u00e9"}')

    assert fields(made(message, "waldur", content_type="form")) == [
        ("timestamp", "2026-11-21T23:10:01.044605"),
        ("message", ""),
        ("type", "order.paid"),
        ("context", '{"n": 1.0, "t": "a&b \\u00e9"}'),
        ("levelname", "INFO"),
    ]


@pytest.mark.parametrize(
    ("context", "payload", "written"),
    [
        (b'{"a": 1}', b'{"b": 2}', b'{"a": 1}'),
        (None, b'{"b": 1.50}', b'{"b": 1.50}'),
        (None, b' \r\n{"b":2}', b' \r\n{"b":2}'),
        (b"null", b'{"b": 2}', b'{"b": 2}'),
        (None, b"[1, 2]", b'{"payload":[1, 2]}'),
        (None, b"null", b'{"payload":null}'),
        (None, b'"{"', b'{"payload":"{"}'),
    ],
)
def test_the_waldur_context_is_the_context_else_the_payload(
    context: bytes | None, payload: bytes, written: bytes
) -> None:
    body = made(replace(MESSAGE, context=context, payload=payload), "waldur").data

    assert b'"context":' + written + b',"levelname"' in body


def test_a_waldur_time_is_utc_without_a_zone_and_with_six_decimals() -> None:
    moment = datetime(2026, 11, 22, 1, 10, tzinfo=timezone(timedelta(hours=2)))

    body = made(replace(MESSAGE, occurred_at=moment), "waldur")

    assert json.loads(body.data)["timestamp"] == "2026-11-21T23:10:00.000000"


@given(payloads)
def test_a_waldur_body_holds_the_payload_verbatim(payload: bytes) -> None:
    is_object = isinstance(json.loads(payload), dict)
    context = payload if is_object else b'{"payload":' + payload + b"}"

    assert made(replace(MESSAGE, payload=payload), "waldur").data.endswith(
        b'"type":"order.paid","context":' + context + b',"levelname":"INFO"}'
    )


# --- pretix ---------------------------------------------------------------------------------------------------------

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


# --- oms ------------------------------------------------------------------------------------------------------------

EVENT = b'{"type": "package.created", "uuid": "d2a839f009cc4755a731081d4cc1330a"}'
PACKAGE = replace(MESSAGE, event_type="package.created", payload=b'{"pk":1,"model":"package"}')


def test_an_oms_body_is_written_as_json_dumps_does() -> None:
    body = made(PACKAGE, "oms")

    assert body.data == b'{"event": ' + EVENT + b', "payload": {"pk": 1, "model": "package"}}'
    assert body.data == json.dumps(json.loads(body.data)).encode()
    assert body.headers == {"X-Whisperer-Event": "package.created"}


@pytest.mark.parametrize("payload", [b"null", b"[1, 2]", b'"a,b"', b"1.50", b"{}"])
def test_an_oms_payload_may_be_anything(payload: bytes) -> None:
    assert (
        made(replace(PACKAGE, payload=payload), "oms").data == b'{"event": ' + EVENT + b', "payload": ' + payload + b"}"
    )


def test_an_oms_form_has_two_fields() -> None:
    assert fields(made(PACKAGE, "oms", content_type="form")) == [
        ("event", EVENT.decode()),
        ("payload", '{"pk": 1, "model": "package"}'),
    ]


@given(
    values, st.none() | st.integers(0, 2), st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")])
)
def test_an_oms_body_has_one_spacing_whatever_the_payload_had(
    value: object,
    indent: int | None,
    ascii_: bool,  # noqa: FBT001  a drawn value
    separators: tuple[str, str],
) -> None:
    payload = json.dumps(value, indent=indent, ensure_ascii=ascii_, separators=separators).encode()

    assert spaced(payload) == json.dumps(value, ensure_ascii=ascii_).encode()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (b'{"a":1.50,"b":1e400}', b'{"a": 1.50, "b": 1e400}'),
        (b"[ 1 ,\n 2 ]", b"[1, 2]"),
        (b"{ }", b"{}"),
        (b'"a,b:c  d"', b'"a,b:c  d"'),
        (b'{"\\"":"\\\\","x":":"}', b'{"\\"": "\\\\", "x": ":"}'),
        (b'"\\u00e9\\/"', b'"\\u00e9\\/"'),
    ],
)
def test_spacing_leaves_every_number_and_text_as_it_was_written(text: bytes, written: bytes) -> None:
    assert spaced(text) == written


def test_oms_signs_the_raw_body_with_the_text_of_the_secret() -> None:
    body = made(PACKAGE, "oms").data
    secret = "whsec_Grüße"

    headers = extra_headers("oms", body=body, secret=secret)

    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers == {"X-Whisperer-Signature": f"sha256={expected}"}


def test_an_oms_signature_is_the_one_that_rfc_4231_shows() -> None:
    headers = extra_headers("oms", body=b"what do ya want for nothing?", secret="Jefe")

    assert headers["X-Whisperer-Signature"] == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize("secret", [None, ""])
def test_oms_signs_nothing_without_a_secret(secret: str | None) -> None:
    assert extra_headers("oms", body=b"{}", secret=secret) == {}


def test_oms_shows_the_user_name_and_password_of_its_configuration() -> None:
    config = {"auth": {"auth_type": "basic", "username": "Aladdin", "password": "open sesame"}, "other": 1}

    assert extra_headers("oms", body=b"{}", secret=None, config=config) == {
        "Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    }


def test_oms_credentials_are_utf_8() -> None:
    config = {"auth": {"auth_type": "basic", "username": "jörg", "password": "\n"}}

    authorization = extra_headers("oms", body=b"{}", secret=None, config=config)["Authorization"]

    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == "jörg:\n"
    assert authorization.isascii()


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"auth": None},
        {"auth": "basic"},
        {"auth": {"auth_type": "digest", "username": "a", "password": "b"}},
        {"auth": {"username": "a", "password": "b"}},
        {"auth": {"auth_type": "basic", "username": "a"}},
        {"auth": {"auth_type": "basic", "username": 1, "password": "b"}},
    ],
)
def test_oms_shows_no_credentials_unless_they_are_whole(config: dict[str, object]) -> None:
    assert extra_headers("oms", body=b"{}", secret=None, config=config) == {}
