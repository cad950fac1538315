"""The retry countdowns of the oms dialect, ``{"choice": …, "kwargs": …}``, and the retry policies that they are.

A countdown waits f(n) seconds before the next attempt, n = 0 after the first: the first retry of ``linear`` is made at
once. It has no longest delay of its own; the policy made of it waits at most 30 days, and the countdown is given back
as it was posted all the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn, TypeAlias

from console.core.errors import Invalid, Refused
from console.core.retry import LONGEST_DELAY_S, USUAL_ATTEMPTS, Backoff, Exponential, Fixed, Linear, Uniform
from console.core.retry_reading import parse_retry

Errors: TypeAlias = "list[str] | dict[str, Errors]"
"""What is wrong, in the shape of the dialect: messages of a value, or the errors of its fields by name."""
Kwargs: TypeAlias = "dict[str, int | None]"

JOINED = "non_field_errors"
REQUIRED = "This field is required."
NOT_NULL = "This field may not be null."

_LONGEST = int(LONGEST_DELAY_S)
_LONGEST_NUMBER = 1000  # characters; int() is slow and, beyond 4,300 digits, refuses
_INTEGER = re.compile(r"\s*([+-]?[0-9]+)(?:\.0*)?\s*")


class CountdownRefused(Refused):
    """A countdown is wrong; *errors* is the value of ``retry_countdown_config`` in the dialect's answer."""

    code = "countdown"

    def __init__(self, errors: Errors) -> None:
        super().__init__("This is no retry countdown.")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Countdown:
    """A valid countdown; *kwargs* are in the order in which they were posted."""

    choice: str
    kwargs: Mapping[str, int | None]

    def to_json(self) -> dict[str, Any]:
        """Return the object as it was posted: no defaults added, unknown keys gone, ``"60"`` made 60."""
        return {"choice": self.choice, "kwargs": dict(self.kwargs)}

    def to_retry(self) -> dict[str, Any]:
        """Return the hook's ``retry`` (see ``parse_retry``): the same delays, at most 30 days, in 11 attempts."""
        # Capping each number at 30 days changes no delay below 30 days: the other numbers are 0 or at least 1.
        numbers = {name: min(value, _LONGEST) for name, value in self.kwargs.items() if value is not None}
        return {**_CHOICES[self.choice].policy(numbers), "attempts": USUAL_ATTEMPTS}


def parse_countdown(value: object) -> Countdown:
    """Read ``retry_countdown_config``; raise CountdownRefused."""
    given = _object(value, below=())
    errors: dict[str, Errors] = {}
    choice = _choice(given, errors=errors)
    kwargs = given.get("kwargs")
    if "kwargs" not in given:
        errors["kwargs"] = [REQUIRED]
    elif kwargs is None:
        errors["kwargs"] = [NOT_NULL]
    if errors:
        raise CountdownRefused(errors)
    return Countdown(choice, MappingProxyType(_kwargs(kwargs, choice=_CHOICES[choice])))


def countdown_of(retry: Mapping[str, Any] | None, *, posted: object = None) -> Countdown | None:
    """Give the countdown that says what a hook's *retry* does; None when no countdown can.

    *posted* is what the dialect kept when it made the policy: it is the answer for as long as the policy is the same.
    """
    if retry is None:
        return None
    try:
        policy = parse_retry(dict(retry))
    except Invalid:
        return None
    for candidate in (posted, _as_countdown(policy.backoff)):
        try:
            countdown = parse_countdown(candidate)
        except CountdownRefused:
            continue
        if parse_retry(countdown.to_retry()) == policy:
            return countdown
    return None


def _as_countdown(backoff: Backoff) -> dict[str, Any] | None:
    """Say *backoff* as a countdown, as well as one can."""
    match backoff:
        case Fixed(seconds):
            return {"choice": "fixed", "kwargs": {"seconds": seconds}}
        case Linear(base, limit=limit):
            return {"choice": "linear", "kwargs": {"base": base, **_limit_below_longest(limit)}}
        case Exponential(base, factor, limit):
            kwargs = {"base": base, **({"factor": factor} if factor != 1 else {}), **_limit_below_longest(limit)}
            return {"choice": "exponential", "kwargs": kwargs}
        case Uniform(low, high):
            return {"choice": "random", "kwargs": {"min_value": low, "max_value": high}}
    return None


