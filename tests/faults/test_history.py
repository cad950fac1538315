"""The comparison that ends every test of a fault sees what it is there to see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from benchmarks.history import AttemptRow, DeliveryRow, Report, compare
from benchmarks.ledger import Receipt, is_signed_with
from console.core.signing import new_secret, sign

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ATTEMPT = AttemptRow(1, "ok", NOON, is_resent=False)
ROW = DeliveryRow(
    number=1,
    id="d1",
    event="e1",
    hook="h",
    is_serial=True,
    state="delivered",
    reason=None,
    attempt_count=1,
    has_living_owner=False,
    attempts=(ATTEMPT,),
)
LATER = replace(
    ROW, number=2, id="d2", event="e2", attempts=(replace(ATTEMPT, started_at=NOON + timedelta(seconds=1)),)
)
RECEIPT = Receipt(path="h", id="d1", n=0, is_signed=True, status=200, at=0.0, timestamp=0)
REFUSED = replace(RECEIPT, status=500)
NEXT = replace(RECEIPT, id="d2", n=1)


def found(rows: list[DeliveryRow], receipts: list[Receipt], **options: object) -> Report:
    given = {"answered": {"e1": 1}, "rows": rows, "receipts": receipts, **options}
    return compare(**given)  # type: ignore[arg-type]  # as each test needs it


def test_a_run_in_which_all_went_well_has_no_violation() -> None:
    report = found([ROW, LATER], [RECEIPT, NEXT], answered={"e1": 1, "e2": 1})

    assert report.is_good
    assert (report.lost, report.duplicates, report.unfinished, report.states) == (0, 0, 0, {"delivered": 2})


@pytest.mark.parametrize(
    ("rows", "receipts", "words"),
    [
        ([], [], "was answered with 1 deliveries and has 0"),
        ([ROW], [], "is delivered and its receiver never accepted it"),
        ([ROW], [REFUSED], "is delivered and its receiver never accepted it"),
        (
            [replace(ROW, state="failed")],
            [REFUSED],
            "is failed and its receiver never accepted it",
        ),
        ([replace(ROW, state="failed", reason="why")], [RECEIPT], "is failed although its receiver accepted it"),
        ([ROW], [replace(RECEIPT, is_signed=False)], "no valid signature"),
        ([ROW], [RECEIPT, replace(RECEIPT, id="?")], "unknown id"),
        ([ROW], [RECEIPT, RECEIPT], "received 2 times in 1 attempts"),
        ([replace(ROW, attempt_count=2)], [RECEIPT], "has the numbers [1]"),
        ([replace(ROW, attempts=(replace(ATTEMPT, outcome=None),))], [RECEIPT], "an attempt that never ended"),
        ([replace(ROW, state="sending", attempts=(replace(ATTEMPT, outcome=None),))], [RECEIPT], "sent by nobody"),
        ([replace(ROW, state="pending")], [], "is still pending"),
        ([replace(ROW, state="canceled", attempt_count=0, attempts=())], [RECEIPT], "received 1 times in 0 attempts"),
        ([ROW, LATER], [NEXT, RECEIPT], "came before the older"),
        ([ROW, replace(LATER, attempts=(replace(ATTEMPT, started_at=NOON - timedelta(1)),))], [RECEIPT, NEXT], "began"),
    ],
)
def test_what_breaks_a_promise_is_named(rows: list[DeliveryRow], receipts: list[Receipt], words: str) -> None:
    report = found(rows, receipts)

    assert not report.is_good
    assert any(words in violation for violation in report.violations), report.violations


def test_repetitions_are_allowed_only_as_far_as_kills_explain_them() -> None:
    attempts = tuple(replace(ATTEMPT, number=n, outcome="interrupted" if n == 1 else "ok") for n in (1, 2))
    row = replace(ROW, attempt_count=2, attempts=attempts)

    assert found([row], [RECEIPT, RECEIPT], kills=1).is_good
    assert not found([row], [RECEIPT, RECEIPT], kills=0).is_good


def test_a_failure_with_a_reason_is_no_loss() -> None:
    assert found([replace(ROW, state="failed", reason="exhausted")], [REFUSED]).is_good


def test_the_ledger_verifies_what_the_sender_signs() -> None:
    secret, body = new_secret(b"0" * 24), "grüße".encode()
    signature = sign(message_id="m", timestamp=17, body=body, secrets=[secret])

    assert is_signed_with(secret, "m", "17", signature, body)
    assert not is_signed_with(secret, "m", "17", signature, body + b" ")
    assert not is_signed_with("", "m", "17", signature, body)
