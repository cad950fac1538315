"""A message to make bodies of, and any payload that is JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from uuid import UUID

from hypothesis import strategies as st

from console.core.envelopes import FORMATS, Body, Message, build

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
