"""Retry policies: their delays, their JSON, and what is refused."""

from __future__ import annotations

import json
import time
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.retry import DEFAULT, LONGEST_DELAY_S, RetryPolicy
from console.core.retry_reading import KINDS, parse_retry, parse_schedule

PRETIX = [5, 30, 60, 300, 1200, 3600, 14_400, 21_600, 43_200, 43_200, 86_400]

seconds = st.floats(0, LONGEST_DELAY_S) | st.integers(0, int(LONGEST_DELAY_S))
common = {
    "attempts": st.integers(1, 50),
    "jitter": st.floats(0, 0.5),
    "expires_after": st.integers(1, 31_536_000),
}
ends = st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(sorted)
policies = st.one_of(
    st.fixed_dictionaries({"kind": st.just("schedule")}, optional=common),
    st.fixed_dictionaries({"kind": st.just("fixed"), "seconds": seconds}, optional=common),
    st.fixed_dictionaries(
        {"kind": st.just("linear"), "base": seconds}, optional=common | {"start": seconds, "limit": seconds}
    ),
    st.fixed_dictionaries(
        {"kind": st.just("exponential"), "base": seconds}, optional=common | {"factor": seconds, "limit": seconds}
    ),
    st.builds(lambda pair, rest: {"kind": "random", "min": pair[0], "max": pair[1], **rest}, ends,
              st.fixed_dictionaries({}, optional=common)),
    st.fixed_dictionaries(
        {"kind": st.just("list"), "delays": st.lists(seconds, min_size=1, max_size=50)}, optional=common
    ),
)  # fmt: skip
seeds = st.integers(0, 2**32)


def drawn(policy: RetryPolicy, *, seed: int = 0) -> list[float | None]:
    random = Random(seed)
    return [policy.delay_after(failures=n, random=random) for n in range(1, policy.attempts + 1)]


