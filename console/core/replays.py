"""How much of a replay may be due at a hook at a time, and how long a replay takes. Pure."""

from __future__ import annotations

SMALLEST_WINDOW = 32
LARGEST_WINDOW = 500


def next_window(window: int, *, left: int) -> int:
    """Say how many deliveries may be due at a hook at a time, when *left* of *window* are unsent still.

    It doubles while the hook takes all and halves when more than half is left, so what is due is about what the hook
    takes between two looks: an event published now waits behind no more than that.
    """
    if not left:
        return min(2 * window, LARGEST_WINDOW)
    return max(window // 2, SMALLEST_WINDOW) if 2 * left > window else window


def duration_s(count: int, *, at_once: int, median_ms: float, per_second: float | None = None) -> float:
    """Estimate the seconds that *count* deliveries to one hook take.

    *at_once* requests are in flight, each of *median_ms*; *per_second* is the hook's rate limit.
    """
    seconds = count * median_ms / 1000 / max(at_once, 1)
    return max(seconds, count / per_second) if per_second else seconds
