"""Retry countdowns of the oms dialect: what is accepted, what is answered, and the delays that come of it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.countdown import Countdown, CountdownRefused, countdown_of, parse_countdown
from console.core.retry_reading import parse_retry

DAY = 86_400
LONGEST = 30 * DAY

REQUIRED = ["This field is required."]
NULL = ["This field may not be null."]
NO_INTEGER = ["A valid integer is required."]
NEGATIVE = ["Ensure this value is greater than or equal to 0."]


def config(choice: str, **kwargs: object) -> dict[str, Any]:
    return {"choice": choice, "kwargs": kwargs}


def not_an_object(kind: str) -> dict[str, list[str]]:
    return {"non_field_errors": [f"Invalid data. Expected a dictionary, but got {kind}."]}


def delays(value: object) -> list[float]:
    return parse_retry(parse_countdown(value).to_retry()).planned()


numbers = st.integers(0, 40) | st.integers(0, 10**12)
limits = {"limit": st.none() | numbers}
valid = st.one_of(
    st.fixed_dictionaries({"seconds": numbers}).map(lambda kwargs: config("fixed", **kwargs)),
    st.fixed_dictionaries({"base": numbers}, optional=limits).map(lambda kwargs: config("linear", **kwargs)),
    st.fixed_dictionaries({"base": numbers}, optional=limits | {"factor": numbers.map(lambda number: number + 1)}).map(
        lambda kwargs: config("exponential", **kwargs)
    ),
    st.tuples(numbers, numbers).map(lambda two: config("random", min_value=two[0], max_value=sum(two) + 1)),
)


# --- delays ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (config("fixed", seconds=60), [60] * 10),
        (config("fixed", seconds=0), [0] * 10),
        (config("linear", base=10), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (config("linear", base=10, limit=25), [0, 10, 20, 25, 25, 25, 25, 25, 25, 25]),
        (config("linear", base=10, limit=None), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (config("linear", base=0), [0] * 10),
        (config("exponential", base=2), [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]),
        (config("exponential", base=2, factor=3, limit=50), [3, 6, 12, 24, 48, 50, 50, 50, 50, 50]),
        (config("exponential", base=0, factor=7), [7, *[0] * 9]),
        (config("exponential", base=1), [1] * 10),
        (config("exponential", base=2, limit=0), [0] * 10),
    ],
)
def test_a_countdown_has_11_attempts_and_these_delays(value: object, expected: list[float]) -> None:
    assert delays(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (config("fixed", seconds=LONGEST + 1), [LONGEST] * 10),
        (config("linear", base=10**9), [0, *[LONGEST] * 9]),
        (config("exponential", base=100, limit=10**9), [1, 100, 10_000, 1_000_000, *[LONGEST] * 6]),
        (config("exponential", base=10**9), [1, *[LONGEST] * 9]),
        (config("exponential", base=0, factor=10**9), [LONGEST, *[0] * 9]),
        (config("random", min_value=10**9, max_value=10**10), [LONGEST] * 10),
    ],
)
def test_no_delay_is_longer_than_30_days_and_the_countdown_is_given_back_as_posted(
    value: object, expected: list[float]
) -> None:
    assert delays(value) == expected
    assert parse_countdown(value).to_json() == value


@given(valid.filter(lambda value: value["choice"] != "random"))
def test_every_delay_follows_its_formula(value: dict[str, Any]) -> None:
    kwargs = value["kwargs"]
    limit = kwargs.get("limit")

    def formula(n: int) -> int:
        match value["choice"]:
            case "fixed":
                return int(kwargs["seconds"])
            case "linear":
                return int(kwargs["base"] * n)
        return int(kwargs["base"] ** n * kwargs.get("factor", 1))

    assert delays(value) == [min(formula(n), LONGEST, LONGEST if limit is None else limit) for n in range(10)]


def test_a_random_delay_is_a_whole_number_with_both_ends_included() -> None:
    policy = parse_retry(parse_countdown(config("random", min_value=2, max_value=4)).to_retry())
    random = Random(1)

    assert {policy.delay_after(failures=1, random=random) for _ in range(200)} == {2.0, 3.0, 4.0}


@given(valid)
def test_the_policy_is_exact_without_jitter_and_ends_after_11_attempts(value: object) -> None:
    policy = parse_retry(parse_countdown(value).to_retry())

    assert policy.is_exact
    assert policy.jitter == 0
    assert policy.expires_after_s is None
    assert policy.delay_after(failures=10, random=Random(0)) is not None
    assert policy.delay_after(failures=11, random=Random(0)) is None


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("posted", "given_back"),
    [
        (config("exponential", base=2), config("exponential", base=2)),
        (config("fixed", seconds="60"), config("fixed", seconds=60)),
        (config("fixed", seconds=" 60.0 "), config("fixed", seconds=60)),
        (config("fixed", seconds=60.0), config("fixed", seconds=60)),
        (config("fixed", seconds=60, minutes=1), config("fixed", seconds=60)),
        (config("linear", limit=None, base="+5"), config("linear", limit=None, base=5)),
        (config("fixed", seconds=60) | {"note": "x"}, config("fixed", seconds=60)),
        (config(" fixed ", seconds=60), config("fixed", seconds=60)),
    ],
)
def test_a_countdown_is_given_back_without_added_defaults_or_unknown_keys(posted: object, given_back: object) -> None:
    assert parse_countdown(posted).to_json() == given_back


@given(valid)
def test_what_was_posted_is_given_back_while_the_policy_is_the_same(value: dict[str, Any]) -> None:
    retry = parse_countdown(value).to_retry()

    assert countdown_of(retry, posted=value) == parse_countdown(value)


@given(valid)
def test_a_countdown_that_was_lost_is_told_from_the_policy(value: dict[str, Any]) -> None:
    retry = parse_countdown(value).to_retry()

    found = countdown_of(retry)

    if found is None:  # both ends of such a range are cut to 30 days
        assert value["kwargs"]["min_value"] >= LONGEST
    else:
        assert parse_retry(found.to_retry()) == parse_retry(retry)


@pytest.mark.parametrize(
    ("retry", "countdown"),
    [
        ({"kind": "fixed", "seconds": 60}, config("fixed", seconds=60)),
        ({"kind": "linear", "base": 10, "start": 0}, config("linear", base=10)),
        ({"kind": "linear", "base": 10, "start": 0, "limit": 50}, config("linear", base=10, limit=50)),
        ({"kind": "exponential", "base": 2, "factor": 1}, config("exponential", base=2)),
        ({"kind": "exponential", "base": 2, "factor": 5}, config("exponential", base=2, factor=5)),
        ({"kind": "random", "min": 1, "max": 9}, config("random", min_value=1, max_value=9)),
    ],
)
def test_a_policy_made_elsewhere_is_a_countdown_when_one_says_the_same(retry: dict[str, Any], countdown: Any) -> None:
    posted = config("fixed", seconds=7)

    found = countdown_of(retry, posted=posted)

    assert found is not None
    assert found.to_json() == countdown


@pytest.mark.parametrize(
    "retry",
    [
        None,
        {"kind": "schedule"},
        {"kind": "list", "delays": [60, 60]},
        {"kind": "fixed", "seconds": 0.5},
        {"kind": "fixed", "seconds": 60, "attempts": 5},
        {"kind": "fixed", "seconds": 60, "jitter": 0.1},
        {"kind": "fixed", "seconds": 60, "expires_after": 3600},
        {"kind": "linear", "base": 10},
        {"kind": "exponential", "base": 2, "factor": 0},
        {"kind": "random", "min": 5, "max": 5},
        {"kind": "bogus"},
    ],
)
def test_a_policy_that_no_countdown_can_say_has_none(retry: dict[str, Any] | None) -> None:
    assert countdown_of(retry, posted=config("fixed", seconds=60)) is None


def test_a_countdown_is_a_value() -> None:
    assert parse_countdown(config("fixed", seconds=1)) == Countdown("fixed", {"seconds": 1})


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("posted", "errors"),
    [
        (None, NULL),
        ("fixed", not_an_object("str")),
        (5, not_an_object("int")),
        ([], not_an_object("list")),
        ({}, {"choice": REQUIRED, "kwargs": REQUIRED}),
        ({"choice": "fixed"}, {"kwargs": REQUIRED}),
        ({"choice": "bogus"}, {"choice": ['"bogus" is not a valid choice.'], "kwargs": REQUIRED}),
        (config("bogus"), {"choice": ['"bogus" is not a valid choice.']}),
        (config("bogus") | {"choice": 5}, {"choice": ['"5" is not a valid choice.']}),
        (config("bogus") | {"choice": None}, {"choice": NULL}),
        (config("bogus") | {"choice": True}, {"choice": ["Not a valid string."]}),
        (config("bogus") | {"choice": ["fixed"]}, {"choice": ["Not a valid string."]}),
        (config(" "), {"choice": ["This field may not be blank."]}),
        ({"choice": "fixed", "kwargs": None}, {"kwargs": NULL}),
        ({"choice": "fixed", "kwargs": "x"}, {"kwargs": not_an_object("str")}),
        ({"choice": "fixed", "kwargs": []}, {"kwargs": not_an_object("list")}),
        (config("fixed"), {"kwargs": {"seconds": REQUIRED}}),
        (config("fixed", seconds=None), {"kwargs": {"seconds": NULL}}),
        (config("fixed", seconds=-1), {"kwargs": {"seconds": NEGATIVE}}),
        (config("fixed", seconds="x"), {"kwargs": {"seconds": NO_INTEGER}}),
        (config("fixed", seconds=""), {"kwargs": {"seconds": NO_INTEGER}}),
        (config("fixed", seconds="9" * 5000), {"kwargs": {"seconds": NO_INTEGER}}),
        (config("fixed", seconds=1.5), {"kwargs": {"seconds": NO_INTEGER}}),
        (config("fixed", seconds=True), {"kwargs": {"seconds": NO_INTEGER}}),
        (config("fixed", seconds=[1]), {"kwargs": {"seconds": NO_INTEGER}}),
        (config("linear", limit=-1), {"kwargs": {"base": REQUIRED, "limit": NEGATIVE}}),
        (
            config("exponential", base=2, factor=0),
            {"kwargs": {"factor": ["Ensure this value is greater than or equal to 1."]}},
        ),
        (config("exponential", base=2, factor=None), {"kwargs": {"factor": NULL}}),
        (config("random", min_value=1), {"kwargs": {"max_value": REQUIRED}}),
        (
            config("random", min_value=5, max_value=5),
            {"kwargs": {"non_field_errors": ["'max_value' must be greater than 'min_value'."]}},
        ),
        (config("random", min_value=5, max_value=-5), {"kwargs": {"max_value": NEGATIVE}}),
    ],
)
def test_a_wrong_countdown_is_answered_in_the_words_of_the_dialect(posted: object, errors: object) -> None:
    with pytest.raises(CountdownRefused) as caught:
        parse_countdown(posted)
    assert caught.value.errors == errors
