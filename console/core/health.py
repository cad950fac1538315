"""The health of hooks: what the console says of one, when it is disabled by itself, and how hard it may be used.

Everything is decided from plain figures; times are aware, durations say their unit.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from random import Random

from console.core.outcomes import EXPLANATIONS, NETWORK, SLOW, Outcome

FAILING_AFTER = 3
DEGRADED_BELOW = 0.95
RECENT_ENOUGH = 10
"""Fewer recent attempts than this say nothing about a rate."""

DISABLE_AFTER = timedelta(days=5)
DISABLE_ATTEMPTS = 10
DISABLE_SPREAD = timedelta(hours=12)
WARNING_PERCENTS = (50, 70, 90)

CIRCUIT_AFTER = 5
DESTINATION_HOOKS = 2
"""So many hooks must have failed at a destination before it is their common fault."""
CIRCUIT_FIRST_S = 30.0
CIRCUIT_LONGEST_S = 3600.0
CIRCUIT_JITTER = 0.2

FASTER_LANE_AFTER = 2
"""So many 2xx in a row bring a hook back from the slow lane."""

SLOW_AFTER_S = 2.0
"""A response that takes longer makes a hook slow, a good one too."""
ALL_TYPES = "*"
MOST_FAILING_TYPES = 8
"""A receiver that refuses more types than this is down for all of them."""

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

    *consecutive_failures* and *openings* (of its circuit, in a row) are cleared by a 2xx; *open_until* is when the
    circuit, or a Retry-After, lets the next request through, *destination_until* when the circuit of its host and port
    (*destination*) does. *failing_types* are those that its circuit holds back, empty for all. *last_outcome* is that
    of the latest attempt. *problem* is what is wrong with its retry policy. *recent_attempts* and *recent_successes*
    are counts over the last 24 hours.
    """

    is_active: bool = True
    disabled_reason: str | None = None
    consecutive_failures: int = 0
    openings: int = 0
    open_until: datetime | None = None
    failing_types: tuple[str, ...] = ()
    destination: str = ""
    destination_until: datetime | None = None
    last_outcome: str | None = None
    problem: str | None = None
    is_slow: bool = False
    recent_attempts: int = 0
    recent_successes: int = 0


@dataclass(frozen=True, slots=True)
class HookHealth:
    """The word for a hook's state and a sentence for people that says why.

    *until* is set while nothing is sent to it; *is_slow*: it is served in the slow lane; *cause* is how its last
    attempt failed, in two or three words, empty unless it did.
    """

    health: Health
    words: str
    until: datetime | None = None
    is_slow: bool = False
    cause: str = ""


def health(figures: Figures, *, now: datetime) -> HookHealth:
    """Say how a hook is doing at *now*; the worst that is true of it counts."""
    if not figures.is_active:
        return HookHealth(Health.DISABLED, figures.disabled_reason or "Disabled: new deliveries are held.")
    found = _waiting(figures, now=now) or _by_failures(figures) or _by_rate(figures)
    return replace(found, is_slow=figures.is_slow, cause=_cause(figures))


def _cause(figures: Figures) -> str:
    outcome = figures.last_outcome
    if outcome is None or outcome not in set(Outcome) or not _failed_last(figures):
        return ""
    return EXPLANATIONS[Outcome(outcome)].title


def _failed_last(figures: Figures) -> bool:
    return figures.last_outcome not in {None, Outcome.OK}


def _waiting(figures: Figures, *, now: datetime) -> HookHealth | None:
    """Say for what nothing is sent to a hook now, and until when; None: it is not so."""
    failures = figures.consecutive_failures
    until = figures.open_until if figures.open_until is not None and figures.open_until > now else None
    if until is not None and figures.openings:
        which = f" for {', '.join(figures.failing_types)}" if figures.failing_types else ""
        words = f"Paused{which} after {failures} failures in a row; one request will try it again."
        return HookHealth(Health.CIRCUIT_OPEN, words, until)
    if figures.destination_until is not None and figures.destination_until > now:
        words = f"Nothing answers at {figures.destination}: all hooks there wait until one request tries it again."
        return HookHealth(Health.CIRCUIT_OPEN, words, figures.destination_until)
    if until is None:
        return None
    if failing := _by_failures(figures):
        return replace(failing, until=until)
    return HookHealth(Health.DEGRADED, "The receiver asked to wait; deliveries go on afterwards.", until)


def _by_failures(figures: Figures) -> HookHealth | None:
    failures = figures.consecutive_failures
    if failures >= FAILING_AFTER:
        return HookHealth(Health.FAILING, f"The last {failures} attempts failed.")
    if failures:
        words = "The last attempt failed." if failures == 1 else f"The last {failures} attempts failed."
        return HookHealth(Health.DEGRADED, words)
    return None


def _by_rate(figures: Figures) -> HookHealth:
    if figures.problem is not None:
        words = f"Its own retry policy cannot be read, so the usual one holds: {figures.problem}"
        return HookHealth(Health.DEGRADED, words)
    if _failed_last(figures):  # and no failure is counted: they begin anew when a hook is enabled
        words = "Enabled again after its last attempt failed; the next delivery shows whether it works."
        return HookHealth(Health.DEGRADED, words)
    attempts, successes = figures.recent_attempts, figures.recent_successes
    if attempts >= RECENT_ENOUGH and successes < DEGRADED_BELOW * attempts:
        words = f"{attempts - successes:,} of {attempts:,} attempts in 24 hours failed; the last one succeeded."
        return HookHealth(Health.DEGRADED, words)
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


def opens_circuit(failures: int) -> bool:
    """Say whether so many network or 5xx failures in a row open the circuit of a hook."""
    return failures >= CIRCUIT_AFTER


def opens_destination(failures: int, *, hooks: int) -> bool:
    """Say whether so many network failures in a row, of so many hooks, open the circuit of their host and port.

    An answer of any kind is a sign of life, so 5xx do not count here; and one hook's failures are its own circuit's.
    """
    return failures >= CIRCUIT_AFTER and hooks >= DESTINATION_HOOKS


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


def is_slow_after(outcome: Outcome, *, duration_s: float, was_slow: bool, successes: int) -> bool:
    """Return whether a hook belongs in the slow lane after an attempt; *successes* in a row, this one included.

    The first timeout, connect failure or late response sends it there, two quick 2xx in a row bring it back.
    """
    return outcome in SLOW or duration_s > SLOW_AFTER_S or (was_slow and successes < FASTER_LANE_AFTER)


def failing_types_after(known: Collection[str], *, outcome: Outcome, event_type: str) -> list[str]:
    """Return the event types that a circuit holds back after a failure, given those that failed before it in a row.

    A receiver that answers may refuse one type and take all others; one that does not answer is down for all.
    """
    types = sorted({*known, ALL_TYPES if outcome in NETWORK else event_type})
    return [ALL_TYPES] if ALL_TYPES in types or len(types) > MOST_FAILING_TYPES else types


def holds_back(failing_types: Collection[str] | None, event_type: str) -> bool:
    """Return whether an open circuit with these *failing_types* holds back deliveries of *event_type*."""
    return failing_types is None or ALL_TYPES in failing_types or event_type in failing_types
