"""A new replay: what it covers, a preview of what it would do, and its start."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from flask import Response, request, url_for

from console.core.errors import Conflict, Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Which
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.event_types import catalogue
from console.services.replays import planning, replays
from console.services.replays.planning import Plan, ReplayDraft
from console.services.replays.selection import SKIP_WORDS
from console.web import access, creating, hook_choices, hx, lists, periods, times, typed
from console.web.deliveries.asking import (
    OUTCOME_LABELS,
    STATES,
    answer_chips,
)
from console.web.delivery_rows import name_of
from console.web.filters import COUNT_LIMIT, with_query
from console.web.hx import Later
from console.web.lists import Chip
from console.web.replays import counted
from console.web.replays.asking import ASKING, EXACT, FAILING, LABELS, NARROWING, PRESETS, Asked, asked_of
from console.web.replays.shared import WHICH_WORDS, WRONG, pages, title_of

MOST_SHARES = 20
MOST_RETRYING = MOST_BEFORE = 1000
CHANGED = "Nothing was sent: this is not what was counted before. Look at it, then start it."


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
    """Show the form with the preview of what it asks for; htmx gets the preview alone, the form stays as it is used."""
    response = _page(asked_of(typed.given() or request.args, now=current_work().now()))
    if hx.is_for("preview"):
        response.headers["HX-Replace-Url"] = lists.here()
    elif hx.wants_fragment():
        lists.push_clean_url(response)
    return response


@pages.post("")
@access.requires(Permission.DELIVERIES_RESEND)
@creating.one_result
def create() -> Response:
    """Start what the form says, if that is what was counted; else show what it would be."""
    work = current_work()
    seen = counted.read(request.form.get("counted", ""), now=work.now())
    asked = asked_of(request.form, now=seen.at if seen else work.now())
    if asked.problem or seen is None or counted.mark_of(asked.draft) != seen.mark:
        is_start = "preview" not in request.form
        return creating.nothing_created(hx.redirect_to(_address(), message=CHANGED if is_start else None, tone="warn"))
    number = access.place().organization.number
    try:
        row = replays.start(work, organization_number=number, draft=replace(asked.draft, up_to=seen.up_to))
    except Invalid:  # the page says what is wrong
        return creating.nothing_created(hx.redirect_to(_address()))
    except Conflict as error:
        return creating.nothing_created(hx.redirect_to(url_for("replays.index"), message=error.message, tone="bad"))
    return hx.redirect_to(url_for("replays.show", replay_id=row.id), message="The replay has started.")


def _address() -> str:
    """Give the address of the page for what the form says."""
    given = {name: [value] for name in ASKING if (value := request.form.get(name, "").strip())}
    return with_query(url_for("replays.new"), times.with_offsets(given))


# --- the page -------------------------------------------------------------------------------------------------------


def _page(asked: Asked) -> Response:
    work, number = current_work(), access.place().organization.number
    plan: Plan | None = None
    look = planning.glance if asked.is_proposed else planning.plan
    if not asked.problem:
        try:
            plan = look(work, organization_number=number, draft=asked.draft)
        except Invalid as error:
            asked = replace(asked, problem=error.message)
    draft = asked.draft
    return hx.page(
        "replays/new.html",
        block="preview" if hx.is_for("preview") else "replay",
        status=WRONG if asked.problem else 200,
        asked=asked,
        draft=draft,
        plan=plan,
        summary=_summary(asked),
        counted=counted.of(draft, plan, at=asked.at) if plan else "",
        has_new_hook=hx.is_for("preview") and request.headers.get("HX-Trigger-Name") == "hook",
        is_while_typing=hx.is_for("preview"),
        which_words=WHICH_WORDS,
        labels=_labels(asked),
        hooks=Later(partial(hook_choices.choices, draft.hook)),
        types=Later(
            lambda: [one for one in catalogue.names(work, organization_number=number) if not one.endswith(".*")]
        ),
        chips=_chips(asked),
        kept={name: request.values[name] for name in NARROWING if request.values.get(name)},
        conditions=_conditions(asked) if plan is not None and not plan.shares else [],
        has_filters=any(share.hook.filter for share in plan.shares) if plan else False,
        retrying=_retrying(asked) if plan is not None else None,
        skips=[(SKIP_WORDS[skip], count) for skip, count in plan.skips.items()] if plan else [],
        most_shares=MOST_SHARES,
        most_retrying=MOST_RETRYING,
        most_without=MOST_BEFORE if asked.is_proposed else COUNT_LIMIT,
        glance=planning.GLANCE,
        most_counted=planning.COUNT_CAP,
        local=times.local,
        exact=EXACT,
        name_of=name_of,
    )


def _summary(asked: Asked) -> str:
    """Name all that narrows the replay, in a sentence."""
    draft = asked.draft
    parts = [title_of(draft.which, draft.hook)]
    if draft.event_types:
        parts.append(f"of {', '.join(draft.event_types)}")
    if period := _period_words(asked):
        parts.append(f"made {period}")
    parts += [f"{chip.label.lower()} {chip.value}" for chip in _chips(asked)]
    return ", ".join(parts)


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
    count = deliveries.count(current_work(), organization_number=number, wanted=wanted, cap=MOST_RETRYING + 1)
    url = with_query(
        url_for("deliveries.index"),
        {"state": ["waiting"]},
        hook=draft.hook.id if draft.hook else None,
        event_type=wanted.event_type,
        from_=draft.since.isoformat() if draft.since else None,
        until=draft.until.isoformat() if draft.until else None,
    )
    return Retrying(count, url) if count else None


def _labels(asked: Asked) -> dict[str, str]:
    """Give the choices of the period; the week is only one when the log's filter brought it along."""
    found = {name: words for name, words in LABELS.items() if name != "7d" or asked.period.preset == "7d"}
    failing = {FAILING: "Since it began to fail"} if asked.failing_since else {}
    return {**found, **failing, "": "Any time", EXACT: "Exact times"}


