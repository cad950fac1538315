"""A new replay: what it covers, a preview of what it would do, and its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from flask import Response, request, url_for

from console.core.errors import Conflict, Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook, Which
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.event_types import catalogue
from console.services.hooks import hooks
from console.services.hooks.hooks import HookFilter
from console.services.replays import pace, planning, replays
from console.services.replays.planning import Plan, ReplayDraft
from console.services.replays.selection import SKIP_WORDS
from console.web import access, hx, lists, periods
from console.web.deliveries.asking import (
    CLASS_LABELS,
    OUTCOME_LABELS,
    STATES,
    hook_with_id,
    replay_with_id,
    states_named,
)
from console.web.delivery_rows import name_of
from console.web.filters import with_query
from console.web.lists import Chip
from console.web.periods import Period
from console.web.replays.shared import WHICH_WORDS, WRONG, pages, title_of

PRESETS: Mapping[str, timedelta] = MappingProxyType(
    {
        "1h": timedelta(hours=1),
        "8h": timedelta(hours=8),
        "24h": timedelta(hours=24),
        "3d": timedelta(days=3),
        "7d": timedelta(days=7),
    }
)
LABELS = {"": "Any time", "1h": "Last hour", "8h": "8 h", "24h": "24 h", "3d": "3 days", "7d": "7 days"}
FAILING, EXACT = "failing", "exact"
MOST_CHOICES = 200
MOST_SHARES = 20
NARROWING = ("state", "status_class", "outcome", "replay", "q")
"""Filters of the log that are taken over; the form keeps them as they are."""


EVER = Period()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for; *failing_since* is known for a chosen hook, *problem* says what cannot be read."""

    draft: ReplayDraft
    period: Period = EVER
    failing_since: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Retrying:
    """Deliveries that have not failed for good: how many there are, and where they are seen."""

    count: int
    url: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in force: its chip, and how many there would be without it."""

    chip: Chip
    count: int


@pages.get("/new")
@access.requires(Permission.DELIVERIES_RESEND)
def new() -> Response:
    """Show the form with the preview of what it asks for."""
    asked = asked_of(request.args)
    response = _page(asked)
    return lists.push_clean_url(response) if hx.wants_fragment() else response


@pages.post("")
@access.requires(Permission.DELIVERIES_RESEND)
def create() -> Response:
    """Start what was previewed: the form holds the very moments that the preview was made for."""
    asked = asked_of(request.form)
    if asked.problem:
        return _page(asked)
    number = access.place().organization.number
    try:
        row = replays.start(current_work(), organization_number=number, draft=asked.draft)
    except Invalid as error:
        return _page(replace(asked, problem=error.message))
    except Conflict as error:
        return hx.redirect_to(url_for("replays.index"), message=error.message, tone="bad")
    return hx.redirect_to(url_for("replays.show", replay_id=row.id), message="The replay has started.")


# --- what is asked for ----------------------------------------------------------------------------------------------


def asked_of(given: Mapping[str, str]) -> Asked:
    """Read the form, or the filter of the log where a link took it over."""
    values = {name: value.strip() for name, value in given.items()}
    which = _which(values)
    try:
        hook = hook_with_id(values.get("hook", ""))
        failing = pace.failing_since(current_work(), hook) if hook else None
        period = _period(values, failing=failing)
        narrowed = _narrowed(values, which)
    except Invalid as error:
        return Asked(draft=ReplayDraft(which=which), problem=error.message)
    draft = ReplayDraft(
        which=which,
        hook=hook,
        event_types=tuple(dict.fromkeys(values.get("event_type", "").replace(",", " ").split())),
        since=period.since,
        until=period.until,
        narrowed=narrowed,
    )
    return Asked(draft=draft, period=period, failing_since=failing)


def _which(values: Mapping[str, str]) -> Which:
    text = values.get("which", "")
    return Which(text) if text in set(Which) else Which.FAILED


def _period(values: Mapping[str, str], *, failing: datetime | None) -> Period:
    """Read the period: a preset, or the exact times, which a filter of the log may also give without saying so."""
    since, until = values.get("since", ""), values.get("until", "")
    if since == FAILING:
        return Period(failing, preset=FAILING if failing else "")
    if since in PRESETS and not until:
        return Period(current_work().now() - PRESETS[since], preset=since)
    known = {"since": values.get("from", "") if since == EXACT else values.get("from") or since, "until": until}
    period = periods.read(known, now=current_work().now(), zone=periods.zone(), presets=PRESETS)
    is_open = period.since is None and period.until is None
    return replace(period, preset="" if is_open and since != EXACT else EXACT)


def _narrowed(values: Mapping[str, str], which: Which) -> DeliveryFilter:
    state, replay = values.get("state", ""), replay_with_id(values.get("replay", ""))
    return DeliveryFilter(
        states=() if (which, state) == (Which.FAILED, "failed") else states_named(state),
        status_class=values.get("status_class") or None,
        outcome=values.get("outcome") or None,
        replay_number=replay.number if replay else None,
        q=values.get("q") or None,
    )


# --- the page -------------------------------------------------------------------------------------------------------


def _page(asked: Asked) -> Response:
    work, number = current_work(), access.place().organization.number
    plan: Plan | None = None
    if not asked.problem:
        try:
            plan = planning.plan(work, organization_number=number, draft=asked.draft)
        except Invalid as error:
            asked = replace(asked, problem=error.message)
    draft = asked.draft
    return hx.page(
        "replays/new.html",
        block="replay",
        status=WRONG if asked.problem else 200,
        asked=asked,
        draft=draft,
        plan=plan,
        title=title_of(draft.which, draft.hook),
        which_words=WHICH_WORDS,
        labels=_labels(asked),
        hooks=_hooks(draft.hook),
        types=[name for name in catalogue.names(work, organization_number=number) if not name.endswith(".*")],
        chips=_chips(asked),
        kept={name: request.values[name] for name in NARROWING if request.values.get(name)},
        conditions=_conditions(asked) if plan is not None and not plan.shares else [],
        retrying=_retrying(asked) if plan is not None else None,
        skips=[(SKIP_WORDS[skip], count) for skip, count in plan.skips.items()] if plan else [],
        most_shares=MOST_SHARES,
        local=_local,
        exact=EXACT,
        name_of=name_of,
    )


def _retrying(asked: Asked) -> Retrying | None:
    """Count what a replay of failures does not cover because it has not failed yet: it waits for its next attempt."""
    draft = asked.draft
    if draft.which is not Which.FAILED or draft.narrowed != DeliveryFilter() or len(draft.event_types) > 1:
        return None
    number = access.place().organization.number
    wanted = DeliveryFilter(
        hook_number=draft.hook.number if draft.hook else None,
        event_type=next(iter(draft.event_types), None),
        states=STATES["waiting"][1],
        since=draft.since,
        until=draft.until,
    )
    count = deliveries.count(current_work(), organization_number=number, wanted=wanted)
    url = with_query(
        url_for("deliveries.index"),
        {"state": ["waiting"]},
        hook=draft.hook.id if draft.hook else None,
        event_type=wanted.event_type,
        from_=draft.since.isoformat() if draft.since else None,
        until=draft.until.isoformat() if draft.until else None,
    )
    return Retrying(count, url) if count else None


def _local(moment: datetime | None) -> str:
    """Write a bound as a field for date and time takes it, in the reader's zone."""
    return f"{moment.astimezone(periods.zone()):%Y-%m-%dT%H:%M}" if moment else ""


