"""The payload formats of the dialects: keys, order, values, bytes and headers that their receivers rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given

from console.core.envelopes import FORMATS, extra_headers
from console.core.errors import Refused
from tests.core.formats_stage import MESSAGE, content_types, fields, made, names, payloads

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