def _limit_below_longest(limit: float) -> dict[str, float]:
    return {} if limit == LONGEST_DELAY_S else {"limit": limit}


# --- what each choice takes -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Field:
    """A number among the kwargs, at least *low*."""

    low: int = 0
    is_required: bool = True
    is_nullable: bool = False


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a choice takes and the policy that it is, without its number of attempts."""

    fields: Mapping[str, _Field]
    policy: Callable[[Mapping[str, int]], dict[str, Any]]


_LIMIT = _Field(is_required=False, is_nullable=True)
_CHOICES: Mapping[str, _Choice] = MappingProxyType(
    {
        "fixed": _Choice({"seconds": _Field()}, lambda numbers: {"kind": "fixed", **numbers}),
        "linear": _Choice(
            {"base": _Field(), "limit": _LIMIT}, lambda numbers: {"kind": "linear", **numbers, "start": 0}
        ),
        "exponential": _Choice(
            {"base": _Field(), "factor": _Field(low=1, is_required=False), "limit": _LIMIT},
            lambda numbers: {"kind": "exponential", **numbers},
        ),
        "random": _Choice(
            {"min_value": _Field(), "max_value": _Field()},
            lambda numbers: {"kind": "random", "min": numbers["min_value"], "max": numbers["max_value"]},
        ),
    }
)


# --- reading --------------------------------------------------------------------------------------------------------


def _refuse(errors: Errors, *, below: tuple[str, ...]) -> NoReturn:
    """Raise what is wrong, *below* these keys."""
    for parent in reversed(below):
        errors = {parent: errors}
    raise CountdownRefused(errors)


def _object(value: object, *, below: tuple[str, ...]) -> dict[str, object]:
    if value is None:
        _refuse([NOT_NULL], below=below)
    if not isinstance(value, dict):
        _refuse({JOINED: [f"Invalid data. Expected a dictionary, but got {type(value).__name__}."]}, below=below)
    return value


def _choice(given: Mapping[str, object], *, errors: dict[str, Errors]) -> str:
    """Return the choice; note in *errors* what is wrong with it."""
    value = given.get("choice")
    text = str(value).strip()
    if "choice" not in given:
        errors["choice"] = [REQUIRED]
    elif value is None:
        errors["choice"] = [NOT_NULL]
    elif isinstance(value, bool) or not isinstance(value, str | int | float):
        errors["choice"] = ["Not a valid string."]
    elif not text:
        errors["choice"] = ["This field may not be blank."]
    elif text not in _CHOICES:
        errors["choice"] = [f'"{text}" is not a valid choice.']
    return text


def _kwargs(value: object, *, choice: _Choice) -> Kwargs:
    given = _object(value, below=("kwargs",))
    errors: dict[str, Errors] = {}
    for name, field in choice.fields.items():
        if message := _wrong(given, name=name, field=field):
            errors[name] = [message]
    if errors:
        _refuse(errors, below=("kwargs",))
    kwargs = {name: _integer(number) for name, number in given.items() if name in choice.fields}
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is not None and high is not None and high <= low:
        _refuse({JOINED: ["'max_value' must be greater than 'min_value'."]}, below=("kwargs",))
    return kwargs


def _wrong(given: Mapping[str, object], *, name: str, field: _Field) -> str | None:
    """Say what is wrong with one of the kwargs; None when nothing is."""
    if name not in given:
        return REQUIRED if field.is_required else None
    if given[name] is None:
        return None if field.is_nullable else NOT_NULL
    number = _integer(given[name])
    if number is None:
        return "A valid integer is required."
    return f"Ensure this value is greater than or equal to {field.low}." if number < field.low else None


def _integer(value: object) -> int | None:
    """Read a whole number, or a text that is one (``"60"``, ``60.0``); None for anything else, true and false too."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if not isinstance(value, float | str) or len(str(value)) > _LONGEST_NUMBER:
        return None
    found = _INTEGER.fullmatch(str(value))
    return int(found[1]) if found else None
