"""Retry policies in the hook form: a kind to choose, its numbers as text, and the waits that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.core.errors import FieldError, Invalid
from console.core.retry import RetryPolicy
from console.core.retry_reading import parse_retry
from console.web.filters import duration

KINDS = {
    "": "Default",
    "fixed": "The same wait every time",
    "linear": "A little longer every time",
    "exponential": "A multiple every time",
    "random": "Any wait between two",
    "list": "A list of waits",
}
"""The kinds by the name that a policy is stored with; none is the default of the organization."""

PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "fixed": ("seconds",),
    "linear": ("start", "base", "limit"),
    "exponential": ("factor", "base", "limit"),
    "random": ("min", "max"),
    "list": ("delays",),
}
EVERYWHERE = ("attempts", "jitter", "expires_after")
"""What every kind but the default may say too."""

LONGEST_LIST = 12


@dataclass(frozen=True, slots=True)
class Times:
    """The waits of a policy in words, in order; *problem* or *missing* (a field) is set instead when it is none."""

    waits: tuple[str, ...] = ()
    more: int = 0
    attempts: int = 0
    gives_up: str = ""
    problem: str = ""
    missing: str = ""


def fields_of(kind: str) -> tuple[str, ...]:
    """Name the parameters to show for *kind*."""
    return (*PARAMETERS.get(kind, ()), *EVERYWHERE) if kind else ()


def retry_of(kind: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Make the object of a policy from what was typed, None for the default; raise Invalid for no number."""
    if not kind:
        return None
    wrong: list[FieldError] = []
    policy: dict[str, Any] = {"kind": kind}
    for name in fields_of(kind):
        text = str(given.get(name) or "").strip()
        if not text:
            continue
        try:
            policy[name] = (
                [_number(part) for part in text.replace(",", " ").split()] if name == "delays" else _number(text)
            )
        except ValueError:
            wrong.append(FieldError(f"/retry/{name}", "type", "Give a number."))
    if wrong:
        raise Invalid(*wrong)
    return policy


def said_at_field(complaint: FieldError) -> str:
    """Say what is wrong where a label names the field: "seconds is required." is "Give a number." there."""
    name = complaint.pointer.split("/")[2]
    rest = complaint.message.removeprefix(f"{name} is ")
    if complaint.code == "required":
        return "Give a number."
    return complaint.message if rest == complaint.message else f"Give {rest}"


def _number(text: str) -> int | float:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 NaN is what differs from itself
        raise ValueError(text)
    return int(number) if number == int(number) else number


def parameters_of(retry: Mapping[str, Any] | None) -> dict[str, str]:
    """Write a stored policy as the fields of the form."""
    if not retry or retry.get("kind") not in PARAMETERS:  # the usual schedule, or a kind that is none any more
        return {"retry_kind": ""}
    fields = {"retry_kind": str(retry["kind"])}
    for name, value in retry.items():
        if name != "kind" and value is not None:
            fields[f"retry_{name}"] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return fields


def times_of(retry: Mapping[str, Any] | None, *, default: RetryPolicy | None) -> Times:
    """Say which waits follow; what is wrong is said instead of raised."""
    try:
        return planned(retry, default=default)
    except Invalid as error:
        return Times(problem=error.fields[0].message)


def planned(retry: Mapping[str, Any] | None, *, default: RetryPolicy | None) -> Times:
    """Say which waits follow; raise Invalid."""
    policy = parse_retry(dict(retry) if retry else None, default=default)
    waits = policy.planned()
    total = sum(waits) if policy.expires_after_s is None else min(sum(waits), policy.expires_after_s)
    return Times(
        waits=tuple(duration(wait) for wait in waits[:LONGEST_LIST]),
        more=max(len(waits) - LONGEST_LIST, 0),
        attempts=policy.attempts,
        gives_up=duration(total),
    )
