"""The list of hooks, and the switch of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Refused
from console.core.health import Health, HookHealth
from console.core.patterns import check_event_type
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import DeliveryState, Hook, HookState
from console.services.deliveries import backlogs
from console.services.event_types import catalogue
from console.services.figures import stats
from console.services.figures.stats import Spark
from console.services.hooks import hook_health, hooks
from console.services.hooks.hooks import HookFilter
from console.web import access, hx
from console.web.filters import plural
from console.web.hooks.backlog import shown_backlog
from console.web.hooks.page import standing, standing_part
from console.web.hooks.shared import hears, hook_of, name_of, pages
from console.web.lists import Chip, cursor, push_clean_url
from console.web.sessions import safe_next
from console.web.sparks import Spark as Drawing
from console.web.sparks import of_hours

PAGE = 50
PRESETS = {"": "All", "healthy": "Healthy", "failing": "Failing", "disabled": "Disabled"}
FAILING = frozenset({Health.FAILING, Health.CIRCUIT_OPEN, Health.DEGRADED})
STATES = {"healthy": frozenset({Health.HEALTHY}), "failing": FAILING}
HELD_CHOICES = ("release", "keep", "cancel")


@dataclass(frozen=True, slots=True)
class Row:
    """A hook as the list shows it."""

    hook: Hook
    name: str
    hears: str
    health: HookHealth
    state: HookState | None
    recent: Spark
    spark: Drawing


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the reader may do with hooks, asked once and not for each row."""

    add: bool
    edit: bool
    remove: bool

    @classmethod
    def here(cls) -> Allowed:
        """Say it of who asks."""
        held = access.place().permissions
        wanted = (Permission.WEBHOOKS_ADD, Permission.WEBHOOKS_EDIT, Permission.WEBHOOKS_REMOVE)
        return cls(*(grants(held, one) for one in wanted))


@dataclass(frozen=True, slots=True)
class Question:
    """What the address asks for; *error* says why nothing can match."""

    show: str
    q: str
    event_type: str
    before: int | None
    error: str

    @classmethod
    def of_request(cls) -> Question:
        """Read it; what makes no sense is left out."""
        asked = request.args
        show, event_type = asked.get("show", ""), asked.get("event_type", "").strip()
        error = ""
        try:
            if event_type:
                check_event_type(event_type)
        except Refused as refusal:
            error = refusal.message
        return cls(
            show=show if show in PRESETS else "",
            q=asked.get("q", "").strip()[:200],
            event_type=event_type,
            before=cursor("before"),
            error=error,
        )

    @property
    def wanted(self) -> HookFilter:
        """Say it as the service wants it."""
        return HookFilter(
            active=False if self.show == "disabled" else None,
            q=self.q or None,
            event_type=None if self.error else self.event_type or None,
            health=STATES.get(self.show),
        )

    def url(self, **changes: object) -> str:
        """Give the address of the list with some of it changed; a new question begins at its first page."""
        now: dict[str, object] = {"show": self.show, "q": self.q, "event_type": self.event_type}
        return url_for("hooks.index", **{name: value for name, value in {**now, **changes}.items() if value})  # type: ignore[arg-type]  # query values

    @property
    def chips(self) -> list[Chip]:
        """Name the filters in force."""
        given = {"q": ("Search", self.q), "event_type": ("Hears", self.event_type)}
        chips = [Chip("State", PRESETS[self.show], self.url(show=""))] if self.show else []
        return chips + [Chip(label, value, self.url(**{name: ""})) for name, (label, value) in given.items() if value]


