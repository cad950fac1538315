"""Why deliveries wait, from what is in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from console.core.outcomes import Outcome
from console.models import Destination, Hook
from console.services.deliveries import deliveries, waits
from console.services.hooks import hooks
from console.services.work import DELIVERIES_SLOW, Work
from tests.engine import claim, delivery, hire, make_hook, publish, record, rows_of, set_state

pytestmark = pytest.mark.both_databases


def reason_of(work: Work, number: int) -> str:
    reason = waits.reason_of(work, delivery(work, number)) or ""
    work.session.commit()
    return reason


def test_circuit_retry_after_lane_and_rate_limit_are_told_apart(work: Work, ada) -> None:
    later = work.now() + timedelta(minutes=5)
    made = {
        "is paused until 2026-11-22 09:05:00 UTC after 6": {"open_until": later, "openings": 1},
        "asked to wait until 2026-11-22 09:05:00 UTC": {"open_until": later},
        "waits for a sender of the slow lane": {"lane": DELIVERIES_SLOW},
        "rate limit of 10 requests in 60 s": {"next_send_at": later},
        "waits for a free sender": {},
    }
    for values in made.values():
        hook = make_hook(work, ada, rate_limit={"count": 10, "seconds": 60} if "next_send_at" in values else None)
        set_state(work, hook, consecutive_failures=6, **values)
    numbers = publish(work, ada)

    for number, words in zip(numbers, made, strict=True):
        assert words in reason_of(work, number)


def test_a_hook_that_failed_waits_for_its_silent_destination(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    set_state(work, hook, consecutive_failures=1)
    [number] = publish(work, ada)
    work.session.add(
        Destination(
            organization_number=hook.organization_number,
            name="example.com:443",
            first_hook=hook.number,
            failures=7,
            openings=1,
            open_until=work.now() + timedelta(seconds=30),
        )
    )
    work.session.commit()

    assert "Nothing answers at example.com:443" in reason_of(work, number)


def test_a_row_waits_for_the_requests_of_its_hook_that_are_under_way(work: Work, ada) -> None:
    make_hook(work, ada, max_in_flight=1)
    _, second = publish(work, ada, 2)
    claim(work, hire(work))

    assert reason_of(work, second) == "Its hook has as many requests under way as it may have now: 1."


def test_what_failed_waits_for_its_schedule_and_what_is_sent_or_delivered_for_nothing(work: Work, ada) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    worker = hire(work)
    [row] = rows_of(claim(work, worker))
    assert reason_of(work, number) == ""
    record(work, row, Outcome.SERVER_ERROR, status=500)
    assert reason_of(work, number) == "Its last attempt failed; its retry policy sets the time."

    deliveries.send_now(work, delivery=delivery(work, number))
    record(work, rows_of(claim(work, worker))[0])

    assert reason_of(work, number) == ""


def test_held_deliveries_say_why(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    hooks.disable(work, hook=hook)

    assert reason_of(work, number) == "The hook is disabled"


def test_a_policy_that_cannot_be_read_is_a_reason(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    [number] = publish(work, ada)
    work.session.execute(update(Hook).where(Hook.number == hook.number).values(retry={"kind": "lunar"}))
    work.session.commit()
    record(work, rows_of(claim(work, hire(work)))[0], Outcome.SERVER_ERROR, status=500)

    assert "retry policy cannot be read" in reason_of(work, number)
