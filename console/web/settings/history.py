"""The audit log: who changed what, when and from where."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Response, request, url_for
from werkzeug.routing import BuildError

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import AuditEntry
from console.services import audit as cases
from console.services.audit import AuditFilter
from console.services.people import members
from console.web import access, downloads, hx, lists, periods
from console.web.changes import changes_of
from console.web.lists import Chip, Page
from console.web.periods import Period
from console.web.settings.shared import number, pages, tabs

NOUNS = (
    "hook",
    "delivery",
    "event",
    "replay",
    "event_type",
    "source",
    "bin",
    "token",
    "member",
    "user",
    "organization",
)
VERBS = {
    "hurried": "sent now",
    "waiting_hurried": "all that waited sent now",
    "waiting_canceled": "all that waited canceled",
    "secret_rotated": "secret rotated",
    "role_changed": "role changed",
    "overlap_ended": "overlap of secrets ended",
    "handed_over": "handed over to the organization",
    "two_factor_on": "two-factor sign-in turned on",
    "two_factor_off": "two-factor sign-in turned off",
    "api_on": "compatible API switched on",
    "api_off": "compatible API switched off",
}
MOST_PEOPLE = 200
CSV_ROWS = 10_000
PLACES = {
    "hook": ("hooks.show", "hook_id"),
    "delivery": ("deliveries.show", "delivery_id"),
    "replay": ("replays.show", "replay_id"),
    "bin": ("bins.show", "bin_id"),
    "event": ("events.show", "event_id"),
    "event_type": ("events.type_show", "name"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the query string asks for; *problem* says what about it cannot be read, and is empty when all can."""

    wanted: AuditFilter
    period: Period
    problem: str = ""


@pages.get("/audit")
@access.requires(Permission.ADMIN)
def audit() -> Response:
    """Show the audit log."""
    asked = _asked()
    people = {
        str(one.user_number): one.user.who
        for one in members.members(current_work(), organization_number=number(), limit=MOST_PEOPLE)
    }
    response = hx.page(
        "settings/audit.html",
        block="list",
        status=422 if asked.problem else 200,
        tabs=tabs(),
        page=Page(()) if asked.problem else _page(asked.wanted),
        problem=asked.problem,
        people=people,
        nouns=NOUNS,
        wanted=asked.wanted,
        period=asked.period,
        periods=periods.choices(asked.period),
        chips=_chips(asked.wanted, asked.period, people),
        csv_url=lists.address(url_for("settings.audit_csv")),
        csv_most=CSV_ROWS,
        words=action_words,
        url_of=_url_of,
        changes_of=changes_of,
    )
    return lists.push_clean_url(response) if hx.wants_fragment() else response


@pages.get("/audit.csv")
@access.requires(Permission.ADMIN)
def audit_csv() -> Response:
    """Give the entries that match as a file, newest first."""
    asked = _asked()
    if asked.problem:
        return hx.redirect_to(url_for("settings.audit"), message=asked.problem, tone="bad")
    entries = cases.find(current_work(), organization_number=number(), wanted=asked.wanted, limit=CSV_ROWS)
    return downloads.csv_file(
        ("at", "who", "from", "action", "object_type", "object_id", "object", "changes", "user_id"),
        [
            (
                entry.at.isoformat(),
                entry.who,
                entry.ip or "",
                entry.action,
                entry.object_type or "",
                entry.object_id or "",
                entry.object_name or "",
                json.dumps(entry.changes, ensure_ascii=False) if entry.changes else "",
                str(entry.user.id) if entry.user else "",
            )
            for entry in entries
        ],
        name=f"audit-{access.place().organization.slug}.csv",
    )


def _asked() -> Asked:
    values = {name: value.strip() for name, value in request.args.items()}
    period, problem = Period(), ""
    try:
        period = periods.read(values, now=current_work().now())
    except Invalid as error:
        problem = error.message
    wanted = AuditFilter(
        user_number=_number(values.get("person", "")),
        action=values.get("about") or None,
        object_id=values.get("object") or None,
        since=period.since,
        until=period.until,
    )
    return Asked(wanted, period, problem)


def action_words(action: str) -> str:
    """Say an action: ``hook.secret_rotated`` is "Hook: secret rotated"."""
    noun, _, verb = action.partition(".")
    return f"{noun.replace('_', ' ').capitalize()}: {VERBS.get(verb, verb.replace('_', ' '))}" if verb else action


def _page(wanted: AuditFilter) -> Page[AuditEntry]:
    work = current_work()
    return lists.turn(
        lambda before, _after, limit: cases.find(
            work, organization_number=number(), wanted=wanted, before=before, limit=limit
        ),
        is_one_way=True,
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= lists.MOST_DIGITS else None


def _url_of(entry: AuditEntry) -> str:
    """Give the address of what an entry is about; nothing when it has no page of its own."""
    if entry.object_type not in PLACES or not entry.object_id or entry.action.endswith(".deleted"):
        return ""
    endpoint, argument = PLACES[entry.object_type]
    name = entry.object_name if entry.object_type == "event_type" else entry.object_id
    try:
        return url_for(endpoint, **{argument: name})  # type: ignore[arg-type]  # a text, as the converter takes
    except (BuildError, ValueError):
        return ""


def _chips(wanted: AuditFilter, period: Period, people: dict[str, str]) -> list[Chip]:
    person = "" if wanted.user_number is None else people.get(str(wanted.user_number), str(wanted.user_number))
    return lists.chips(
        {
            "person": ("Person", person),
            "about": ("About", (wanted.action or "").replace("_", " ")),
            "object": ("Object", wanted.object_id or ""),
            **periods.chip(period),
        }
    )