def _labels(asked: Asked) -> dict[str, str]:
    """Give the choices of the period; the week is only one when the log's filter brought it along."""
    found = {name: words for name, words in LABELS.items() if name != "7d" or asked.period.preset == "7d"}
    failing = {FAILING: "Since it began to fail"} if asked.failing_since else {}
    return {**found, **failing, EXACT: "Exact times"}


def _hooks(chosen: Hook | None) -> list[Hook]:
    number = access.place().organization.number
    found = hooks.find(current_work(), organization_number=number, wanted=HookFilter(), limit=MOST_CHOICES)
    missing = chosen is not None and all(hook.number != chosen.number for hook in found)
    return sorted([*found, chosen] if missing and chosen else found, key=lambda hook: name_of(hook).lower())


def _chips(asked: Asked) -> list[Chip]:
    """Name the filters of the log that are in force: the form shows the others."""
    narrowed, given = asked.draft.narrowed, request.values
    state = given.get("state", "").strip() if narrowed.states else ""
    return lists.chips(
        {
            "state": ("State", STATES[state][0] if state in STATES else state.capitalize()),
            "status_class": ("Status", CLASS_LABELS.get(narrowed.status_class or "", narrowed.status_class or "")),
            "outcome": ("Outcome", OUTCOME_LABELS.get(narrowed.outcome or "", narrowed.outcome or "")),
            "replay": ("Replay", given.get("replay", "")[:8] if narrowed.replay_number else ""),
            "q": ("Search", narrowed.q or ""),
        }
    )


def _conditions(asked: Asked) -> list[Condition]:
    """Say of each condition how many there would be without it, when nothing matches."""
    draft = asked.draft
    chips = lists.chips(
        {
            "hook": ("Hook", name_of(draft.hook) if draft.hook else ""),
            "event_type": ("Event types", ", ".join(draft.event_types)),
            "since from until": ("Period", _period_words(asked)),
        }
    )
    if draft.which is not Which.ALL:
        chips.insert(0, Chip("Which", WHICH_WORDS[draft.which][0], lists.here(which=Which.ALL.value)))
    without = {
        "Which": replace(draft, which=Which.ALL),
        "Hook": replace(draft, hook=None),
        "Event types": replace(draft, event_types=()),
        "Period": replace(draft, since=None, until=None),
    }
    number = access.place().organization.number
    found = [
        Condition(chip, planning.count(current_work(), organization_number=number, draft=without[chip.label]))
        for chip in chips
    ]
    if asked.draft.narrowed != DeliveryFilter():
        chip = Chip("Filters of the log", ", ".join(one.value for one in _chips(asked)), _without_narrowing())
        draft = replace(draft, narrowed=DeliveryFilter())
        found.append(Condition(chip, planning.count(current_work(), organization_number=number, draft=draft)))
    return found


def _period_words(asked: Asked) -> str:
    if asked.period.preset in PRESETS:
        return LABELS[asked.period.preset]
    bounds = (("since", asked.draft.since), ("until", asked.draft.until))
    return " ".join(f"{word} {periods.words(at, zone=periods.zone())}" for word, at in bounds if at)


def _without_narrowing() -> str:
    return lists.here(**dict.fromkeys(NARROWING))