def test_the_default_schedule_is_11_attempts_over_75_hours_and_36_minutes() -> None:
    assert DEFAULT.attempts == 11
    assert DEFAULT.planned() == [10, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert sum(DEFAULT.planned()) // 60 == 75 * 60 + 36
    assert DEFAULT.is_default
    assert not DEFAULT.is_exact
    assert DEFAULT.expires_after_s is None


def test_no_policy_is_the_default_one() -> None:
    assert parse_retry(None) is DEFAULT
    assert DEFAULT.to_json() is None


@pytest.mark.parametrize(
    ("value", "delays"),
    [
        ({"kind": "fixed", "seconds": 7, "attempts": 4}, [7, 7, 7]),
        ({"kind": "fixed", "seconds": 0, "attempts": 3}, [0, 0]),
        ({"kind": "fixed", "seconds": 0.25, "attempts": 2}, [0.25]),
        ({"kind": "fixed", "seconds": 7, "attempts": 1}, []),
        ({"kind": "linear", "base": 10, "attempts": 4}, [10, 20, 30]),
        ({"kind": "linear", "base": 10, "start": 0, "attempts": 4}, [0, 10, 20]),
        ({"kind": "linear", "base": 10, "start": 3, "limit": 20, "attempts": 5}, [3, 13, 20, 20]),
        ({"kind": "linear", "base": 10, "limit": None, "attempts": 3}, [10, 20]),
        ({"kind": "exponential", "base": 2, "attempts": 6}, [1, 2, 4, 8, 16]),
        ({"kind": "exponential", "base": 3, "factor": 5, "limit": 40, "attempts": 5}, [5, 15, 40, 40]),
        ({"kind": "exponential", "base": 0, "attempts": 4}, [1, 0, 0]),
        ({"kind": "exponential", "base": 0.5, "factor": 8, "attempts": 5}, [8, 4, 2, 1]),
        ({"kind": "random", "min": 2, "max": 4, "attempts": 3}, [3, 3]),
        ({"kind": "list", "delays": [5, 1, 9]}, [5, 1, 9]),
        ({"kind": "list", "delays": [5, 1, 9], "attempts": 2}, [5]),
        ({"kind": "list", "delays": [5, 9], "attempts": 5}, [5, 9, 9, 9]),
        ({"kind": "schedule", "attempts": 3}, [10, 60]),
        ({"kind": "schedule", "attempts": 13}, [*DEFAULT.planned(), 86_400, 86_400]),
    ],
)
def test_each_kind_plans_its_delays(value: dict[str, Any], delays: list[float]) -> None:
    policy = parse_retry(value)

    assert policy.planned() == delays
    assert policy.attempts == len(delays) + 1


@pytest.mark.parametrize("kind", ["fixed", "linear", "exponential", "random"])
def test_a_policy_without_attempts_has_eleven(kind: str) -> None:
    parameters = {"fixed": {"seconds": 1}, "random": {"min": 1, "max": 2}}.get(kind, {"base": 1})

    assert parse_retry({"kind": kind, **parameters}).attempts == 11


def test_the_schedule_of_pretix_is_expressible_and_exact() -> None:
    policy = parse_retry({"kind": "list", "delays": PRETIX})

    assert policy.attempts == 12
    assert policy.is_exact
    assert drawn(policy) == [*PRETIX, None]


@pytest.mark.parametrize(
    ("value", "delays"),
    [
        ({"kind": "fixed", "seconds": 60}, [60] * 10),
        ({"kind": "linear", "base": 10, "start": 0}, [10 * n for n in range(10)]),
        ({"kind": "linear", "base": 10, "start": 0, "limit": 35}, [0, 10, 20, 30, 35, 35, 35, 35, 35, 35]),
        ({"kind": "exponential", "base": 2}, [2**n for n in range(10)]),
        ({"kind": "exponential", "base": 0}, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ({"kind": "exponential", "base": 3, "factor": 2, "limit": 100}, [min(2 * 3**n, 100) for n in range(10)]),
    ],
)
def test_the_countdowns_of_oms_are_expressible_and_exact(value: dict[str, Any], delays: list[float]) -> None:
    """There n counts from 0: base·n, base^n·factor, at most limit; 11 attempts."""
    policy = parse_retry({**value, "attempts": 11})

    assert policy.is_exact
    assert drawn(policy) == [*delays, None]


def test_a_random_policy_draws_whole_seconds_with_both_ends() -> None:
    policy = parse_retry({"kind": "random", "min": 3, "max": 6})
    random = Random(1)

    found = {policy.delay_after(failures=1, random=random) for _ in range(200)}

    assert found == {3, 4, 5, 6}


def test_a_schedule_named_explicitly_behaves_as_the_default_one() -> None:
    policy = parse_retry({"kind": "schedule", "expires_after": 3600})

    assert policy.planned() == DEFAULT.planned()
    assert policy.jitter == DEFAULT.jitter
    assert not policy.is_exact
    assert not policy.is_default
    assert policy.expires_after_s == 3600


def test_the_installations_schedule_stands_in_for_the_default_one_and_is_exact() -> None:
    schedule = parse_schedule("10, 60,300.5")

    assert schedule.is_exact
    assert schedule.is_default
    assert drawn(schedule) == [10, 60, 300.5, None]
    assert parse_retry(None, default=schedule) is schedule
    named = parse_retry({"kind": "schedule", "attempts": 2}, default=schedule)
    assert (named.planned(), named.is_exact, named.jitter) == ([10], True, 0)


def test_whole_numbers_may_be_written_with_a_decimal_point() -> None:
    assert parse_retry({"kind": "random", "min": 1.0, "max": 2.0, "attempts": 3.0}).attempts == 3


def test_a_list_of_fifty_delays_uses_every_one() -> None:
    assert parse_retry({"kind": "list", "delays": list(range(50))}).planned() == list(range(50))


def test_huge_exponents_are_cut_at_the_longest_delay_without_overflow_or_delay() -> None:
    policy = parse_retry({"kind": "exponential", "base": 2_592_000, "factor": 2_592_000, "attempts": 50})
    began = time.perf_counter()

    delays = [policy.planned() for _ in range(100)][-1]

    assert set(delays) == {LONGEST_DELAY_S}
    assert time.perf_counter() - began < 1


def test_what_is_given_back_is_a_copy_of_what_was_stored() -> None:
    given_object = {"kind": "list", "delays": [1, 2.0], "attempts": 3}
    policy = parse_retry(given_object)

    answer = policy.to_json()
    given_object["delays"] = [9]
    assert answer == {"kind": "list", "delays": [1, 2.0], "attempts": 3}
    answer["delays"] = []
    assert policy.to_json() == {"kind": "list", "delays": [1, 2.0], "attempts": 3}


@given(policies)
def test_every_policy_is_given_back_exactly_as_stored(value: dict[str, Any]) -> None:
    assert json.dumps(parse_retry(value).to_json()) == json.dumps(value)
    assert value["kind"] in KINDS


@given(policies, seeds)
def test_delays_stay_within_the_jitter_and_the_longest_delay(value: dict[str, Any], seed: int) -> None:
    policy = parse_retry(value)
    nominal = policy.planned()
    if value["kind"] == "random":
        low, high = [value["min"]] * len(nominal), [value["max"]] * len(nominal)
    else:
        low = high = nominal

    delays = drawn(policy, seed=seed)

    assert delays.pop() is None
    assert len(delays) == len(nominal) == policy.attempts - 1
    for delay, least, most in zip(delays, low, high, strict=True):
        assert delay is not None
        assert (
            min(least * (1 - policy.jitter), LONGEST_DELAY_S)
            <= delay
            <= min(most * (1 + policy.jitter), LONGEST_DELAY_S)
        )


@given(policies.filter(lambda value: value["kind"] not in {"random", "schedule"}), seeds)
def test_explicit_kinds_are_exact_unless_jitter_is_asked(value: dict[str, Any], seed: int) -> None:
    policy = parse_retry({**value, "jitter": None})

    assert policy.is_exact
    assert drawn(policy, seed=seed)[:-1] == policy.planned()


@given(policies, seeds, st.integers(0, 10))
def test_after_the_last_attempt_there_is_no_delay(value: dict[str, Any], seed: int, more: int) -> None:
    policy = parse_retry(value)

    assert policy.delay_after(failures=policy.attempts + more, random=Random(seed)) is None


@pytest.mark.parametrize("failures", range(1, 11))
@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_that_fail_together_do_not_come_back_together(failures: int, seed: int) -> None:
    """No bucket holds more than twice the mean over the jitter window.

    A bucket is one second, or a hundredth of the window where that is longer: with fewer than 100 deliveries in the
    mean bucket, chance alone would exceed the double now and then.
    """
    random = Random(seed)
    nominal = DEFAULT.planned()[failures - 1]
    window = 2 * DEFAULT.jitter * nominal
    bucket = max(1.0, window / 100)

    delays = [DEFAULT.delay_after(failures=failures, random=random) or 0 for _ in range(10_000)]

    fullest = Counter(int((delay - nominal * 0.8) / bucket) for delay in delays).most_common(1)[0][1]
    assert fullest <= 2 * len(delays) * bucket / window