@pages.get("")
@access.requires(Permission.WEBHOOKS_VIEW)
def index() -> Response:
    """List the hooks."""
    work, number, question = current_work(), access.place().organization.number, Question.of_request()
    found = (
        []
        if question.error
        else hooks.find(
            work, organization_number=number, wanted=question.wanted, before=question.before, limit=PAGE + 1
        )
    )
    older = question.url(before=found[PAGE - 1].number) if len(found) > PAGE else ""
    answer = hx.page(
        "hooks/index.html",
        block="list",
        question=question,
        rows=rows_of(found[:PAGE]),
        total=stats.hook_count(work, organization_number=number),
        presets=[
            {"label": label, "url": question.url(show=name), "current": name == question.show}
            for name, label in PRESETS.items()
        ],
        older=older,
        newer=question.url() if question.before else "",
        type_names=() if hx.wants_fragment() else catalogue.names(work, organization_number=number),
        returning=_returning(question.url(before=question.before)),
        may=Allowed.here(),
    )
    return push_clean_url(answer) if hx.wants_fragment() else answer


def rows_of(found: Sequence[Hook]) -> list[Row]:
    """Gather what the list shows of each hook."""
    work = current_work()
    recent = stats.sparks(work, hooks=found)
    conditions = hook_health.conditions(work, found, recent={number: one.totals for number, one in recent.items()})
    return [
        Row(
            hook=hook,
            name=name_of(hook),
            hears=hears(hook),
            health=conditions[hook.number].health,
            state=conditions[hook.number].state,
            recent=recent[hook.number],
            spark=of_hours(recent[hook.number].delivered, failed=recent[hook.number].failed),
        )
        for hook in found
    ]


@pages.post("/<uuid:hook_id>/switch")
@access.requires(Permission.WEBHOOKS_EDIT)
def switch(hook_id: UUID) -> Response:
    """Switch a hook on or off. Whoever switches on a hook with held deliveries is asked what to do with them."""
    work, hook = current_work(), hook_of(hook_id)
    held = request.form.get("held", "")
    if request.form.get("is_active") != "1":
        hooks.disable(work, hook=hook)
        now_held = backlogs.waiting_of(work, hook).held
        holds = f"{plural(now_held, 'delivery is', 'deliveries are')} held." if now_held else "New deliveries are held."
        return _switched(hook, f"{name_of(hook)} is off. {holds}")
    shown = backlogs.backlog_of(work, hook, DeliveryState.HELD, cap=None)
    if shown.count and held not in HELD_CHOICES:
        return hx.redirect_to(url_for("hooks.switch_on", hook_id=hook.id))
    if "up_to" in request.form:
        shown = shown_backlog()
    hooks.enable(work, hook=hook, held=held or "release", up_to=shown.up_to)
    one, many = {
        "release": ("held delivery is on its way", "held deliveries are on their way"),
        "keep": ("held delivery stays held", "held deliveries stay held"),
        "cancel": ("held delivery was canceled", "held deliveries were canceled"),
    }[held or "release"]
    rest = f" {plural(shown.count, one, many)}." if shown.count else ""
    return _switched(hook, f"{name_of(hook)} is on.{rest}")


def _switched(hook: Hook, message: str) -> Response:
    back = safe_next(request.args.get("next"))
    if not hx.wants_fragment():
        return hx.redirect_to(back or url_for("hooks.show", hook_id=hook.id), message=message)
    hx.toast(message)
    if hx.is_for("standing"):
        return standing_part(standing(hook))
    returning = _returning(back or url_for("hooks.index"))
    return hx.page("hooks/switched.html", row=rows_of([hook])[0], returning=returning, may=Allowed.here())


def _returning(path: str) -> str:
    """Give the query of a switch that leads back to *path*."""
    return f"?{urlencode({'next': path})}"


@pages.get("/<uuid:hook_id>/switch-on")
@access.requires(Permission.WEBHOOKS_EDIT)
def switch_on(hook_id: UUID) -> Response:
    """Ask what becomes of held deliveries."""
    hook = hook_of(hook_id)
    held = backlogs.backlog_of(current_work(), hook, DeliveryState.HELD, cap=None)
    return hx.page("hooks/switch_on.html", hook=hook, name=name_of(hook), held=held)
