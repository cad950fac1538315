"""What results make of a hook: its concurrency, lane and circuit, and when it is disabled."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from console.core.outcomes import Outcome
from console.models import AuditEntry, Hook, Turn
from console.services.engine import results
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from tests.engine import (
    claim,
    delivery,
    end,
    hire,
    publish,
    record,
    rows_of,
    set_state,
    state_of,
)

pytestmark = pytest.mark.both_databases
OPENING = 5


def free_turns(work: Work, hook: Hook) -> None:

    work.session.execute(update(Turn).where(Turn.hook_number == hook.number).values(worker_number=None))
    work.session.commit()


def test_every_2xx_lets_a_hook_have_one_more_request_in_flight(work: Work, ada, hook) -> None:
    publish(work, ada, 4)
    rows = rows_of(claim(work, hire(work)))

    results.record(work, ended=[end(work, row) for row in rows])

    state = state_of(work, hook)
    assert (state.concurrency, state.consecutive_successes, state.last_success_at) == (5, 4, work.now())


def test_a_network_failure_halves_what_a_hook_may_have_in_flight(work: Work, hook, row) -> None:
    set_state(work, hook, concurrency=12)

    record(work, row, Outcome.CONNECTION_RESET)

    assert state_of(work, hook).concurrency == 6


def test_the_first_timeout_moves_a_hook_to_the_slow_lane_and_two_2xx_bring_it_back(work: Work, ada, hook, ring) -> None:
    set_state(work, hook, concurrency=8)
    publish(work, ada, 3)
    worker = hire(work)
    timed_out, first, second = rows_of(claim(work, worker))

    record(work, timed_out, Outcome.CONNECT_TIMEOUT)
    assert state_of(work, hook).lane == DELIVERIES_SLOW
    assert ring.lanes[-1] == DELIVERIES_SLOW
    record(work, first)
    assert state_of(work, hook).lane == DELIVERIES_SLOW
    record(work, second)

    assert state_of(work, hook).lane == DELIVERIES
    assert ring.lanes[-1] == DELIVERIES


def test_failures_in_a_row_open_the_circuit_and_each_failed_probe_keeps_it_open_longer(
    work: Work, ada, hook, clock
) -> None:
    set_state(work, hook, concurrency=8)
    publish(work, ada, OPENING + 1)
    *rows, _ = rows_of(claim(work, hire(work)))

    recorded = results.record(work, ended=[end(work, row, Outcome.SERVER_ERROR, status=500) for row in rows])

    state = state_of(work, hook)
    assert (state.consecutive_failures, state.openings, state.lane) == (OPENING, 1, DELIVERIES_SLOW)
    assert timedelta(seconds=24) <= state.open_until - work.now() <= timedelta(seconds=36)
    assert recorded.withdrawn == {hook.number}

    clock.advance(seconds=40)
    free_turns(work, hook)
    [probe] = rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))
    record(work, probe, Outcome.SERVER_ERROR, status=500)

    state = state_of(work, hook)
    assert state.openings == 2
    assert timedelta(seconds=48) <= state.open_until - work.now() <= timedelta(seconds=72)


def test_requests_in_flight_that_fail_after_the_circuit_opened_do_not_open_it_again(work: Work, ada, hook) -> None:
    set_state(work, hook, concurrency=8)
    publish(work, ada, 8)
    rows = rows_of(claim(work, hire(work)))

    results.record(work, ended=[end(work, row, Outcome.SERVER_ERROR, status=500) for row in rows])

    assert state_of(work, hook).openings == 1


def test_a_2xx_closes_the_circuit(work: Work, hook, row) -> None:
    set_state(
        work, hook, openings=3, consecutive_failures=9, failing_since=work.now(), failed_attempts=9, warned_percent=50
    )

    record(work, row)

    state = state_of(work, hook)
    assert (state.openings, state.open_until, state.consecutive_failures) == (0, None, 0)
    assert (state.failing_since, state.failed_attempts, state.warned_percent) == (None, 0, 0)


def test_retry_after_holds_the_whole_hook_back(work: Work, hook, row) -> None:
    record(work, row, Outcome.THROTTLED, status=429, retry_after="120")

    until = work.now() + timedelta(seconds=120)
    assert delivery(work, row.number).next_attempt_at == until
    assert state_of(work, hook).open_until == until


def test_a_410_disables_the_hook_and_holds_what_waits(work: Work, ada, hook) -> None:
    set_state(work, hook, concurrency=8)
    gone, *_ = publish(work, ada, 1)
    [row] = rows_of(claim(work, hire(work)))
    waiting = publish(work, ada)[0]

    recorded = record(work, row, Outcome.GONE, status=410)

    work.session.refresh(hook)
    assert (delivery(work, gone).state, delivery(work, waiting).state) == ("failed", "held")
    assert (hook.is_active, hook.disabled_at) == (False, work.now())
    assert "410" in (hook.disabled_reason or "")
    assert recorded.withdrawn == {hook.number}
    entry = work.session.scalars(select(AuditEntry).where(AuditEntry.action == "hook.disabled")).one()
    assert entry.actor == "Hookyard"


def test_a_hook_that_failed_for_five_days_is_disabled(work: Work, ada, hook, row) -> None:
    since = work.now() - timedelta(days=5)
    set_state(work, hook, failing_since=since, failed_attempts=9, last_failure_at=work.now() - timedelta(days=1))

    record(work, row, Outcome.SERVER_ERROR, status=500)

    work.session.refresh(hook)
    assert not hook.is_active
    assert "10 attempts" in (hook.disabled_reason or "")
    assert delivery(work, row.number).state == "held"


@pytest.mark.parametrize(("days", "percent"), [(2.5, 50), (3.5, 70), (4.6, 90)])
def test_a_failing_hook_is_warned_of_before_it_is_disabled(work: Work, hook, row, days, percent) -> None:
    set_state(work, hook, failing_since=work.now() - timedelta(days=days), failed_attempts=3)

    record(work, row, Outcome.SERVER_ERROR, status=500)

    assert state_of(work, hook).warned_percent == percent
    entry = work.session.scalars(select(AuditEntry).where(AuditEntry.action == "hook.failing")).one()
    assert entry.changes == {"percent_of_5_days": [None, percent]}
