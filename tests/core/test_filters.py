"""Payload filters: what they are, what they let through, and that none can cost more than it may."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.errors import Refused
from console.core.filters import LONGEST_FILTER, check_filter, read, values_read

ORDER = {
    "total": 50,
    "currency": "EUR",
    "lines": [{"sku": "x", "n": 3}, {"sku": "y", "n": 0}],
    "note": "",
    "paid": True,
}


@pytest.mark.parametrize(
    "expression",
    [
        "total > `10` && currency == 'EUR'",
        "lines[?sku=='x']",
        "lines[0].sku",
        "!note",
        '"odd key"',
        "length(lines)",
        "@",
    ],
)
def test_expressions_are_taken(expression: str) -> None:
    check_filter(expression)


@pytest.mark.parametrize(
    ("expression", "code", "words"),
    [
        ("", "filter_syntax", "empty"),
        ("total >", "filter_syntax", "ends too early"),
        ("total == = 1", "filter_syntax", "character 10"),
        ("a b", "filter_syntax", "character 3"),
        ("'open", "filter_syntax", "character 1"),
        ("size(lines)", "filter_function", "no function size()"),
        ("length()", "filter_function", "takes 1 argument, not 0"),
        ("not_null()", "filter_function", "at least 1"),
        ("&total", "filter_value", "&"),
        ("'`' != currency && currency == `EUR`", "filter_syntax", "character 32"),
        ("!" * 100 + "a", "filter_too_deep", "flatter"),
        ("a" * (LONGEST_FILTER + 1), "filter_too_long", "1000"),
    ],
)
def test_what_is_no_filter_is_refused_with_code_and_place(expression: str, code: str, words: str) -> None:
    with pytest.raises(Refused) as caught:
        check_filter(expression)

    assert caught.value.code == code
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        ("total > `10`", True),
        ("total > `100`", False),
        ("paid", True),
        ("note", False),
        ("missing", False),
        ("missing.deeper", False),
        ("lines[?n > `5`]", False),
        ("lines[?n > `2`]", True),
        ("lines[1].n", True),  # a zero is a value
        ("`{}`", False),
        ("`[]`", False),
        ("`false`", False),
        ("`null`", False),
        ("total > `10` && currency == 'USD'", False),
        ("contains(['EUR', 'USD'], currency)", True),
    ],
)
def test_truth_is_as_jmespath_has_it(expression: str, passes) -> None:
    assert read(expression, ORDER).passes is passes


def test_a_reading_shows_the_value_it_gave() -> None:
    assert read("lines[0]", ORDER).value == '{"sku": "x", "n": 3}'
    assert len(read("@", {"long": "x" * 5000}).value) < 300


@pytest.mark.parametrize("payload", [None, 1, "text", [], {"total": None}, {"total": [1]}, {"total": {"a": 1}}])
def test_a_filter_reads_any_payload_without_raising(payload: object) -> None:
    assert read("total > `10`", payload).passes is False


def test_a_function_on_a_value_of_another_kind_is_a_problem_and_does_not_pass() -> None:
    reading = read("length(total) > `1`", ORDER)

    assert not reading.passes
    assert "length() takes array or object or string" in reading.problem


@pytest.mark.parametrize(
    "expression",
    [
        "[@,@]|" * 30 + "@",
        "{a:@,b:@}|" * 30 + "to_string(@)",
        "[@,@][]|" * 25 + "@",
        "l[?@ > `5`].{a: @, b: @}",
        "sort(l)|sort(@)|sort(@)|sort(@)|sort(@)|sort(@)",
        "join(text, words)",
        "[text, text, text, text]|[@,@,@,@]|[@,@,@,@]|[@,@,@,@]|[@,@,@,@]|to_string(@)",
        "map(&l, l)",
        "l[*].contains(text, 'y')",
        "[l,l]|[@,@]|[@,@]|[@,@] == [l,l]|[@,@]|[@,@]|[@,@]",
    ],
)
def test_no_expression_takes_long_or_much(expression: str) -> None:
    payload = {"l": list(range(60_000)), "text": "x" * 200_000, "words": ["y"] * 60_000}
    check_filter(expression)

    started = time.process_time()
    reading = read(expression, payload)

    assert time.process_time() - started < 0.5
    assert not reading.passes


def test_a_filter_may_look_at_all_of_a_large_payload() -> None:
    payload = {"lines": [{"sku": str(n), "n": n} for n in range(5_000)]}

    assert read("sum(lines[*].n) > `1000` && lines[?sku=='4999']", payload).problem == ""


def test_the_paths_of_conditions_are_shown_with_their_values() -> None:
    seen = values_read("total > `100` && (lines[0].sku == 'x' || !\"odd key\") && length(lines) > `1`", ORDER)

    assert seen == [
        ("total", "50"),
        ("lines[0].sku", '"x"'),
        ('"odd key"', "null"),
        ("lines", '[{"sku": "x", "n": 3}, {"sku": "y", "n": 0}]'),
    ]
    assert values_read("lines[?n > `1`]", ORDER) == []
    assert values_read("not!an!expression", ORDER) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=15,
)
PIECES = st.sampled_from([*"abc@*![]{}().,|&<>=`'\"0123-: ", "[?", "&&", "||", "==", "length(", "sort(", "to_string("])


@given(expression=st.lists(PIECES, max_size=12).map("".join), payload=JSON)
def test_whatever_is_taken_can_be_read_and_whatever_is_read_never_raises(expression: str, payload: object) -> None:
    try:
        check_filter(expression)
    except Refused:
        assert not read(expression, payload).passes or expression.startswith("&")
        return

    reading = read(expression, payload)

    assert json.dumps(reading.value)
    values_read(expression, payload)
