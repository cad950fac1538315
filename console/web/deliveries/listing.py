"""The log: filters in the query string, rows by day, newer and older, and what came since the page was read."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Invalid, NotFound
from console.core.outcomes import EXPLANATIONS, Outcome
from console.core.permissions import Permission, grants
from console.extensions import collaborators, current_work
from console.models import Delivery, DeliveryState, Hook
from console.services import deliveries, hooks
from console.services.deliveries import NO_STATUS, STATUS_CLASSES, DeliveryFilter
from console.services.hooks import HookFilter
from console.web import access, hx, lists, periods
from console.web.deliveries.shared import pages
from console.web.delivery_rows import name_of, rows_of
from console.web.lists import Chip, Page, Preset
from console.web.periods import Period

STATES: dict[str, tuple[str, tuple[DeliveryState, ...]]] = {
    "delivered": ("Delivered", (DeliveryState.DELIVERED,)),
    "waiting": ("Waiting", (DeliveryState.PENDING, DeliveryState.SENDING)),
    "failed": ("Failed", (DeliveryState.FAILED,)),
    "held": ("Held", (DeliveryState.HELD,)),
    "canceled": ("Canceled", (DeliveryState.CANCELED,)),
}
PRESETS = ("delivered", "waiting", "failed", "held")
CLASS_LABELS = {**{name: name for name in STATUS_CLASSES}, NO_STATUS: "No answer"}
OUTCOME_LABELS = {outcome.value: EXPLANATIONS[outcome].title for outcome in Outcome}
MOST_CHOICES = 200
MOST_NEWS = 99


EVER = Period()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query string asks for; *problem* says what cannot be read in it."""

    wanted: DeliveryFilter
    hook: Hook | None = None
    state: str = ""
    period: Period = EVER
    problem: str = ""


@pages.get("/deliveries")
@access.requires(Permission.DELIVERIES_VIEW)
def index() -> Response:
    """Show the log of the organization."""
    return _log(hook=None)


@pages.get("/hooks/<uuid:hook_id>/deliveries")
@access.requires(Permission.DELIVERIES_VIEW)
def of_hook(hook_id: UUID) -> Response:
    """Show the log of one hook, also of a deleted one."""
    return _log(hook=_hook(hook_id))


@pages.get("/deliveries/news")
@access.requires(Permission.DELIVERIES_VIEW)
def news() -> Response:
    """Say how many deliveries came since the list was read (``after``); 204 for none."""
    asked, after = _asked(hook=None), lists.cursor("after")
    if asked.problem or after is None:
        return hx.nothing_new()
    found = deliveries.find(
        current_work(), organization_number=_number(), wanted=asked.wanted, after=after, limit=MOST_NEWS + 1
    )
    shown = request.args.get("shown", "0")
    if not found or str(len(found)) == shown:
        return hx.nothing_new()
    return hx.page(
        "deliveries/news.html",
        news=len(found),
        most_news=MOST_NEWS,
        first_page=_first_page(asked.hook),
        poll_url=lists.here(after=after, shown=len(found)),
    )


def _log(*, hook: Hook | None) -> Response:
    work, asked = current_work(), _asked(hook=hook)
    page: Page[Delivery] = Page(())
    if not asked.problem:
        try:
            page = lists.turn(
                lambda before, after, limit: deliveries.find(
                    work, organization_number=_number(), wanted=asked.wanted, before=before, after=after, limit=limit
                )
            )
        except Invalid as error:
            asked = Asked(asked.wanted, asked.hook, asked.state, asked.period, error.message)
    chips = _chips(asked, fixed=hook)
    response = hx.page(
        "deliveries/index.html",
        block="log",
        status=422 if asked.problem else 200,
        rows=rows_of(work, page.rows),
        page=page,
        asked=asked,
        fixed=hook,
        chips=chips,
        total=_total(hook) if not page.rows else None,
        presets=_presets(asked),
        periods=periods.choices(asked.period),
        hooks=_hooks(asked.hook),
        classes=CLASS_LABELS,
        outcomes=OUTCOME_LABELS,
        may_resend=grants(access.place().permissions, Permission.DELIVERIES_RESEND),
        retention_days=collaborators().settings.retention_days,
        poll_url=_poll_url(page, asked),
        back=lists.here(before=request.args.get("before"), after=request.args.get("after")),
        name_of=name_of,
    )
    return lists.push_clean_url(response) if hx.wants_fragment() else response


