"""Why a delivery waits: the first thing that holds it back is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.core.waiting import Waiting, reason

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
SOON, LATER = NOW + timedelta(seconds=30), NOW + timedelta(minutes=5)
LIMIT = {"count": 10, "seconds": 60}


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "It is due and waits for a free sender."),
        ({"next_attempt_at": SOON}, "It is not due yet."),
        (
            {"next_attempt_at": SOON, "attempts": 1},
            "Its last attempt failed; its retry policy sets the time.",
        ),
        ({"next_attempt_at": SOON, "attempts": 1, "stored": "The fault was ours."}, "The fault was ours."),
        (
            {"next_attempt_at": SOON, "attempts": 1, "problem": "No such kind."},
            "Its hook's retry policy cannot be read, so the usual one sets the time: No such kind.",
        ),
        (
            {"open_until": LATER, "openings": 1, "failures": 6},
            (
                "Its hook is paused until 2026-11-22 09:05:00 UTC after 6 failures in a row; "
                "then one request tries it again."
            ),
        ),
        ({"open_until": LATER}, "The receiver asked to wait until 2026-11-22 09:05:00 UTC."),
        (
            {"destination": "example.com:443", "destination_until": SOON, "is_destination_open": True},
            (
                "Nothing answers at example.com:443: all hooks there wait until 2026-11-22 09:00:30 UTC; "
                "then one request tries it."
            ),
        ),
        (
            {"destination": "example.com:443", "probe_until": SOON, "is_destination_open": True},
            "One request tries example.com:443 again after its silence; the others wait for what comes of it.",
        ),
        (
            {"rate_limit": LIMIT, "next_send_at": SOON},
            "Its hook's rate limit of 10 requests in 60 s lets the next one go at 2026-11-22 09:00:30 UTC.",
        ),
        (
            {"openings": 1, "open_until": NOW, "in_flight": 1, "may_have": 8},
            "Its hook is tried again with one request at a time; this one is next after it.",
        ),
        ({"in_flight": 3, "may_have": 3}, "Its hook has as many requests under way as it may have now: 3."),
        (
            {"is_slow": True},
            "It is due and waits for a sender of the slow lane, where its hook is because it did not answer in time.",
        ),
    ],
)
def test_what_holds_a_delivery_back_is_named(facts, words) -> None:
    assert reason(Waiting(**{"next_attempt_at": NOW, **facts}), now=NOW) == words


@pytest.mark.parametrize("pause", [{"open_until": SOON, "openings": 1}, {"destination_until": SOON}])
def test_a_pause_that_ends_before_the_next_attempt_holds_nothing_back(pause) -> None:
    waiting = Waiting(next_attempt_at=LATER, attempts=1, **pause)

    assert reason(waiting, now=NOW) == "Its last attempt failed; its retry policy sets the time."


@pytest.mark.parametrize("who", ["is_asked", "is_exact"])
@pytest.mark.parametrize("pause", [{"open_until": LATER, "openings": 1}, {"destination_until": LATER}])
def test_what_was_asked_for_and_explicit_schedules_wait_for_no_circuit(who, pause) -> None:
    waiting = Waiting(next_attempt_at=NOW, **{who: True}, **pause)

    assert reason(waiting, now=NOW) == "It is due and waits for a free sender."
