"""Retry policies: how many attempts a delivery gets and how long it waits between them.

A policy is stored as a JSON object ``{"kind": …, parameters…}`` (null: the default schedule) and is given back exactly
as it was stored. Delays are seconds, counted from the end of the failed attempt. What an attempt's outcome makes of a
policy is decided in ``verdicts``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from random import Random

LONGEST_DELAY_S = 30 * 86_400.0
MOST_JITTER = 0.5
USUAL_ATTEMPTS = 11


class Backoff(ABC):
    """The delay before retry *n* = 1, 2, …, in seconds, before jitter and before the cap on every delay."""

    __slots__ = ()

    @abstractmethod
    def nominal(self, n: int) -> float:
        """Return the delay as planned: the same every time."""

    def longest(self, n: int) -> float:
        """Return the longest delay that may be drawn."""
        return self.nominal(n)

    def draw(self, n: int, *, random: Random) -> float:  # noqa: ARG002  only one kind draws
        """Return the delay to wait now."""
        return self.nominal(n)


@dataclass(frozen=True, slots=True)
class Fixed(Backoff):
    """Always *seconds*."""

    seconds: float

    def nominal(self, n: int) -> float:  # noqa: ARG002  the same for every n
        """Return *seconds*."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Linear(Backoff):
    """*start*, then *base* more every time, at most *limit*."""

    base: float
    start: float
    limit: float = LONGEST_DELAY_S

    def nominal(self, n: int) -> float:
        """Return start + base·(n - 1)."""
        return min(self.start + self.base * (n - 1), self.limit)


@dataclass(frozen=True, slots=True)
class Exponential(Backoff):
    """*factor*, then *base* times as long every time, at most *limit*."""

    base: float
    factor: float = 1
    limit: float = LONGEST_DELAY_S

    def nominal(self, n: int) -> float:
        """Return factor·base^(n - 1).

        Multiplied step by step: it stops as soon as the longest delay is passed, so nothing overflows, and whole
        numbers stay exact.
        """
        delay = self.factor
        for _ in range(n - 1):
            delay *= self.base
            if delay > LONGEST_DELAY_S:
                break
        return min(delay, self.limit)


@dataclass(frozen=True, slots=True)
class Uniform(Backoff):
    """A whole number of seconds between *low* and *high*, ends included."""

    low: int
    high: int

    def nominal(self, n: int) -> float:  # noqa: ARG002  the same for every n
        """Return the middle of the range."""
        return (self.low + self.high) / 2

    def longest(self, n: int) -> float:  # noqa: ARG002  the same for every n
        """Return the end of the range."""
        return float(self.high)

    def draw(self, n: int, *, random: Random) -> float:  # noqa: ARG002  the same for every n
        """Return any number of the range, all equally likely."""
        return float(random.randint(self.low, self.high))


@dataclass(frozen=True, slots=True)
class Listed(Backoff):
    """One delay after the other; the last one again when there are more retries than delays."""

    delays: tuple[float, ...]

    def nominal(self, n: int) -> float:
        """Return the n-th delay."""
        return self.delays[min(n, len(self.delays)) - 1]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """What a delivery may expect.

    *attempts* counts all of them, the first included; *jitter* j multiplies each delay by uniform(1 - j, 1 + j). An
    exact policy is taken at its word: it knows no minimum delay and an open circuit does not put it off.
    """

    backoff: Backoff
    attempts: int
    jitter: float = 0.0
    expires_after_s: float | None = None
    is_exact: bool = True
    stored: Mapping[str, object] | None = field(default=None, compare=False)

    @property
    def is_default(self) -> bool:
        """Whether the hook has no policy of its own."""
        return self.stored is None

    def delay_after(self, *, failures: int, random: Random) -> float | None:
        """Return the seconds to wait after the *failures*-th (1, 2, …) charged failure; None when that was the last."""
        if failures >= self.attempts:
            return None
        delay = self.backoff.draw(failures, random=random)
        if self.jitter:
            delay *= random.uniform(1 - self.jitter, 1 + self.jitter)
        return min(delay, LONGEST_DELAY_S)

    def planned(self) -> list[float]:
        """Return every delay in order, without jitter: one fewer than attempts."""
        return [min(self.backoff.nominal(n), LONGEST_DELAY_S) for n in range(1, self.attempts)]

    def longest_s(self) -> float:
        """Return the longest delay, in seconds, that ``delay_after`` can give: 0 when there is no second attempt."""
        longest = max((self.backoff.longest(n) for n in range(1, self.attempts)), default=0.0)
        return min(longest * (1 + self.jitter), LONGEST_DELAY_S)

    def to_json(self) -> dict[str, object] | None:
        """Return the object as it was given to ``parse_retry``; None for the default."""
        return None if self.stored is None else deepcopy(dict(self.stored))


DEFAULT = RetryPolicy(
    Listed((10.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)),
    attempts=USUAL_ATTEMPTS,
    jitter=0.2,
    is_exact=False,
)
"""11 attempts over 75 h 36 min."""


def with_delays(usual: RetryPolicy, delays: RetryPolicy) -> RetryPolicy:
    """Give *usual* with the waits of *delays*: as varied, and put off by what puts *usual* off."""
    return replace(usual, backoff=delays.backoff, attempts=delays.attempts)