def _number() -> int:
    return access.place().organization.number


def _hook(hook_id: UUID) -> Hook:
    return hooks.get(current_work(), organization_number=_number(), hook_id=hook_id, with_deleted=True)


def _asked(*, hook: Hook | None) -> Asked:
    values = {name: value.strip() for name, value in request.args.items()}
    work = current_work()
    state = values.get("state", "")
    try:
        hook = hook or _named_hook(values.get("hook", ""))
        period = periods.read(values, now=work.now(), zone=periods.zone())
        states = _states(state)
    except Invalid as error:
        return Asked(DeliveryFilter(), hook, state, problem=error.message)
    wanted = DeliveryFilter(
        hook_number=hook.number if hook else None,
        event_type=values.get("event_type") or None,
        states=states,
        status_class=values.get("status_class") or None,
        outcome=values.get("outcome") or None,
        since=period.since,
        until=period.until,
        q=values.get("q") or None,
    )
    return Asked(wanted, hook, state, period)


def _named_hook(text: str) -> Hook | None:
    if not text:
        return None
    try:
        return _hook(UUID(text))
    except (ValueError, NotFound) as error:
        raise Invalid.field("hook", "There is no such hook; choose one from the list.", code="unknown_hook") from error


def _states(state: str) -> tuple[DeliveryState, ...]:
    if not state:
        return ()
    if state in STATES:
        return STATES[state][1]
    try:
        return (DeliveryState(state),)
    except ValueError as error:
        words = f"Choose one of {', '.join(STATES)}."
        raise Invalid.field("state", f"There is no state like that. {words}", code="choice") from error


def _chips(asked: Asked, *, fixed: Hook | None) -> list[Chip]:
    return lists.chips(
        {
            "state": ("State", STATES[asked.state][0] if asked.state in STATES else asked.state.capitalize()),
            "hook": ("Hook", name_of(asked.hook) if asked.hook and fixed is None else ""),
            "event_type": ("Event type", asked.wanted.event_type or ""),
            "status_class": (
                "Status",
                CLASS_LABELS.get(asked.wanted.status_class or "", asked.wanted.status_class or ""),
            ),
            "outcome": ("Outcome", OUTCOME_LABELS.get(asked.wanted.outcome or "", asked.wanted.outcome or "")),
            **periods.chip(asked.period),
            "q": ("Search", asked.wanted.q or ""),
        }
    )


def _presets(asked: Asked) -> list[Preset]:
    rest = [Preset(STATES[name][0], lists.here(state=name), asked.state == name) for name in PRESETS]
    return [Preset("All", lists.here(state=None), not asked.state), *rest]


def _hooks(chosen: Hook | None) -> list[Hook]:
    found = hooks.find(current_work(), organization_number=_number(), wanted=HookFilter(), limit=MOST_CHOICES)
    missing = chosen is not None and all(hook.number != chosen.number for hook in found)
    return sorted([*found, chosen] if missing and chosen else found, key=lambda hook: name_of(hook).lower())


def _total(hook: Hook | None) -> int:
    everything = DeliveryFilter(hook_number=hook.number if hook else None)
    return deliveries.count(current_work(), organization_number=_number(), wanted=everything)


def _poll_url(page: Page[Delivery], asked: Asked) -> str:
    """Give the address that tells of newer rows: only for the first page, and not for a period that is over."""
    if asked.problem or page.newer or asked.period.until is not None:
        return ""
    newest = page.rows[0].number if page.rows else 0
    hook = {"hook": asked.hook.id, "list": "hook"} if asked.hook and "hook" not in request.args else {}
    return lists.address(url_for("deliveries.news"), **hook, after=newest)


def _first_page(hook: Hook | None) -> str:
    """Give the list that asks for news: the hook's own, or the organization's with the same filters."""
    if hook is not None and "list" in request.args:
        return lists.address(url_for("deliveries.of_hook", hook_id=hook.id), hook=None, list=None, shown=None)
    return lists.address(url_for("deliveries.index"), shown=None)
