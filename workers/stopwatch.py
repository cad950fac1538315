"""How long each phase of an attempt took."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Literal

Phase = Literal["dns", "connect", "tls", "send", "first_byte", "body"]


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds per phase, 0.0 for one that was not reached or not needed.

    *first_byte* is the wait between the last byte sent and the first received, *body* the rest until the end of what
    was read. *total* is at least their sum.
    """

    dns: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    send: float = 0.0
    first_byte: float = 0.0
    body: float = 0.0
    total: float = 0.0


class Stopwatch:
    """Adds up phases by laps; *started_at* is in ``time.monotonic`` seconds."""

    __slots__ = ("_lap_at", "_spent_s", "started_at")

    def __init__(self) -> None:
        self.started_at = self._lap_at = monotonic()
        self._spent_s: dict[Phase, float] = {}

    def lap(self, phase: Phase, *, until: float | None = None) -> None:
        """Give the time since the last lap to *phase*; with *until*, only up to that moment."""
        now = monotonic() if until is None else max(until, self._lap_at)
        self._spent_s[phase] = self._spent_s.get(phase, 0.0) + now - self._lap_at
        self._lap_at = now

    def stop(self) -> Timings:
        """Return all phases in milliseconds."""
        total = (monotonic() - self.started_at) * 1000
        return Timings(**{phase: seconds * 1000 for phase, seconds in self._spent_s.items()}, total=total)
