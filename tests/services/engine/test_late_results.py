"""Results that come after the claim they belong to was lost."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.core.outcomes import Outcome
from console.services.deliveries import deliveries
from console.services.engine import results
from console.services.upkeep import sweeping
from console.services.work import Work
from tests.engine import (
    attempts,
    claim,
    delivery,
    end,
    hire,
    put,
    record,
    rows_of,
)

pytestmark = pytest.mark.both_databases


def test_a_late_2xx_is_accepted_although_the_claim_is_lost(work: Work, row) -> None:
    put(work, row.number, state="pending", claimed_by=None, interrupted=1)

    record(work, row, status=200)

    found = delivery(work, row.number)
    assert (found.state, found.last_status, found.next_attempt_at) == ("delivered", 200, None)
    assert attempts(work, row.number)[0].outcome == "ok"


def test_a_late_2xx_of_an_earlier_chain_does_not_end_the_present_one(work: Work, row) -> None:
    put(work, row.number, state="failed", claimed_by=None)
    deliveries.resend(work, delivery=delivery(work, row.number))

    record(work, row, status=200)

    assert delivery(work, row.number).state == "pending"
    assert attempts(work, row.number)[0].outcome == "ok"


def test_a_late_failure_is_discarded(work: Work, row) -> None:
    moment = work.now() + timedelta(seconds=5)
    put(work, row.number, state="pending", claimed_by=None, interrupted=1, next_attempt_at=moment)

    recorded = record(work, row, Outcome.TIMEOUT)

    found = delivery(work, row.number)
    assert (found.state, found.chain_failures, found.next_attempt_at) == ("pending", 0, moment)
    assert recorded.discarded == 1


def test_the_same_row_claimed_again_is_not_touched_by_the_first_claims_failure(work: Work, row) -> None:
    put(work, row.number, claimed_by=row.worker + 1, claim_no=2, attempt_count=2)

    record(work, row, Outcome.TIMEOUT)

    assert (delivery(work, row.number).state, delivery(work, row.number).claimed_by) == ("sending", row.worker + 1)


def test_what_a_late_2xx_delivered_is_not_undone_by_the_next_attempts_failure_beside_it(work: Work, row, clock) -> None:
    """Both in one batch, as of a process that was taken for dead and claimed the row again."""
    clock.advance(seconds=60)
    sweeping.sweep(work)
    clock.advance(seconds=60)
    [again] = rows_of(claim(work, hire(work)))

    results.record(work, ended=[end(work, row), end(work, again, Outcome.SERVER_ERROR, status=500)])

    assert delivery(work, row.number).state == "delivered"
    assert [one.outcome for one in attempts(work, row.number)] == ["ok", "server_error"]


def test_a_late_2xx_leaves_no_attempt_open_of_a_worker_that_had_taken_over_and_dies(work: Work, row, clock) -> None:
    clock.advance(seconds=60)
    sweeping.sweep(work)
    clock.advance(seconds=60)
    rows_of(claim(work, hire(work)))

    record(work, row)
    clock.advance(seconds=60)
    sweeping.sweep(work)

    assert delivery(work, row.number).state == "delivered"
    assert [(one.number, one.outcome) for one in attempts(work, row.number)] == [(1, "ok"), (2, "interrupted")]


def test_a_second_2xx_of_the_worker_that_had_taken_over_is_kept(work: Work, row, clock) -> None:
    clock.advance(seconds=60)
    sweeping.sweep(work)
    clock.advance(seconds=60)
    [again] = rows_of(claim(work, hire(work)))

    record(work, row)
    record(work, again)

    assert [one.outcome for one in attempts(work, row.number)] == ["ok", "ok"]
