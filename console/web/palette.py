"""The command palette: pages, actions and hooks by a few letters; a page of its own where there is no JavaScript."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flask import Blueprint, Response, current_app, request, url_for

from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.services.hooks import hooks
from console.services.hooks.hooks import HookFilter
from console.web import access, hx
from console.web.hooks.shared import hears, name_of

pages = Blueprint("palette", __name__, url_prefix="/o/<organization>/go")

MOST_HOOKS = 6
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Way:
    """A page or an action of the console; *values* are the parameters of its address."""

    text: str
    endpoint: str
    permission: Permission = Permission.WEBHOOKS_VIEW
    note: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    is_for_staff: bool = False


WAYS = (
    Way("Dashboard", "dashboard.show"),
    Way("Hooks", "hooks.index"),
    Way("New hook", "hooks.new", Permission.WEBHOOKS_ADD),
    Way("Hooks that fail", "hooks.index", values={"show": "failing"}),
    Way("Deliveries", "deliveries.index", Permission.DELIVERIES_VIEW),
    Way("Failed deliveries", "deliveries.index", Permission.DELIVERIES_VIEW, values={"state": "failed"}),
    Way("Waiting deliveries", "deliveries.index", Permission.DELIVERIES_VIEW, values={"state": "waiting"}),
    Way("Held deliveries", "deliveries.index", Permission.DELIVERIES_VIEW, values={"state": "held"}),
    Way("Live tail", "deliveries.index", Permission.DELIVERIES_VIEW, "deliveries as they come", {"tail": "1"}),
    Way("Replays", "replays.index", Permission.DELIVERIES_VIEW),
    Way("New replay", "replays.new", Permission.DELIVERIES_RESEND, "resend many at once"),
    Way("Events", "events.index", Permission.EVENTS_VIEW),
    Way("Publish an event", "events.publish", Permission.EVENTS_PUBLISH),
    Way("Event types", "events.types", Permission.EVENTS_VIEW),
    Way("Bins", "bins.index", note="the built-in receiver: URLs that catch requests"),
    Way("Tokens", "settings.tokens", note="settings"),
    Way("Members", "settings.members", Permission.ADMIN, "settings"),
    Way("Sources", "settings.sources", note="settings"),
    Way("Compatible APIs", "settings.apis", Permission.ADMIN, "settings: Waldur, web/v1, pretix, OMS"),
    Way("Organization", "settings.organization", Permission.ADMIN, "settings: name, defaults"),
    Way("Audit log", "settings.audit", Permission.ADMIN, "settings"),
    Way("People", "settings.people", note="settings: accounts of this installation, staff", is_for_staff=True),
    Way("System", "settings.system", note="settings: checks, workers, variables", is_for_staff=True),
    Way("Account", "account.show", note="password, sessions"),
    Way("API reference", "docs.api"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the palette."""

    text: str
    note: str
    url: str


@pages.get("")
@access.requires(Permission.WEBHOOKS_VIEW)
def show() -> Response:
    """List where the words lead; the last line searches everything for them.

    Who presses Enter before the list is there (``now``) goes where its first line leads.
    """
    words = request.args.get("q", "").strip()[:LONGEST]
    entries = list(_entries(words))
    if words and "now" in request.args:
        return hx.redirect_to(entries[0].url)
    return hx.page("palette/show.html", block="results", words=words, entries=entries)


def _entries(words: str) -> Iterator[Entry]:
    wanted = words.lower().split()
    held, someone = access.place().permissions, access.person()
    is_staff = someone is not None and someone.user.is_staff
    for way in WAYS:
        is_there = way.endpoint in current_app.view_functions and grants(held, way.permission)
        if way.is_for_staff and not is_staff:
            continue
        if is_there and all(word in f"{way.text} {way.note}".lower() for word in wanted):
            yield Entry(way.text, way.note, url_for(way.endpoint, **way.values))  # type: ignore[arg-type]  # query values
    if not words:
        return
    number = access.place().organization.number
    for hook in hooks.find(current_work(), organization_number=number, wanted=HookFilter(q=words), limit=MOST_HOOKS):
        yield Entry(name_of(hook), hears(hook), url_for("hooks.show", hook_id=hook.id))
    yield Entry(f"Search everything for “{words}”", "ids, URLs, event types, objects", url_for("search.go", q=words))
