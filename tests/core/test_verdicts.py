"""What follows from an attempt: the table of verdicts, Retry-After, expiry, and what is charged."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.core.outcomes import (
    ANSWERED,
    BLOCKED,
    CHARGED,
    EXPLANATIONS,
    NETWORK,
    OPENS_CIRCUIT,
    UNCHARGED,
    Outcome,
    of_status,
)
from console.core.retry import DEFAULT
from console.core.retry_reading import parse_retry
from console.core.verdicts import REASONS, Reason, Verdict, judge, parse_retry_after, state_after

NOW = datetime(2026, 11, 21, 23, 10, 1, tzinfo=UTC)
MINUTE = parse_retry({"kind": "fixed", "seconds": 60, "attempts": 5})
FAILURES = [outcome for outcome in Outcome if outcome not in {Outcome.OK, Outcome.GONE}]


def judged(outcome: Outcome, **given_: Any) -> Verdict:
    arguments = {"now": NOW, "policy": MINUTE, "failures": 0, "random": Random(1), **given_}
    return judge(outcome, **arguments)


def answered(status: int, **given_: Any) -> Verdict:
    return judged(of_status(status), status=status, **given_)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.OK),
        (204, Outcome.OK),
        (299, Outcome.OK),
        (300, Outcome.REDIRECT),
        (308, Outcome.REDIRECT),
        (400, Outcome.CLIENT_ERROR),
        (404, Outcome.CLIENT_ERROR),
        (410, Outcome.GONE),
        (429, Outcome.THROTTLED),
        (499, Outcome.CLIENT_ERROR),
        (500, Outcome.SERVER_ERROR),
        (599, Outcome.SERVER_ERROR),
        (100, Outcome.INVALID_STATUS),
        (101, Outcome.UNEXPECTED_UPGRADE),
        (600, Outcome.INVALID_STATUS),
        (999, Outcome.INVALID_STATUS),
        (0, Outcome.INVALID_STATUS),
    ],
)
def test_a_status_has_one_outcome(status: int, outcome: Outcome) -> None:
    assert of_status(status) is outcome


def test_every_outcome_and_reason_is_explained_in_whole_sentences() -> None:
    assert set(EXPLANATIONS) == set(Outcome)
    assert set(REASONS) == set(Reason)
    for explanation in EXPLANATIONS.values():
        assert explanation.title
        assert explanation.meaning.endswith(".")
        assert explanation.remedy.endswith(".")


def test_the_sets_of_outcomes_do_not_contradict_each_other() -> None:
    assert {*ANSWERED} | NETWORK | BLOCKED | UNCHARGED | {Outcome.INVALID_REQUEST} == set(Outcome)
    assert not ANSWERED & NETWORK
    assert CHARGED.isdisjoint(UNCHARGED)
    assert OPENS_CIRCUIT <= CHARGED


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226])
def test_a_2xx_delivers(status: int) -> None:
    assert answered(status) == Verdict("delivered", Reason.DELIVERED)


@pytest.mark.parametrize("is_test", [False, True])
def test_a_410_fails_the_delivery_and_disables_the_hook(is_test: bool) -> None:  # noqa: FBT001
    assert answered(410, is_test=is_test) == Verdict("failed", Reason.GONE, charged=True, disable_hook=True)


@pytest.mark.parametrize("outcome", FAILURES)
def test_every_other_failure_is_tried_again(outcome: Outcome) -> None:
    verdict = judged(outcome)

    assert verdict.state == "pending"
    assert verdict.delay_s == (60 if outcome in CHARGED else 0.5 if outcome is Outcome.INTERRUPTED else 5)
    assert verdict.charged == (outcome in CHARGED)
    assert not verdict.disable_hook
    assert verdict.opens_circuit == (outcome in OPENS_CIRCUIT)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 422, 429, 600, 199])
def test_an_answer_that_is_no_5xx_never_opens_the_circuit(status: int) -> None:
    assert not answered(status).opens_circuit


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_5xx_counts_towards_the_circuit(status: int) -> None:
    assert answered(status).opens_circuit


def test_the_last_attempt_of_the_policy_exhausts_it() -> None:
    assert answered(500, failures=3).state == "pending"
    last = answered(500, failures=4)
    assert (last.state, last.reason, last.delay_s, last.charged) == ("failed", Reason.EXHAUSTED, None, True)


def test_a_hook_that_wants_one_attempt_gets_one() -> None:
    assert answered(500, policy=parse_retry({"kind": "fixed", "seconds": 1, "attempts": 1})).reason is Reason.EXHAUSTED


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retry_after_lengthens_the_wait_of_explicit_kinds_and_holds_the_hook(status: int) -> None:
    verdict = answered(status, retry_after="90")

    assert (verdict.delay_s, verdict.hold_hook_s, verdict.reason) == (90, 90, Reason.RETRY_AFTER)


def test_retry_after_never_shortens_a_wait() -> None:
    verdict = answered(503, retry_after="7")

    assert (verdict.delay_s, verdict.hold_hook_s, verdict.reason) == (60, 7, Reason.SCHEDULE)


def test_retry_after_counts_for_24_hours_at_most() -> None:
    verdict = answered(429, retry_after="9999999")

    assert (verdict.delay_s, verdict.hold_hook_s) == (86_400, 86_400)


@pytest.mark.parametrize("status", [302, 400, 413, 500, 501])
def test_retry_after_does_not_count_for_other_statuses(status: int) -> None:
    verdict = answered(status, retry_after="900")

    assert (verdict.delay_s, verdict.hold_hook_s) == (60, None)


def test_a_retry_after_that_is_garbage_is_ignored() -> None:
    verdict = answered(429, retry_after="soon")

    assert (verdict.delay_s, verdict.hold_hook_s, verdict.reason) == (60, None, Reason.SCHEDULE)


def test_retry_after_does_not_add_attempts() -> None:
    verdict = answered(429, retry_after="900", failures=4)

    assert (verdict.state, verdict.reason, verdict.hold_hook_s) == ("failed", Reason.EXHAUSTED, 900)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.TIMEOUT, None),
        (Outcome.CONNECT_TIMEOUT, None),
        (Outcome.THROTTLED, 429),
        (Outcome.SERVER_ERROR, 502),
        (Outcome.SERVER_ERROR, 503),
        (Outcome.SERVER_ERROR, 504),
    ],
)
def test_the_default_schedule_gives_a_crowded_receiver_a_minute(outcome: Outcome, status: int | None) -> None:
    delays = [judged(outcome, status=status, policy=DEFAULT, random=Random(seed)).delay_s for seed in range(50)]

    assert all(delay is not None and 60 <= delay <= 84 for delay in delays)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.SERVER_ERROR, 500), (Outcome.CONNECTION_REFUSED, None), (Outcome.CLIENT_ERROR, 404)],
)
def test_the_default_schedule_asks_others_again_after_ten_seconds(outcome: Outcome, status: int | None) -> None:
    delay = judged(outcome, status=status, policy=DEFAULT).delay_s

    assert delay is not None
    assert 8 <= delay <= 12


@pytest.mark.parametrize("status", [429, 503])
def test_an_explicit_kind_knows_no_minimum(status: int) -> None:
    assert answered(status, policy=parse_retry({"kind": "fixed", "seconds": 1})).delay_s == 1


def test_a_default_schedule_without_jitter_waits_a_minute_exactly() -> None:
    assert judged(Outcome.TIMEOUT, policy=parse_retry({"kind": "schedule", "jitter": 0})).delay_s == 60


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_ten_thousand_that_time_out_together_do_not_come_back_together(failures: int) -> None:
    """No 1-second bucket holds more than twice the mean over the 24 seconds into which they are spread, or more."""
    random = Random(7)

    delays = [
        judged(Outcome.TIMEOUT, policy=DEFAULT, failures=failures, random=random).delay_s or 0 for _ in range(10_000)
    ]

    assert min(delays) >= 60
    assert Counter(map(int, delays)).most_common(1)[0][1] <= 2 * len(delays) / 24


@pytest.mark.parametrize("outcome", sorted(UNCHARGED))
def test_our_own_faults_cost_nothing_and_are_repaired_soon(outcome: Outcome) -> None:
    delays = [judged(outcome, interruptions=k, failures=4).delay_s for k in range(9)]

    first = 0.5 if outcome is Outcome.INTERRUPTED else 5  # most workers die once, of nothing that a delivery did
    assert delays == [first, 10, 20, 40, 80, 160, 320, 600, 600]
    assert judged(outcome, interruptions=100_000).delay_s == 600


def test_a_resolver_that_finds_no_host_at_all_is_our_own_fault() -> None:
    verdict = judged(Outcome.DNS_TEMPORARY, is_own_fault=True)

    assert verdict == Verdict("pending", Reason.OWN_FAULT, delay_s=5)


@pytest.mark.parametrize("outcome", FAILURES)
def test_a_test_is_never_tried_again(outcome: Outcome) -> None:
    verdict = judged(outcome, is_test=True)

    assert (verdict.state, verdict.reason, verdict.delay_s) == ("failed", Reason.NOT_RETRIED, None)


@pytest.mark.parametrize(
    ("age_s", "state"), [(0, "pending"), (239, "pending"), (240, "pending"), (240.5, "failed"), (9999, "failed")]
)
def test_a_delivery_whose_next_attempt_would_come_after_its_expiry_fails(age_s: float, state: str) -> None:
    policy = parse_retry({"kind": "fixed", "seconds": 60, "expires_after": 300})

    verdict = answered(500, policy=policy, age_s=age_s)

    assert verdict.state == state
    assert verdict.reason is (Reason.EXPIRED if state == "failed" else Reason.SCHEDULE)
    assert judged(Outcome.SYSTEM_ERROR, policy=policy, age_s=age_s + 55).state == state


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("1.5", 1.5),
        (" 30\t", 30),
        ("-1", 0),
        ("-0.5", 0),
        ("007", 7),
        ("9" * 64, 1e64),
        ("Sat, 21 Nov 2026 23:11:01 GMT", 60),
        ("Saturday, 21-Nov-26 23:11:01 GMT", 60),
        ("Sat Nov 21 23:11:01 2026", 60),
        ("Sun Nov  1 00:00:00 2026", 0),
        ("Tue Dec  1 00:00:00 2026", 9 * 86_400 + 2999),
        ("Sat, 21 Nov 2026 23:10:60 GMT", 58),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_a_number_or_one_of_three_dates(text: str, seconds: float) -> None:
    assert parse_retry_after(text, now=NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "+5",
        "1e3",
        "1,5",
        ".5",
        "5.",
        "5 s",
        "0x10",
        "NaN",
        "inf",
        "١٢",
        "²",
        "9" * 65,
        "9" * 1_000_000,
        "Sat, 31 Feb 2026 23:11:01 GMT",
        "Sat, 21 Nov 2026 25:11:01 GMT",
        "Sat, 21 Nov 0000 23:11:01 GMT",
        "Sat, 21 Nov 2026 23:11:01 +0000",
        "2026-11-21T23:11:01Z",
        "Sab, 21 Nov 2026 23:11:01 GMT",
    ],
)
def test_a_retry_after_of_no_known_form_is_garbage(text: str) -> None:
    assert parse_retry_after(text, now=NOW) is None


@given(st.integers(-(10**6), 10**7))
def test_retry_after_reads_the_dates_that_the_library_writes(offset: int) -> None:
    text = format_datetime(NOW + timedelta(seconds=offset), usegmt=True)

    assert parse_retry_after(text, now=NOW) == max(offset, 0)


@given(st.text(max_size=80))
def test_retry_after_takes_any_text_without_an_error(text: str) -> None:
    seconds = parse_retry_after(text, now=NOW)

    assert seconds is None or seconds >= 0


@given(
    st.sampled_from(FAILURES),
    st.sampled_from([None, 302, 404, 429, 500, 503]),
    st.none() | st.integers(0, 10**6).map(str),
    st.integers(0, 60),
    st.integers(0, 2**32),
)
def test_whatever_fails_waits_between_nothing_and_thirty_days_or_is_over(
    outcome: Outcome, status: int | None, retry_after: str | None, failures: int, seed: int
) -> None:
    verdict = judged(
        outcome, status=status, retry_after=retry_after, failures=failures, policy=DEFAULT, random=Random(seed)
    )

    assert (verdict.state == "pending") == (verdict.delay_s is not None)
    assert verdict.delay_s is None or 0 <= verdict.delay_s <= 30 * 86_400
    assert not verdict.disable_hook


@pytest.mark.parametrize(
    ("verdict", "wishes", "state"),
    [
        ("pending", {}, "pending"),
        ("pending", {"is_hook_active": False}, "held"),
        ("pending", {"is_hook_active": False, "is_automatic": False}, "pending"),
        ("pending", {"is_hook_active": False, "is_canceled": True}, "canceled"),
        ("pending", {"is_hook_active": False, "is_hook_deleted": True}, "canceled"),
        ("failed", {}, "failed"),
        ("failed", {"is_hook_active": False}, "failed"),
        ("failed", {"is_canceled": True}, "canceled"),
        ("failed", {"is_hook_deleted": True}, "canceled"),
    ],
)
def test_what_people_want_by_now_decides_over_a_delivery_that_was_not_delivered(verdict, wishes, state) -> None:
    usual = {"is_canceled": False, "is_hook_deleted": False, "is_hook_active": True, "is_automatic": True}

    assert state_after(verdict, **{**usual, **wishes}) == state
