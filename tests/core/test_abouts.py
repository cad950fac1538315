"""What an event is about, in a few words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.abouts import LONGEST, PREFIX, about


def of_payload(payload: Any, **fields: Any) -> str:
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return about(**{"source": None, "model": None, "pk": None, "key": None, **fields, "payload": text[:PREFIX]})


@pytest.mark.parametrize(
    ("fields", "payload", "words"),
    [
        ({"model": "order", "pk": "4711"}, {"total": 5}, "order 4711"),
        ({"pk": "4711"}, {}, "4711"),
        ({"source": "shop", "pk": "4711"}, {}, "shop · 4711"),
        ({"source": "shop"}, {"order": 17}, "shop · order 17"),
        ({"key": "order-17-paid"}, {}, "order-17-paid"),
        ({"key": "k"}, {"order": 17}, "order 17"),
        ({}, {"order": 17, "total": 12.5, "paid": True, "more": 1}, "order 17, total 12.5, paid true"),
        ({}, {"data": {"id": "A-17"}}, "id A-17"),
        ({}, {"empty": {}, "list": [1, 2], "last": 3}, "last 3"),
        ({}, [1, 2], "[1, 2]"),
        ({}, "text", '"text"'),
        ({}, {}, ""),
        ({}, None, ""),
    ],
)
def test_the_object_is_named_else_the_first_fields_of_the_payload(fields: Any, payload: Any, words: str) -> None:
    assert of_payload(payload, **fields) == words


def test_a_value_that_the_beginning_cuts_is_left_out() -> None:
    assert of_payload({"first": 1, "text": "x" * 1000}) == "first 1"
    assert of_payload(b'{"n": ' + b"1" * 1000 + b"}") == '{"n": ' + "1" * 33 + "…"


def test_values_of_fields_that_are_secrets_are_masked() -> None:
    words = of_payload({"api_token": "canary-1", "password": "canary-2", "url": "https://a.example/?key=canary-3"})

    assert "canary" not in words


def test_what_is_long_is_cut() -> None:
    words = of_payload({f"field{n}" * 9: "v" * 100 for n in range(3)}, source="s" * 50)

    assert len(words) <= LONGEST
    assert "…" in words


@given(st.binary(max_size=PREFIX))
def test_any_bytes_are_taken_and_can_be_shown(beginning: bytes) -> None:
    words = of_payload(beginning)

    assert len(words) <= LONGEST
    words.encode()


@given(
    st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=9)
)
def test_any_json_is_taken_and_can_be_shown(payload: Any) -> None:
    of_payload(payload).encode()
