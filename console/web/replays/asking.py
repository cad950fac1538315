"""What is to be replayed, as the form says it or a filter of the log that was taken over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from console.core.errors import Invalid
from console.extensions import current_work
from console.models import Which
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.replays import pace
from console.services.replays.planning import ReplayDraft
from console.web import periods
from console.web.deliveries.asking import hook_with_id, replay_with_id, states_named, status_named
from console.web.periods import Period

PRESETS: Mapping[str, timedelta] = MappingProxyType(
    {
        "1h": timedelta(hours=1),
        "8h": timedelta(hours=8),
        "24h": timedelta(hours=24),
        "3d": timedelta(days=3),
        "7d": timedelta(days=7),
    }
)
LABELS = {
    "1h": "Last hour",
    "8h": "Last 8 h",
    "24h": "Last 24 h",
    "3d": "Last 3 days",
    "7d": "Last 7 days",
}
FAILING, EXACT = "failing", "exact"
NARROWING = ("state", "status_class", "status", "attempt", "outcome", "replay", "q")
"""Filters of the log that are taken over; the form keeps them as they are."""


ASKING = ("which", "hook", "event_type", "since", "from", "until", *NARROWING)
"""All fields that say what is to be replayed."""


PROPOSED: Mapping[str, str] = MappingProxyType({"which": Which.FAILED.value, "since": "24h"})
"""What the form proposes as long as nobody has said anything: any time would be counted for long, and rarely meant."""


EVER = Period()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for at a moment.

    *failing_since* is known for a chosen hook, *problem* says what cannot be read, *is_proposed*: nobody asked for it.
    """

    draft: ReplayDraft
    at: datetime
    period: Period = EVER
    failing_since: datetime | None = None
    problem: str = ""
    is_proposed: bool = False


def asked_of(given: Mapping[str, str], *, now: datetime) -> Asked:
    """Read the form, or the filter of the log where a link took it over; the last hour is that before *now*."""
    values = {name: value.strip() for name, value in given.items()}
    is_proposed = not any(values.get(name) for name in ASKING)
    values = {**values, **PROPOSED} if is_proposed else values
    which = _which(values)
    try:
        hook = hook_with_id(values.get("hook", ""))
        failing = pace.failing_since(current_work(), hook) if hook else None
        period = _period(values, failing=failing, now=now)
        narrowed = _narrowed(values, which)
    except Invalid as error:
        return Asked(draft=ReplayDraft(which=which), at=now, problem=error.message)
    draft = ReplayDraft(
        which=which,
        hook=hook,
        event_types=tuple(dict.fromkeys(values.get("event_type", "").replace(",", " ").split())),
        since=period.since,
        until=period.until,
        narrowed=narrowed,
    )
    return Asked(draft=draft, at=now, period=period, failing_since=failing, is_proposed=is_proposed)


def _which(values: Mapping[str, str]) -> Which:
    text = values.get("which", "")
    return Which(text) if text in set(Which) else Which.FAILED


def _period(values: Mapping[str, str], *, failing: datetime | None, now: datetime) -> Period:
    """Read the period: a preset, or the exact times, which a filter of the log may also give without saying so."""
    since, until = values.get("since", ""), values.get("until", "")
    if since == FAILING:
        return Period(failing, preset=FAILING if failing else "")
    if since in PRESETS and not until:
        return Period(now - PRESETS[since], preset=since)
    known = {"since": values.get("from", "") if since == EXACT else values.get("from") or since, "until": until}
    period = periods.read(known, now=now, presets=PRESETS)
    is_open = period.since is None and period.until is None
    return replace(period, preset="" if is_open and since != EXACT else EXACT)


def _narrowed(values: Mapping[str, str], which: Which) -> DeliveryFilter:
    state, replay = values.get("state", ""), replay_with_id(values.get("replay", ""))
    return DeliveryFilter(
        states=() if (which, state) == (Which.FAILED, "failed") else states_named(state),
        status_class=values.get("status_class") or None,
        status=status_named(values.get("status", "")),
        any_attempt=values.get("attempt") == "any",
        outcome=values.get("outcome") or None,
        replay_number=replay.number if replay else None,
        q=values.get("q") or None,
    )
