"""What a batch of ended attempts makes of deliveries, hooks and roll-ups."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from console.core.outcomes import Outcome
from console.core.rollups import bucket_of, hour_of
from console.models import HookHour
from console.services.deliveries import deliveries
from console.services.engine import results
from console.services.hooks import hook_tests, hooks
from console.services.work import Work
from tests.engine import (
    attempts,
    claim,
    delivery,
    end,
    hire,
    make_hook,
    publish,
    record,
    rows_of,
    set_state,
    state_of,
)

pytestmark = pytest.mark.both_databases


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
