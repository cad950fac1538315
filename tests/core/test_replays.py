"""How much of a replay is queued at a time, and how long it takes."""

from __future__ import annotations

import pytest

from console.core.replays import duration_s, room_of


@pytest.mark.parametrize(
    ("due", "hooks", "room"),
    [
        (0, 1, 500),
        (250, 1, 250),
        (251, 1, 0),  # more than half is left: nothing is added yet
        (600, 1, 0),
        (0, 20, 50),
        (20, 20, 30),
        (0, 1000, 32),
        (0, 0, 500),
    ],
)
def test_a_hook_gets_more_when_half_of_its_share_of_the_room_is_free(due, hooks, room) -> None:
    assert room_of(due, hooks=hooks) == room


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({"at_once": 1, "median_ms": 100.0}, 100),
        ({"at_once": 10, "median_ms": 100.0}, 10),
        ({"at_once": 10, "median_ms": 100.0, "per_second": 2.0}, 500),
        ({"at_once": 0, "median_ms": 1.0, "per_second": 10_000.0}, 1),
    ],
)
def test_a_replay_takes_as_long_as_its_requests_or_its_rate_limit(options, seconds) -> None:
    assert duration_s(1000, **options) == pytest.approx(seconds)