def _chips(asked: Asked) -> list[Chip]:
    """Name the filters of the log that are in force: the form shows the others."""
    narrowed, given = asked.draft.narrowed, request.values
    state = given.get("state", "").strip() if narrowed.states else ""
    return lists.chips(
        {
            "state": ("State", STATES[state][0] if state in STATES else state.capitalize()),
            **answer_chips(narrowed),
            "outcome": ("Outcome", OUTCOME_LABELS.get(narrowed.outcome or "", narrowed.outcome or "")),
            "replay": ("Replay", given.get("replay", "")[:8] if narrowed.replay_number else ""),
            "q": ("Search", narrowed.q or ""),
        },
        which=asked.draft.which.value,
    )


def _conditions(asked: Asked) -> list[Condition]:
    """Say of each condition how many there would be without it, when nothing matches: of a proposal only the period."""
    draft = asked.draft
    chips = lists.chips(
        {
            "hook": ("Hook", name_of(draft.hook) if draft.hook else ""),
            "event_type": ("Event types", ", ".join(draft.event_types)),
            "since from until": ("Made", _period_words(asked)),
        },
        which=draft.which.value,
    )
    if draft.which is not Which.ALL and not asked.is_proposed:
        chips.insert(0, Chip("Which", WHICH_WORDS[draft.which][0], lists.here(which=Which.ALL.value)))
    without = {
        "Which": replace(draft, which=Which.ALL),
        "Hook": replace(draft, hook=None),
        "Event types": replace(draft, event_types=()),
        "Made": replace(draft, since=None, until=None),
    }
    count = partial(planning.count, current_work(), organization_number=access.place().organization.number)
    if asked.is_proposed:
        count = partial(count, cap=MOST_BEFORE + 1)
    found = [Condition(chip, count(draft=without[chip.label])) for chip in chips]
    if asked.draft.narrowed != DeliveryFilter():
        chip = Chip("Filters of the log", ", ".join(one.value for one in _chips(asked)), _without_narrowing(draft))
        found.append(Condition(chip, count(draft=replace(draft, narrowed=DeliveryFilter()))))
    return found


def _period_words(asked: Asked) -> str:
    if asked.period.preset in PRESETS:
        return f"in the {LABELS[asked.period.preset].lower()}"
    bounds = (("since", asked.draft.since), ("until", asked.draft.until))
    return " ".join(f"{word} {periods.words(at)}" for word, at in bounds if at)


def _without_narrowing(draft: ReplayDraft) -> str:
    return lists.here(**{**dict.fromkeys(NARROWING), "which": draft.which.value})
