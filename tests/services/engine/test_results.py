"""What a batch of ended attempts makes of deliveries, hooks and roll-ups."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from console.core.outcomes import Outcome
from console.core.rollups import bucket_of, hour_of
from console.models import AuditEntry, Hook, HookHour, Turn
from console.services.deliveries import deliveries
from console.services.engine import results
from console.services.hooks import hook_tests, hooks
from console.services.upkeep import sweeping
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from tests.engine import (
    attempts,
    claim,
    delivery,
    end,
    hire,
    make_hook,
    publish,
    put,
    record,
    rows_of,
    set_state,
    state_of,
)

pytestmark = pytest.mark.both_databases
OPENING = 5


@pytest.fixture
def hook(work: Work, ada) -> Hook:
    return make_hook(work, ada)


@pytest.fixture
def row(work: Work, ada, hook):
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    return row


def free_turns(work: Work, hook: Hook) -> None:

    work.session.execute(update(Turn).where(Turn.hook_number == hook.number).values(worker_number=None))
    work.session.commit()


# --- deliveries -----------------------------------------------------------------------------------------------------


def test_a_2xx_ends_a_delivery(work: Work, hook, row, clock) -> None:
    started = work.now()
    clock.advance(seconds=2)

    record(work, row, status=204, started_at=started, duration_ms=1500.0, peer="127.0.0.1:80")

    found = delivery(work, row.number)
    assert (found.state, found.last_status, found.last_outcome, found.last_duration_ms) == (
        "delivered",
        204,
        "ok",
        1500,
    )
    assert (found.finished_at, found.next_attempt_at, found.claimed_by) == (work.now(), None, None)
    [attempt] = attempts(work, row.number)
    assert (attempt.outcome, attempt.status, attempt.started_at, attempt.peer) == ("ok", 204, started, "127.0.0.1:80")
    assert not attempt.charged


def test_what_was_sent_and_what_came_back_is_kept(work: Work, row) -> None:
    record(
        work,
        row,
        request_headers=(("webhook-id", "1"), ("Authorization", "••••••")),
        response_headers=(("Server", "x"),),
        response_body=b"\x00\xff",
        timings={"total": 1.5},
        is_reused=True,
    )

    [attempt] = attempts(work, row.number)
    assert attempt.request_headers == [["webhook-id", "1"], ["Authorization", "••••••"]]
    assert (attempt.response_headers, attempt.response_body) == ([["Server", "x"]], b"\x00\xff")
    assert (attempt.timings, attempt.is_reused) == ({"total": 1.5}, True)


def test_a_nul_in_what_a_receiver_sends_keeps_no_result_from_being_written(work: Work, row) -> None:
    record(work, row, response_headers=(("X-Odd", "a\x00b\u00ff"),), response_body=b"\x00")

    [attempt] = attempts(work, row.number)
    assert attempt.response_headers == [["X-Odd", "a\x00b\u00ff"]]
    assert attempt.response_body == b"\x00"
    assert delivery(work, row.number).state == "delivered"


def test_what_is_not_there_of_an_attempt_stays_away(work: Work, row) -> None:
    record(work, row, outcome=Outcome.TIMEOUT, error='It\'s \\ "late"\n\u2028.', timings=None, response_body=None)

    [attempt] = attempts(work, row.number)
    assert (attempt.status, attempt.timings, attempt.response_headers, attempt.response_body) == (None,) * 4
    assert attempt.error == 'It\'s \\ "late"\n\u2028.'


def test_a_failure_is_tried_again_when_its_policy_says(work: Work, hook, row) -> None:
    record(work, row, Outcome.SERVER_ERROR, status=500, error="The receiver answered 500.")

    found = delivery(work, row.number)
    assert (found.state, found.chain_failures, found.claimed_by) == ("pending", 1, None)
    assert timedelta(seconds=8) <= found.next_attempt_at - work.now() <= timedelta(seconds=12)
    [attempt] = attempts(work, row.number)
    assert (attempt.charged, attempt.error) == (True, "The receiver answered 500.")


def test_the_delay_counts_from_the_end_of_the_attempt(work: Work, ada, clock) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 100})
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    ended_at = work.now() + timedelta(seconds=10)
    clock.advance(seconds=15)

    record(work, row, Outcome.TIMEOUT, started_at=ended_at - timedelta(seconds=10), duration_ms=10_000.0)

    assert delivery(work, row.number).next_attempt_at == ended_at + timedelta(seconds=100)


def test_a_delivery_fails_when_its_policy_is_exhausted(work: Work, ada) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 5, "attempts": 1})
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))

    record(work, row, Outcome.SERVER_ERROR, status=500)

    found = delivery(work, row.number)
    assert (found.state, found.next_attempt_at, found.finished_at) == ("failed", None, work.now())
    assert found.waiting_reason == "Every attempt of its retry policy failed."


def test_our_own_fault_costs_nothing_of_the_budget(work: Work, hook, row) -> None:
    record(work, row, Outcome.SYSTEM_ERROR, error="A stored secret cannot be decrypted.")

    found = delivery(work, row.number)
    assert (found.state, found.chain_failures) == ("pending", 0)
    assert found.next_attempt_at == work.now() + timedelta(seconds=5)
    assert not attempts(work, row.number)[0].charged
    assert state_of(work, hook).consecutive_failures == 0


def test_a_resolver_of_ours_that_is_down_costs_nothing_of_the_budget(work: Work, hook, row) -> None:
    record(work, row, Outcome.DNS_TEMPORARY, is_own_fault=True)

    assert delivery(work, row.number).chain_failures == 0


def test_a_test_send_is_one_attempt(work: Work, hook) -> None:
    sent = hook_tests.send(work, hook=hook)
    [row] = rows_of(claim(work, hire(work)))

    record(work, row, Outcome.SERVER_ERROR, status=500)

    assert delivery(work, sent.number).state == "failed"
    assert state_of(work, hook).failing_since is None


@pytest.mark.parametrize(("outcome", "state"), [(Outcome.OK, "delivered"), (Outcome.TIMEOUT, "canceled")])
def test_canceling_while_it_is_sent_ends_it_by_its_outcome(work: Work, row, outcome, state) -> None:
    deliveries.cancel(work, delivery=delivery(work, row.number))

    record(work, row, outcome)

    found = delivery(work, row.number)
    assert (found.state, found.cancel_requested, found.next_attempt_at) == (state, False, None)


@pytest.mark.parametrize(
    ("change", "state"), [(hooks.disable, "held"), (hooks.delete, "canceled")], ids=["disabled", "deleted"]
)
def test_a_failure_of_a_hook_that_was_switched_off_meanwhile_is_not_tried_again(
    work: Work, hook, row, change, state
) -> None:
    change(work, hook=hook)

    record(work, row, Outcome.SERVER_ERROR, status=500)

    assert (delivery(work, row.number).state, delivery(work, row.number).next_attempt_at) == (state, None)


# --- lost claims ----------------------------------------------------------------------------------------------------


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


# --- hooks ----------------------------------------------------------------------------------------------------------


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


# --- roll-ups -------------------------------------------------------------------------------------------------------


def test_attempts_are_counted_by_hour_class_and_duration(work: Work, ada, hook) -> None:
    set_state(work, hook, concurrency=8)
    publish(work, ada, 3)
    one, two, three = rows_of(claim(work, hire(work)))

    results.record(work, ended=[end(work, one, duration_ms=12.0), end(work, two, duration_ms=14.0)])
    results.record(work, ended=[end(work, three, duration_ms=13.0)])

    hour = work.session.scalars(select(HookHour)).one()
    assert (hour.hook_number, hour.hour, hour.status_class) == (hook.number, hour_of(work.now()), "2xx")
    assert (hour.bucket, hour.count) == (bucket_of(13), 3)


def test_attempts_without_an_answer_are_counted_as_none(work: Work, row) -> None:
    record(work, row, Outcome.TIMEOUT, duration_ms=15_000.0)

    assert work.session.scalars(select(HookHour.status_class)).all() == ["none"]
