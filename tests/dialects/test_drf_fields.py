"""The fields that the dialects in the manner of Django REST framework read, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from console.api.dialects import drf
from console.api.dialects.drf import Field, Given, Wrong, fields
from console.core.addresses import AddressPolicy
from console.core.targets import TargetPolicy
from tests.dialects.drf_stage import TOY

URL = fields.url(policy=TargetPolicy(AddressPolicy()), max_length=40)


def said(parse: Callable[[Any], Any], value: Any) -> Any:
    """Give what is kept of a value, or what is said of it."""
    try:
        return parse(value)
    except Wrong as error:
        return error.detail


@pytest.mark.parametrize("value", [True, 1, 1.0, "1", "true", "TRUE", "t", "Yes", "y", "ON"])
def test_true_in_its_spellings(value: Any) -> None:
    assert fields.boolean(value) is True


@pytest.mark.parametrize("value", [False, 0, 0.0, "0", "false", "F", "no", "N", "off"])
def test_false_in_its_spellings(value: Any) -> None:
    assert fields.boolean(value) is False


@pytest.mark.parametrize("value", [2, -1, "", "2", "maybe", [], [True], {}, "null"])
def test_what_is_no_boolean(value: Any) -> None:
    assert said(fields.boolean, value) == ["Must be a valid boolean."]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a", "a"),
        (" a\t", "a"),
        (5, "5"),
        (5.5, "5.5"),
        (True, ["Not a valid string."]),
        ([], ["Not a valid string."]),
        ({}, ["Not a valid string."]),
        ("", ["This field may not be blank."]),
        ("   ", ["This field may not be blank."]),
        ("abcdef", ["Ensure this field has no more than 5 characters."]),
        ("  abcde  ", "abcde"),
        ("a\x00", ["Null characters are not allowed."]),
    ],
)
def test_text(value: Any, kept: Any) -> None:
    assert said(fields.text(max_length=5), value) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (5, 5),
        ("5", 5),
        (" 05 ", 5),
        (5.0, 5),
        ("5.00", 5),
        (0, 0),
        (-1, ["Ensure this value is greater than or equal to 0."]),
        (5.5, ["A valid integer is required."]),
        ("5a", ["A valid integer is required."]),
        ("", ["A valid integer is required."]),
        ("٣", ["A valid integer is required."]),
        ("9" * 1001, ["A valid integer is required."]),
        (True, ["A valid integer is required."]),
        ([1], ["A valid integer is required."]),
        ({}, ["A valid integer is required."]),
    ],
)
def test_integers(value: Any, kept: Any) -> None:
    assert said(fields.integer(at_least=0), value) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("json", "json"),
        ("xml", ['"xml" is not a valid choice.']),
        ("", ['"" is not a valid choice.']),
        (1, ['"1" is not a valid choice.']),
        (True, ['"True" is not a valid choice.']),
        (["json"], ["\"['json']\" is not a valid choice."]),
    ],
)
def test_a_choice(value: Any, kept: Any) -> None:
    assert said(fields.choice(("json", "form")), value) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ([], []),
        (["b", "a", "b"], ["a", "b"]),
        ({"b": 1}, ["b"]),
        (["a", "X", "Y"], ['"X" is not a valid choice.']),
        (["a", None], ['"None" is not a valid choice.']),
        (["a", {"b": 1}], ["\"{'b': 1}\" is not a valid choice."]),
        ("a", ['Expected a list of items but got type "str".']),
        (1, ['Expected a list of items but got type "int".']),
        (1.5, ['Expected a list of items but got type "float".']),
        (True, ['Expected a list of items but got type "bool".']),
    ],
)
def test_choices(value: Any, kept: Any) -> None:
    assert said(fields.choices({"a", "b"}), value) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("https://example.com/x?a=%20", "https://example.com/x?a=%20"),
        (" HTTPS://Example.com ", "HTTPS://Example.com"),
        ("https://example.com/" + "x" * 20, "https://example.com/" + "x" * 20),
        ("INVALID_URL", ["Enter a valid URL."]),
        ("ftp://example.com/", ["Enter a valid URL."]),
        ("https://ada:secret@example.com/", ["Enter a valid URL."]),
        ("https://example.com/#top", ["Enter a valid URL."]),
        ("", ["This field may not be blank."]),
        (5, ["Enter a valid URL."]),
        (True, ["Not a valid string."]),
        ("http://localhost/", ["This address is not allowed."]),
        ("http://127.0.0.1/", ["This address is not allowed."]),
        ("http://[::1]/", ["This address is not allowed."]),
        ("http://10.1.2.3/", ["This address is not allowed."]),
        ("http://169.254.169.254/", ["This address is not allowed."]),
        ("http://2130706433/", ["This address is not allowed."]),
        ("http://0x7f.1/", ["This address is not allowed."]),
        ("http://printer.local/", ["This address is not allowed."]),
        ("http://example.com:22/", ["This address is not allowed."]),
        ("x" * 41, ["Ensure this field has no more than 40 characters.", "Enter a valid URL."]),
        (
            "https://example.com/" + "x" * 21,
            ["Ensure this field has no more than 40 characters."],
        ),
    ],
)
def test_urls(value: Any, kept: Any) -> None:
    assert said(URL, value) == kept


def test_a_url_that_stays_is_not_judged_again() -> None:
    kept = fields.url(policy=TargetPolicy(), max_length=40, kept="http://localhost/")

    assert said(kept, "http://localhost/") == "http://localhost/"
    assert said(kept, "http://localhost/x") == ["This address is not allowed."]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ({"low": 1, "high": "2", "more": 3}, {"low": 1, "high": 2}),
        ({"low": 1}, {"high": ["This field is required."]}),
        ({"low": 2, "high": 1}, {"non_field_errors": ["Too low."]}),
        ({"low": 2, "high": "x"}, {"high": ["A valid integer is required."]}),
        ("x", {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}),
        ([], {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
    ],
)
def test_objects_in_objects(value: Any, kept: Any) -> None:
    def ordered(values: dict[str, Any]) -> None:
        if values["high"] < values["low"]:
            raise Wrong("Too low.")

    low, high = (Field(name=name, parse=fields.integer(), is_required=True) for name in ("low", "high"))
    assert said(fields.nested(low, high, joined=ordered), value) == kept


@pytest.mark.parametrize("value", ["x", 1, True, [], {}, "{d2a839f0-09cc-4755-a731-081d4cc1330a}", "d2a839f0"])
def test_what_is_no_uuid(value: Any) -> None:
    assert said(fields.uuid, value) == ["Must be a valid UUID."]


def test_a_uuid_is_read_with_and_without_dashes() -> None:
    assert fields.uuid("d2a839f0-09cc-4755-a731-081d4cc1330a") == fields.uuid("D2A839F009CC4755A731081D4CC1330A")


def test_null_is_kept_where_it_may_stand() -> None:
    field = Field(name="note", parse=fields.text(), is_nullable=True)

    assert drf.take(Given({"note": None}), [field]) == {"note": None}


def test_a_dictionary_is_an_object() -> None:
    assert said(fields.dictionary, {"a": 1}) == {"a": 1}
    assert said(fields.dictionary, "a") == ['Expected a dictionary of items but got type "str".']


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@hypothesis_settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from(["title", "is_red", "parts", "size"]), ANY_JSON))
def test_whatever_is_sent_is_taken_or_refused(body: dict[str, Any]) -> None:
    with suppress(drf.ErrorAnswer):
        assert set(drf.take(Given(body), TOY)) <= set(body)
