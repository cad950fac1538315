"""How much of a replay may be due at a hook at a time, and how long a replay takes. Pure."""

from __future__ import annotations

MOST_DUE = 1_000
"""So much of a replay may be due at all of its hooks together …"""
LEAST_AT_A_HOOK, MOST_AT_A_HOOK = 32, 500
"""… and so much at one of them."""


def room_of(due: int, *, hooks: int) -> int:
    """Say how many deliveries are to be queued for one of *hooks* hooks, at which *due* are due already; 0: none now.

    While more than half of what may be due is left, nothing is added: a few large portions cost less than many small.
    """
    window = min(max(MOST_DUE // max(hooks, 1), LEAST_AT_A_HOOK), MOST_AT_A_HOOK)
    return window - due if 2 * due <= window else 0


def duration_s(count: int, *, at_once: int, median_ms: float, per_second: float | None = None) -> float:
    """Estimate the seconds that *count* deliveries to one hook take.

    *at_once* requests are in flight, each of *median_ms*; *per_second* is the hook's rate limit.
    """
    seconds = count * median_ms / 1000 / max(at_once, 1)
    return max(seconds, count / per_second) if per_second else seconds
