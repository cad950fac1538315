"""JSON Schemas: what is refused as one, what breaks one, and that no schema can take long or fetch anything."""

from __future__ import annotations

import socket
import time
from itertools import pairwise
from typing import Any

import pytest

from console.core.errors import Refused
from console.core.schemas import MOST_FAULTS, Schema

ORDER = {
    "type": "object",
    "required": ["order", "total"],
    "properties": {
        "order": {"type": "string", "pattern": "^[A-Z]-[0-9]+$", "maxLength": 10},
        "total": {"type": ["number", "string"], "minimum": 0},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "uniqueItems": True},
    },
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "required": ["sku"], "properties": {"n": {"type": "integer"}}}},
}


def faults(schema: dict[str, Any], payload: object) -> dict[str, str]:
    return {fault.pointer: fault.message for fault in Schema(schema).faults(payload)}


def test_a_payload_that_fits_has_no_faults() -> None:
    assert faults(ORDER, {"order": "A-1", "total": 1.5, "lines": [{"sku": "x"}, {"sku": "y", "n": 2}]}) == {}


def test_each_fault_says_where_and_what() -> None:
    found = faults(ORDER, {"order": "a", "lines": [{"sku": "x", "n": 1.5}, {}, {}], "a/b~c": 1})

    assert found == {
        "": "The member total is missing.",
        "/order": "This does not fit the pattern ^[A-Z]-[0-9]+$.",
        "/lines": "No item may stand here twice.",
        "/lines/0/n": "Give a whole number.",
        "/lines/1": "The member sku is missing.",
        "/lines/2": "The member sku is missing.",
        "/a~1b~0c": "The schema knows no such member.",
    }


def test_words_never_repeat_the_payload() -> None:
    for schema in (
        {"type": "array"},
        {"anyOf": [{"type": "array"}]},
        {"enum": ["a"]},
        {"const": 1},
        {"not": {}},
        {"minProperties": 9},
    ):
        assert "secret" not in " ".join(faults(schema, {"password": "secret"}).values())


def test_there_are_at_most_ten_faults() -> None:
    assert len(Schema({"items": {"type": "string"}}).faults(list(range(100)))) == MOST_FAULTS


@pytest.mark.parametrize(
    ("first", "second", "is_unique"),
    [
        (1, 1.0, False),
        (1, True, True),
        ({"a": 1}, {"a": 1}, False),
        ([1], [True], True),
        (None, False, True),
        ("1", 1, True),
    ],
)
def test_items_are_equal_as_json_schema_has_it(first: object, second: object, is_unique) -> None:
    assert (faults({"uniqueItems": True}, [first, second]) == {}) is is_unique


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "strnig"}, "/type"),
        ({"properties": []}, "/properties"),
        ({"$schema": "https://example.com/mine"}, "draft"),
        ({"properties": {"a": {"$schema": "http://json-schema.org/draft-07/schema#"}}}, "at its top"),
        ({"$ref": "https://example.com/schema.json"}, "leads out"),
        ({"$ref": "file:///etc/passwd"}, "leads out"),
        ({"$ref": "#/$defs/nothing"}, "leads nowhere"),
        ({"pattern": "("}, "pattern"),
        ({"patternProperties": {"[": {}}}, "pattern"),
        ({"patternProperties": {"a": {}}, "unevaluatedProperties": False}, "together"),
    ],
)
def test_what_is_no_schema_is_refused_in_words(schema: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused) as caught:
        Schema(schema)

    assert caught.value.code == "schema_unusable"
    assert words in caught.value.message


@pytest.mark.parametrize(
    "draft", ["http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-07/schema#"]
)
def test_older_drafts_are_understood(draft: str) -> None:
    schema = {
        "$schema": draft,
        "definitions": {"a": {"type": "integer"}},
        "properties": {"a": {"$ref": "#/definitions/a"}},
    }

    assert faults(schema, {"a": "x"}) == {"/a": "Give a whole number."}


def _doubling() -> dict[str, Any]:
    """Each definition refers twice to the next: 2 to the power of 40 checks."""
    names = [f"d{n}" for n in range(40)]
    definitions: dict[str, Any] = {
        name: {"allOf": [{"$ref": f"#/$defs/{following}"}] * 2} for name, following in pairwise(names)
    }
    return {"$defs": {**definitions, "d39": {}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "payload"),
    [
        ({"pattern": "^(a|aa)+$"}, "a" * 80 + "!"),
        ({"patternProperties": {"^(a|aa)+$": {}}}, {"a" * 80 + "!": 1}),
        ({"patternProperties": {"^(a|aa)+$": {}}, "additionalProperties": False}, {"a" * 80 + "!": 1}),
        (_doubling(), {}),
        ({"$ref": "#"}, {}),
        ({"unevaluatedItems": False, "items": {}}, [1] * 60_000),
        ({"unevaluatedProperties": False}, {str(n): 1 for n in range(20_000)}),
        ({"allOf": [{"type": "string"}] * 2000}, ["x" * 100] * 2000),
        ({"items": {"enum": list(range(20_000))}}, ["x"] * 60_000),
    ],
    ids=["pattern", "names", "other names", "doubling", "endless", "items", "members", "words", "choices"],
)
def test_no_schema_takes_long(schema: dict[str, Any], payload: object) -> None:
    usable = Schema(schema)
    started = time.thread_time()

    found = usable.faults(payload)

    assert time.thread_time() - started < 2
    assert found


def test_two_many_unlike_items_are_compared_quickly() -> None:
    payload = [*range(30_000), *(str(n) for n in range(30_000)), None]

    assert faults({"uniqueItems": True}, payload) == {}


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)

    with pytest.raises(Refused):
        Schema({"allOf": [{"$ref": "http://127.0.0.1:1/x"}]})
    with pytest.raises(Refused):
        Schema({"$id": "http://127.0.0.1:1/base/", "$dynamicRef": "other"})
    assert Schema({"$id": "http://127.0.0.1:1/base", "$ref": "#/$defs/x"}).faults({})


@pytest.mark.parametrize("reference", ["#/$defs/d{}", "#a{}"])
def test_a_schema_with_thousands_of_references_is_read_in_time(reference: str) -> None:
    """Each reference used to search the whole schema, which took minutes of processor time for these."""
    numbers = range(2000)
    schema = {
        "$defs": {f"d{number}": {"$anchor": f"a{number}", "type": "string"} for number in numbers},
        "properties": {f"p{number}": {"$ref": reference.format(number)} for number in numbers},
    }
    began = time.thread_time()

    checked = Schema(schema)

    assert time.thread_time() - began < 8
    assert [fault.pointer for fault in checked.faults({"p0": "x", "p1999": 1})] == ["/p1999"]
