"""What a query string asks of the log: the same words for the list, its tail, and the delivery opened from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from flask import request

from console.core.errors import Invalid, NotFound
from console.core.outcomes import EXPLANATIONS, NO_STATUS, Outcome
from console.extensions import current_work
from console.models import DeliveryState, Hook, Replay
from console.services.deliveries.delivery_filters import FAILED, STATUS_CLASSES, DeliveryFilter
from console.services.hooks import hooks
from console.services.replays import replays
from console.web import access, lists, periods, times
from console.web.delivery_rows import name_of
from console.web.filters import shorten
from console.web.lists import Chip
from console.web.periods import Period

STATES: dict[str, tuple[str, tuple[DeliveryState, ...]]] = {
    "delivered": ("Delivered", (DeliveryState.DELIVERED,)),
    "waiting": ("Waiting", (DeliveryState.PENDING, DeliveryState.SENDING)),
    "failed": ("Failed", (DeliveryState.FAILED,)),
    "held": ("Held", (DeliveryState.HELD,)),
    "canceled": ("Canceled", (DeliveryState.CANCELED,)),
}
CLASS_LABELS = {**{name: name for name in STATUS_CLASSES}, NO_STATUS: "No response", FAILED: "Any failure"}
ATTEMPT_LABELS = {"": "Last attempt", "any": "Any attempt"}
OUTCOME_LABELS = {outcome.value: EXPLANATIONS[outcome].title for outcome in Outcome}
NAMES = (
    "state",
    "hook",
    "replay",
    "event_type",
    "status_class",
    "status",
    "attempt",
    "outcome",
    "since",
    "from",
    "until",
    "q",
)
"""The parameters of a filter."""

EVER = Period()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query string asks for; *problem* says what cannot be read in it."""

    wanted: DeliveryFilter
    hook: Hook | None = None
    state: str = ""
    period: Period = EVER
    problem: str = ""


def asked_of(*, hook: Hook | None) -> Asked:
    """Read what this request asks for; *hook* when its address names one."""
    values = {name: value.strip() for name, value in request.args.items()}
    state = values.get("state", "")
    try:
        hook = hook or hook_with_id(values.get("hook", ""))
        replay = replay_with_id(values.get("replay", ""))
        period = periods.read(values, now=current_work().now())
        states = states_named(state)
        status = status_named(values.get("status", ""))
    except Invalid as error:
        return Asked(DeliveryFilter(), hook, state, problem=error.message)
    wanted = DeliveryFilter(
        hook_number=hook.number if hook else None,
        replay_number=replay.number if replay else None,
        event_type=values.get("event_type") or None,
        states=states,
        status_class=values.get("status_class") or None,
        status=status,
        any_attempt=values.get("attempt") == "any",
        outcome=values.get("outcome") or None,
        since=period.since,
        until=period.until,
        q=values.get("q") or None,
    )
    return Asked(wanted, hook, state, period)


def filter_values(*, hook: Hook | None = None) -> dict[str, str]:
    """Give the parameters of the filter in force, for addresses that take it along; *hook* when the path names it."""
    given = {name: request.args.get(name, "").strip() for name in NAMES}
    given |= {name: times.with_offset(given[name]) for name in times.NAMES}
    if hook is not None:
        given["hook"] = str(hook.id)
    return {name: value for name, value in given.items() if value}


def query_of(values: Mapping[str, str]) -> str:
    """Write the parameters of a filter as the end of an address, with its question mark; empty for none."""
    return f"?{urlencode(values)}" if values else ""


def chips_of(asked: Asked, *, fixed: Hook | None) -> list[Chip]:
    """Name the filters in force, but for the hook that is *fixed* by the address."""
    outcome = asked.wanted.outcome or ""
    return lists.chips(
        {
            "state": ("State", STATES[asked.state][0] if asked.state in STATES else asked.state.capitalize()),
            "hook": ("Hook", name_of(asked.hook) if asked.hook and fixed is None else ""),
            "replay": ("Replay", shorten(request.args.get("replay", ""), 13) if asked.wanted.replay_number else ""),
            "event_type": ("Event type", asked.wanted.event_type or ""),
            **answer_chips(asked.wanted),
            "outcome": ("Outcome", OUTCOME_LABELS.get(outcome, outcome)),
            **periods.chip(asked.period),
            "q": ("Search", asked.wanted.q or ""),
        }
    )


def answer_chips(wanted: DeliveryFilter) -> dict[str, tuple[str, str]]:
    """Name the filters on what receivers answered."""
    status_class = wanted.status_class or ""
    return {
        "status_class": ("Status", CLASS_LABELS.get(status_class, status_class)),
        "status": ("Status code", str(wanted.status or "")),
        "attempt": ("Of", ATTEMPT_LABELS["any"].lower() if wanted.any_attempt else ""),
    }


def status_named(text: str) -> int | None:
    """Read a status code; None for nothing. Raise Invalid."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) == 3 and text[0] != "0"):  # noqa: PLR2004 digits
        raise Invalid.field("status", "A status code has three digits, such as 429.", code="status")
    return int(text)


def hook_named(hook_id: UUID) -> Hook:
    """Give a hook of this organization, also a deleted one; raise NotFound."""
    number = access.place().organization.number
    return hooks.get(current_work(), organization_number=number, hook_id=hook_id, with_deleted=True)


def hook_with_id(text: str) -> Hook | None:
    """Read the id of a hook, also of a deleted one; None for nothing. Raise Invalid."""
    if not text:
        return None
    try:
        return hook_named(UUID(text))
    except (ValueError, NotFound) as error:
        raise Invalid.field("hook", "There is no such hook; choose one from the list.", code="unknown_hook") from error


def replay_with_id(text: str) -> Replay | None:
    """Read the id of a replay; None for nothing. Raise Invalid."""
    if not text:
        return None
    try:
        number = access.place().organization.number
        return replays.get(current_work(), organization_number=number, replay_id=UUID(text))
    except (ValueError, NotFound) as error:
        raise Invalid.field("replay", "There is no such replay.", code="unknown_replay") from error


def states_named(state: str) -> tuple[DeliveryState, ...]:
    """Read a preset of states or the name of one; empty for nothing. Raise Invalid."""
    if not state:
        return ()
    if state in STATES:
        return STATES[state][1]
    try:
        return (DeliveryState(state),)
    except ValueError as error:
        words = f"Choose one of {', '.join(STATES)}."
        raise Invalid.field("state", f"There is no state like that. {words}", code="choice") from error
