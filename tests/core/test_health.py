"""The health of hooks: words, disabling by itself, circuit, concurrency and lanes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.health import (
    MOST_FAILING_TYPES,
    Figures,
    Health,
    circuit_pause_s,
    disable_reason,
    failing_types_after,
    health,
    holds_back,
    is_slow_after,
    next_concurrency,
    opens_circuit,
    opens_destination,
    warning_due,
)
from console.core.outcomes import NETWORK, Outcome

NOW = datetime(2026, 11, 21, 23, 10, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("figures", "expected", "words"),
    [
        (Figures(), Health.HEALTHY, "Nothing was sent recently."),
        (
            Figures(last_outcome="gone"),
            Health.DEGRADED,
            "Enabled again after its last attempt failed; the next delivery shows whether it works.",
        ),
        (Figures(last_outcome="ok"), Health.HEALTHY, "Nothing was sent recently."),
        (Figures(recent_attempts=5, recent_successes=3), Health.HEALTHY, "Deliveries arrive."),
        (Figures(recent_attempts=100, recent_successes=95), Health.HEALTHY, "Deliveries arrive."),
        (
            Figures(recent_attempts=100, recent_successes=94),
            Health.DEGRADED,
            "6 of 100 attempts in 24 hours failed; the last one succeeded.",
        ),
        (Figures(consecutive_failures=1), Health.DEGRADED, "The last attempt failed."),
        (Figures(consecutive_failures=2), Health.DEGRADED, "The last 2 attempts failed."),
        (Figures(open_until=LATER), Health.DEGRADED, "The receiver asked to wait; deliveries go on afterwards."),
        (Figures(open_until=NOW), Health.HEALTHY, "Nothing was sent recently."),
        (Figures(consecutive_failures=3, open_until=LATER), Health.FAILING, "The last 3 attempts failed."),
        (Figures(consecutive_failures=9, open_until=NOW), Health.FAILING, "The last 9 attempts failed."),
        (
            Figures(consecutive_failures=5, openings=1, open_until=LATER),
            Health.CIRCUIT_OPEN,
            "Paused after 5 failures in a row; one request will try it again.",
        ),
        (Figures(consecutive_failures=9, open_until=LATER), Health.FAILING, "The last 9 attempts failed."),
        (
            Figures(destination="example.com:443", destination_until=LATER),
            Health.CIRCUIT_OPEN,
            "Nothing answers at example.com:443: all hooks there wait until one request tries it again.",
        ),
        (Figures(destination="example.com:443", destination_until=NOW), Health.HEALTHY, "Nothing was sent recently."),
        (
            Figures(problem="The kind is unknown.", recent_attempts=9, recent_successes=9),
            Health.DEGRADED,
            "Its own retry policy cannot be read, so the usual one holds: The kind is unknown.",
        ),
        (
            Figures(is_active=False, consecutive_failures=9, open_until=LATER),
            Health.DISABLED,
            "Disabled: new deliveries are held.",
        ),
        (Figures(is_active=False, disabled_reason="The receiver is gone."), Health.DISABLED, "The receiver is gone."),
    ],
)
def test_the_worst_that_is_true_of_a_hook_is_its_health(figures: Figures, expected: Health, words: str) -> None:
    answer = health(figures, now=NOW)

    assert answer.health is expected
    assert answer.words == words


@pytest.mark.parametrize(
    ("failing_for", "failures", "last_after", "is_disabled"),
    [
        (5 * DAY, 10, 12 * HOUR, True),
        (5 * DAY - timedelta(seconds=1), 10, 12 * HOUR, False),
        (5 * DAY, 9, 12 * HOUR, False),
        (5 * DAY, 10, 12 * HOUR - timedelta(seconds=1), False),
        (30 * DAY, 1000, 29 * DAY, True),
    ],
)
def test_a_hook_is_disabled_after_five_days_ten_attempts_and_two_failures_half_a_day_apart(
    failing_for: timedelta, failures: int, last_after: timedelta, *, is_disabled: bool
) -> None:
    since = NOW - failing_for

    reason = disable_reason(failing_since=since, failures=failures, last_failure_at=since + last_after, now=NOW)

    assert (reason is not None) == is_disabled


def test_a_hook_that_fails_says_how_its_last_attempt_failed() -> None:
    failing = Figures(consecutive_failures=7, last_outcome="server_error")

    assert health(failing, now=NOW).cause == "Server error (5xx)"
    assert health(replace(failing, last_outcome="ok", consecutive_failures=0), now=NOW).cause == ""
    assert health(replace(failing, last_outcome="of a later version"), now=NOW).cause == ""


def test_the_reason_says_since_when_and_how_often() -> None:
    since = NOW - 6 * DAY

    reason = disable_reason(failing_since=since, failures=12, last_failure_at=NOW, now=NOW)

    assert reason == "Disabled by itself: 12 attempts since 2026-11-15 23:10 UTC, none succeeded."


@pytest.mark.parametrize(("since", "last"), [(None, None), (NOW - 9 * DAY, None), (None, NOW)])
def test_a_hook_that_does_not_fail_is_never_disabled(since: datetime | None, last: datetime | None) -> None:
    assert disable_reason(failing_since=since, failures=99, last_failure_at=last, now=NOW) is None


@pytest.mark.parametrize(
    ("hours", "warned", "expected"),
    [
        (59, 0, None),
        (60, 0, 50),
        (60, 50, None),
        (83.9, 50, None),
        (84, 50, 70),
        (84, 0, 70),
        (108, 70, 90),
        (108, 90, None),
        (500, 0, 90),
        (500, 90, None),
    ],
)
def test_warnings_come_at_50_70_and_90_percent_of_the_five_days_once_each(
    hours: float, warned: int, expected: int | None
) -> None:
    assert warning_due(failing_since=NOW - hours * HOUR, warned_percent=warned, now=NOW) == expected


def test_a_hook_that_does_not_fail_is_not_warned_of() -> None:
    assert warning_due(failing_since=None, warned_percent=0, now=NOW) is None


def test_the_circuit_opens_at_the_fifth_failure_in_a_row() -> None:
    assert [opens_circuit(n) for n in range(7)] == [False] * 5 + [True] * 2


@pytest.mark.parametrize(
    ("failures", "hooks", "is_open"), [(5, 2, True), (4, 4, False), (5, 1, False), (99, 1, False), (6, 6, True)]
)
def test_a_destinations_circuit_opens_at_the_fifth_failure_in_a_row_of_two_hooks_at_least(
    failures: int, hooks: int, *, is_open: bool
) -> None:
    assert opens_destination(failures, hooks=hooks) == is_open


@pytest.mark.parametrize(("openings", "nominal"), [(0, 30), (1, 60), (4, 480), (6, 1920), (7, 3000), (10**9, 3000)])
def test_the_circuit_stays_open_twice_as_long_each_time(openings: int, nominal: float) -> None:
    pauses = [circuit_pause_s(openings, random=Random(seed)) for seed in range(200)]

    assert min(pauses) >= nominal * 0.8
    assert max(pauses) <= min(nominal * 1.2, 3600)


def test_hooks_whose_circuits_opened_together_are_not_probed_together() -> None:
    random = Random(3)

    pauses = [circuit_pause_s(0, random=random) for _ in range(10_000)]

    assert Counter(map(int, pauses)).most_common(1)[0][1] <= 2 * len(pauses) / 12


def test_a_hook_starts_with_one_request_and_gets_one_more_with_each_success() -> None:
    steps = accumulate(
        range(5), lambda current, _: next_concurrency(current, outcome=Outcome.OK, status=200, maximum=4), initial=1
    )

    assert list(steps) == [1, 2, 3, 4, 4, 4]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.THROTTLED, 429), (Outcome.SERVER_ERROR, 503), *((outcome, None) for outcome in sorted(NETWORK))],
)
def test_concurrency_is_halved_on_network_failures_429_and_503(outcome: Outcome, status: int | None) -> None:
    assert next_concurrency(9, outcome=outcome, status=status, maximum=16) == 4
    assert next_concurrency(1, outcome=outcome, status=status, maximum=16) == 1


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.SERVER_ERROR, 500),
        (Outcome.CLIENT_ERROR, 404),
        (Outcome.INTERRUPTED, None),
        (Outcome.BLOCKED_URL, None),
    ],
)
def test_other_failures_leave_concurrency_alone(outcome: Outcome, status: int | None) -> None:
    assert next_concurrency(9, outcome=outcome, status=status, maximum=16) == 9


@given(st.integers(-5, 1000), st.sampled_from(Outcome), st.integers(1, 128))
def test_concurrency_stays_between_one_and_the_maximum(current: int, outcome: Outcome, maximum: int) -> None:
    assert 1 <= next_concurrency(current, outcome=outcome, status=None, maximum=maximum) <= maximum


@pytest.mark.parametrize(
    ("outcome", "duration_s", "was_slow", "successes", "expected"),
    [
        (Outcome.TIMEOUT, 15.0, False, 0, True),
        (Outcome.CONNECTION_REFUSED, 0.0, False, 0, True),
        (Outcome.SERVER_ERROR, 0.1, False, 0, False),
        (Outcome.SERVER_ERROR, 13.0, False, 0, True),
        (Outcome.SERVER_ERROR, 0.1, True, 0, True),
        (Outcome.OK, 0.1, True, 1, True),
        (Outcome.OK, 0.1, True, 2, False),
        (Outcome.OK, 0.1, False, 1, False),
        (Outcome.OK, 2.0, False, 1, False),
        (Outcome.OK, 2.1, False, 9, True),
    ],
)
def test_a_slow_response_sends_a_hook_to_the_slow_lane_and_two_quick_successes_bring_it_back(
    outcome: Outcome, duration_s: float, successes: int, *, was_slow: bool, expected: bool
) -> None:
    assert is_slow_after(outcome, duration_s=duration_s, was_slow=was_slow, successes=successes) is expected


def test_a_circuit_holds_back_the_types_that_were_refused() -> None:
    refused = failing_types_after((), outcome=Outcome.SERVER_ERROR, event_type="order.paid")
    refused = failing_types_after(refused, outcome=Outcome.SERVER_ERROR, event_type="order.paid")

    assert refused == ["order.paid"]
    assert holds_back(refused, "order.paid")
    assert not holds_back(refused, "order.refunded")


def test_a_circuit_holds_everything_back_from_a_receiver_that_does_not_answer() -> None:
    refused = failing_types_after(["order.paid"], outcome=Outcome.TIMEOUT, event_type="order.refunded")

    assert holds_back(refused, "anything")
    assert holds_back(failing_types_after(refused, outcome=Outcome.SERVER_ERROR, event_type="a"), "anything")
    assert holds_back(None, "anything")  # it opened before types were kept


def test_a_receiver_that_refuses_many_types_is_down_for_all() -> None:
    refused: list[str] = []
    for index in range(MOST_FAILING_TYPES + 1):
        refused = failing_types_after(refused, outcome=Outcome.SERVER_ERROR, event_type=f"type.{index}")

    assert holds_back(refused, "anything")
