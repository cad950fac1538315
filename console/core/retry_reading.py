"""Reading retry policies: a hook's ``retry`` as JSON, and a schedule as a list of seconds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import NoReturn, TypeGuard

from console.core.errors import FieldError, Invalid, Refused
from console.core.retry import (
    DEFAULT,
    LONGEST_DELAY_S,
    MOST_JITTER,
    USUAL_ATTEMPTS,
    Backoff,
    Exponential,
    Fixed,
    Linear,
    Listed,
    RetryPolicy,
    Uniform,
)

LONGEST_EXPIRY_S = 365 * 86_400.0
MOST_ATTEMPTS = 50
MOST_DELAYS = 50


def parse_schedule(text: str) -> RetryPolicy:
    """Read ``10,60,300`` (seconds) as the exact policy that stands in for the default one; raise Refused."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > MOST_DELAYS or not all(re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,6})?", part) for part in parts):
        _refuse_schedule()
    delays = tuple(float(part) for part in parts)
    if max(delays) > LONGEST_DELAY_S:
        _refuse_schedule()
    return RetryPolicy(Listed(delays), attempts=len(delays) + 1)


def _refuse_schedule() -> NoReturn:
    raise Refused(
        f"A retry schedule is 1 to {MOST_DELAYS} delays in seconds, separated by commas, such as 10,60,300; "
        f"none is longer than {LONGEST_DELAY_S:.0f} (30 days).",
        code="retry_schedule",
    )


def parse_retry(value: object, *, default: RetryPolicy | None = None) -> RetryPolicy:
    """Read a hook's ``retry``; None is the default schedule, as is the kind ``schedule`` where it says nothing else.

    *default* is the installation's own default schedule (from ``parse_schedule``), None the built-in one.
    Raises Invalid with one error for each bad field (pointers ``/retry/…``), in the order of the input.
    """
    default = default or DEFAULT
    if value is None:
        return default
    if not isinstance(value, dict):
        raise Invalid.field("retry", 'A retry policy is an object such as {"kind": "fixed", "seconds": 60}.')
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise Invalid(FieldError("/retry/kind", "invalid", f"The kind of a retry policy is one of {', '.join(KINDS)}."))
    fields = _Fields(value)
    is_named_default = kind == "schedule"
    plan = (default.backoff, default.attempts, default.jitter) if is_named_default else _READERS[kind](fields)
    backoff, attempts, jitter = plan
    policy = RetryPolicy(
        backoff,
        attempts=int(fields.number("attempts", low=1, high=MOST_ATTEMPTS, whole=True, default=attempts)),
        jitter=fields.number("jitter", high=MOST_JITTER, default=jitter),
        expires_after_s=fields.number("expires_after", low=1, high=LONGEST_EXPIRY_S, default=0) or None,
        is_exact=default.is_exact or not is_named_default,
        stored=deepcopy(value),
    )
    fields.finish()
    return policy


def read_stored(value: object, *, default: RetryPolicy | None = None) -> tuple[RetryPolicy, str | None]:
    """Read a hook's stored ``retry``: the policy that holds, and what is wrong with the stored one, if anything.

    An older version may have stored what this one cannot read. Then the default holds: nobody who publishes or works
    through deliveries may be stopped by one hook.
    """
    try:
        return parse_retry(value, default=default), None
    except Invalid as error:
        return default or DEFAULT, error.fields[0].message


class _Fields:
    """Reads the parameters of one policy and collects what is wrong with them."""

    def __init__(self, value: Mapping[str, object]) -> None:
        self._value = value
        self._known = {"kind"}
        self._errors: list[tuple[str, FieldError]] = []

    def take(self, name: str) -> object:
        """Return the value of field *name*, which is thereby a known one; None when it is absent."""
        self._known.add(name)
        return self._value.get(name)

    def error(self, name: str, message: str, *, code: str = "invalid", below: str = "") -> None:
        """Note what is wrong with field *name*, or with the part *below* it."""
        pointer = name.replace("~", "~0").replace("/", "~1") + below
        self._errors.append((name, FieldError(f"/retry/{pointer}", code, message)))

    def number(
        self,
        name: str,
        *,
        low: float = 0,
        high: float = LONGEST_DELAY_S,
        whole: bool = False,
        default: float | None = None,
    ) -> float:
        """Return the number in field *name*, or *default* when it is absent or null (None: it is required)."""
        value = self.take(name)
        if value is None and default is not None:
            return default
        if value is None:
            self.error(name, f"{name} is required.", code="required")
            return low
        if not _is_number(value, low=low, high=high, whole=whole):
            noun = "a whole number" if whole else "a number"
            self.error(name, f"{name} is {noun} from {low:.10g} to {high:.10g}.")
            return low
        return float(value)

    def finish(self) -> None:
        """Raise Invalid when anything was wrong, unknown fields included."""
        for name in self._value:
            if name not in self._known:
                self.error(name, f"{name} is no parameter of this kind of retry policy.", code="unknown_field")
        if self._errors:
            places = {name: place for place, name in enumerate(self._value)}
            self._errors.sort(key=lambda named: places.get(named[0], len(places)))
            raise Invalid(*(error for _, error in self._errors))


def _is_number(value: object, *, low: float, high: float, whole: bool) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        return False
    return not whole or value == int(value)


_Plan = tuple[Backoff, int, float]
"""The delays of a kind, and the attempts and the jitter that hold when the policy names none."""


def _read_fixed(fields: _Fields) -> _Plan:
    return Fixed(fields.number("seconds")), USUAL_ATTEMPTS, 0.0


def _read_linear(fields: _Fields) -> _Plan:
    base = fields.number("base")
    start = fields.number("start", default=base)
    return Linear(base, start, fields.number("limit", default=LONGEST_DELAY_S)), USUAL_ATTEMPTS, 0.0


def _read_exponential(fields: _Fields) -> _Plan:
    base, factor = fields.number("base"), fields.number("factor", default=1)
    return Exponential(base, factor, fields.number("limit", default=LONGEST_DELAY_S)), USUAL_ATTEMPTS, 0.0


def _read_random(fields: _Fields) -> _Plan:
    low = int(fields.number("min", whole=True))
    high = int(fields.number("max", whole=True, low=low))
    return Uniform(low, high), USUAL_ATTEMPTS, 0.0


def _read_list(fields: _Fields) -> _Plan:
    given = fields.take("delays")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_DELAYS:
        fields.error("delays", f"delays is a list of 1 to {MOST_DELAYS} numbers of seconds.")
        return Listed((0.0,)), 1, 0.0
    delays = [0.0] * len(given)
    for place, delay in enumerate(given):
        if _is_number(delay, low=0, high=LONGEST_DELAY_S, whole=False):
            delays[place] = float(delay)
        else:
            fields.error("delays", f"A delay is a number from 0 to {LONGEST_DELAY_S:.0f}.", below=f"/{place}")
    return Listed(tuple(delays)), len(delays) + 1, 0.0


_READERS: Mapping[str, Callable[[_Fields], _Plan]] = {
    "fixed": _read_fixed,
    "linear": _read_linear,
    "exponential": _read_exponential,
    "random": _read_random,
    "list": _read_list,
}


KINDS = ("schedule", *_READERS)
