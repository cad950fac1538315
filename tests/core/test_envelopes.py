"""The bodies of delivered requests: the payload's own bytes in the envelope of each format."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.envelopes import FORMATS, Envelope, Message, build, json_text, rfc3339
from console.core.errors import Refused
from tests.core.formats_stage import payloads

MESSAGE = Message(
    id="0197a1c2-0000-7000-8000-000000000001",
    event_type="order.paid",
    payload=b'{"b": 1.50, "a":[1,2] ,"c":1e400}',
    occurred_at=datetime(2026, 11, 21, 23, 10, 1, 44605, tzinfo=UTC),
    source="shop",
    organization="acme",
    number=7,
    delivery_id=UUID(int=1),
)


def sent(message: Message = MESSAGE, *, payload_format: str = "standard", content_type: str = "json") -> bytes:
    return build(message, payload_format=payload_format, content_type=content_type).data


def test_the_standard_body_holds_the_payload_as_it_was_published() -> None:
    body = build(MESSAGE, payload_format="standard", content_type="json")

    assert body.data == (
        b'{"type":"order.paid","timestamp":"2026-11-21T23:10:01.044605Z","data":{"b": 1.50, "a":[1,2] ,"c":1e400}}'
    )
    assert body.content_type == "application/json"
    assert body.headers == {}


def test_the_form_has_a_field_for_each_member_and_json_text_for_what_is_no_string() -> None:
    body = build(MESSAGE, payload_format="standard", content_type="form")

    assert body.content_type == "application/x-www-form-urlencoded"
    assert body.data.isascii()
    assert parse_qsl(body.data.decode(), strict_parsing=True) == [
        ("type", "order.paid"),
        ("timestamp", "2026-11-21T23:10:01.044605Z"),
        ("data", '{"b": 1.50, "a":[1,2] ,"c":1e400}'),
    ]


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b'"caf\\u00e9 & more"', "café & more"),
        (b' "x"', "x"),
        (b'""', ""),
        (b"null", "null"),
        (b"1.50", "1.50"),
        (b'["x"]', '["x"]'),
    ],
)
def test_a_payload_that_is_a_string_is_a_form_field_without_quotes(payload: bytes, text: str) -> None:
    data = sent(replace(MESSAGE, payload=payload), content_type="form").decode()

    assert dict(parse_qsl(data, keep_blank_values=True))["data"] == text


@given(payloads)
def test_the_payload_is_spliced_in_verbatim_and_the_body_is_json(payload: bytes) -> None:
    data = sent(replace(MESSAGE, payload=payload))

    assert data.endswith(b'"data":' + payload + b"}")
    assert json.loads(data) == {
        "type": "order.paid",
        "timestamp": "2026-11-21T23:10:01.044605Z",
        "data": json.loads(payload),
    }


@given(payloads, st.sampled_from(["json", "form"]))
def test_the_same_message_always_makes_the_same_bytes(payload: bytes, content_type: str) -> None:
    first = build(replace(MESSAGE, payload=payload), payload_format="standard", content_type=content_type)

    assert build(replace(MESSAGE, payload=payload), payload_format="standard", content_type=content_type) == first


@given(payloads.filter(lambda payload: not payload.lstrip().startswith(b'"')))
def test_the_form_holds_the_payload_verbatim(payload: bytes) -> None:
    fields = dict(parse_qsl(sent(replace(MESSAGE, payload=payload), content_type="form").decode()))

    assert fields["data"].encode() == payload


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 11, 21, 23, 10, tzinfo=UTC), "2026-11-21T23:10:00.000000Z"),
        (datetime(2026, 11, 22, 1, 10, 0, 5, tzinfo=timezone(timedelta(hours=2))), "2026-11-21T23:10:00.000005Z"),
    ],
)
def test_times_are_utc_with_six_decimals(moment: datetime, text: str) -> None:
    assert rfc3339(moment) == text


def test_a_time_without_a_zone_is_an_error() -> None:
    with pytest.raises(ValueError, match="naive"):
        rfc3339(datetime(2026, 11, 21))  # noqa: DTZ001  the point of the test


@pytest.mark.parametrize(
    ("payload_format", "content_type", "code"),
    [("bogus", "json", "payload_format_unknown"), ("standard", "xml", "content_type_unknown")],
)
def test_unknown_formats_and_content_types_are_refused(payload_format: str, content_type: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        build(MESSAGE, payload_format=payload_format, content_type=content_type)
    assert caught.value.code == code


def test_a_format_of_its_own_brings_members_headers_and_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    def whisper(message: Message) -> Envelope:
        event = b'{"type": ' + json_text(message.event_type) + b"}"
        return Envelope(
            (("event", event), ("payload", message.payload)), {"X-Event": message.event_type}, is_spaced=True
        )

    monkeypatch.setitem(FORMATS, "whisper", whisper)
    message = replace(MESSAGE, payload=b'{"pk": 1}')

    body = build(message, payload_format="whisper", content_type="json")

    assert body.data == b'{"event": {"type": "order.paid"}, "payload": {"pk": 1}}'
    assert body.headers == {"X-Event": "order.paid"}
    assert sent(message, payload_format="whisper", content_type="form") == (
        b"event=%7B%22type%22%3A+%22order.paid%22%7D&payload=%7B%22pk%22%3A+1%7D"
    )
