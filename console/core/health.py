"""The health of hooks: what the console says of one, when it is disabled by itself, and how hard it may be used.

Everything is decided from plain figures; times are aware, durations say their unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from console.core.outcomes import NETWORK, SLOW, Outcome

FAILING_AFTER = 3
DEGRADED_BELOW = 0.95
RECENT_ENOUGH = 10
"""Fewer recent attempts than this say nothing about a rate."""

DISABLE_AFTER = timedelta(days=5)
DISABLE_ATTEMPTS = 10
DISABLE_SPREAD = timedelta(hours=12)
WARNING_PERCENTS = (50, 70, 90)

CIRCUIT_AFTER = 5
CIRCUIT_FIRST_S = 30.0
CIRCUIT_LONGEST_S = 3600.0
CIRCUIT_JITTER = 0.2

FASTER_LANE_AFTER = 2
"""So many 2xx in a row bring a hook back from the slow lane."""

_SLOWING_STATUSES = frozenset({429, 503})


class Health(StrEnum):
    """One word for the state of a hook, from best to worst."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILING = "failing"
    CIRCUIT_OPEN = "circuit_open"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a hook.

    *consecutive_failures* and *failing_since* (its first failure since the last 2xx) are cleared by a 2xx;
    *open_until* is when the circuit, or a Retry-After, lets the next request through; *recent_attempts* and
    *recent_successes* are counts over the period that the console shows.
    """

    is_active: bool = True
    disabled_reason: str | None = None
    consecutive_failures: int = 0
    failing_since: datetime | None = None
    open_until: datetime | None = None
    recent_attempts: int = 0
    recent_successes: int = 0


@dataclass(frozen=True, slots=True)
class HookHealth:
    """The word for a hook's state and a sentence for people that says why."""

    health: Health
    words: str


def health(figures: Figures, *, now: datetime) -> HookHealth:
    """Say how a hook is doing at *now*; the worst that is true of it counts."""
    if not figures.is_active:
        return HookHealth(Health.DISABLED, figures.disabled_reason or "Disabled: new deliveries are held.")
    failures = figures.consecutive_failures
    is_waiting = figures.open_until is not None and figures.open_until > now
    if is_waiting and failures >= CIRCUIT_AFTER:
        return HookHealth(
            Health.CIRCUIT_OPEN, f"Paused after {failures} failures in a row; it will be tried again soon."
        )
    if failures >= FAILING_AFTER:
        return HookHealth(Health.FAILING, f"The last {failures} attempts failed.")
    if is_waiting:
        return HookHealth(Health.DEGRADED, "The receiver asked to wait; deliveries go on afterwards.")
    if failures:
        return HookHealth(
            Health.DEGRADED, "The last attempt failed." if failures == 1 else "The last 2 attempts failed."
        )
    return _by_rate(figures)


def _by_rate(figures: Figures) -> HookHealth:
    attempts, successes = figures.recent_attempts, figures.recent_successes
    if attempts >= RECENT_ENOUGH and successes < DEGRADED_BELOW * attempts:
        return HookHealth(Health.DEGRADED, f"{attempts - successes} of the last {attempts} attempts failed.")
    return HookHealth(Health.HEALTHY, "Deliveries arrive." if attempts else "Nothing was sent recently.")


def disable_reason(
    *, failing_since: datetime | None, failures: int, last_failure_at: datetime | None, now: datetime
) -> str | None:
    """Return the sentence to disable a failing hook with, or None when it is to go on.

    Disabled is a hook that has had no 2xx for 5 days, with at least 10 attempts in that time (*failures*, all since
    *failing_since*) of which two lie at least 12 hours apart: a burst of failures long ago is no reason.
    """
    if failing_since is None or last_failure_at is None or failures < DISABLE_ATTEMPTS:
        return None
    if now - failing_since < DISABLE_AFTER or last_failure_at - failing_since < DISABLE_SPREAD:
        return None
    since = f"{failing_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f"Disabled by itself: {failures} attempts since {since}, none succeeded."


def warning_due(*, failing_since: datetime | None, warned_percent: int, now: datetime) -> int | None:
    """Return the warning (50, 70 or 90 percent of the 5 days) that has come due, given the last one that was sent.

    After a pause only the highest is due, not each that was missed. None: nothing new to say.
    """
    if failing_since is None:
        return None
    percent = (now - failing_since) / DISABLE_AFTER * 100
    reached = max((step for step in WARNING_PERCENTS if step <= percent), default=0)
    return reached if reached > warned_percent else None


def opens_circuit(consecutive_failures: int) -> bool:
    """Say whether so many network or 5xx failures in a row open the circuit."""
    return consecutive_failures >= CIRCUIT_AFTER


def circuit_pause_s(openings: int, *, random: Random) -> float:
    """Return how long the circuit stays open after *openings* earlier ones in a row: 30 s · 2^k, jittered, ≤ 1 h."""
    longest = CIRCUIT_LONGEST_S / (1 + CIRCUIT_JITTER)
    pause = min(CIRCUIT_FIRST_S * 2.0 ** min(openings, 10), longest)
    return pause * random.uniform(1 - CIRCUIT_JITTER, 1 + CIRCUIT_JITTER)


def next_concurrency(current: int, *, outcome: Outcome, status: int | None, maximum: int) -> int:
    """Return how many requests a hook may have in flight after an attempt; it starts at 1.

    One more for each 2xx, half as many on a network failure, 429 or 503, never more than *maximum* nor less than 1.
    """
    if outcome is Outcome.OK:
        current += 1
    elif outcome in NETWORK or status in _SLOWING_STATUSES:
        current //= 2
    return max(1, min(current, maximum))


def is_slow_after(outcome: Outcome, *, was_slow: bool, successes: int) -> bool:
    """Say whether a hook belongs in the slow lane after an attempt; *successes* in a row, this one included.

    The first timeout or connect failure sends it there, two 2xx in a row bring it back.
    """
    return outcome in SLOW or (was_slow and successes < FASTER_LANE_AFTER)
