"""The catalogue: event types by group with search, and one type with its sample, schema, volume and who hears it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from flask import Response, request, url_for

from console.core.errors import Refused
from console.core.outlines import Node, outline
from console.core.permissions import Permission, grants
from console.core.schemas import Schema
from console.extensions import current_work
from console.models import EventType, Hook
from console.services.event_types import catalogue, type_entries
from console.services.event_types.type_entries import TypeEntry
from console.services.events import events
from console.services.events.events import EventFilter
from console.services.events.matching import subscription_of
from console.services.figures import type_hours
from console.services.figures.type_hours import Activity, Volume
from console.services.hooks import hooks
from console.services.hooks.hooks import HookFilter
from console.web import access, hx
from console.web.apis import names_with_types
from console.web.charts import Bars, Series, stacked_bars
from console.web.delivery_rows import name_of
from console.web.events.shared import has_path, number, pages, pretty, type_url
from console.web.sparks import Spark, of_events

MOST_HOOKS = 500
MOST_OPEN = 40
"""A catalogue of so many types is shown with its groups open; a larger one with them closed."""
MOST_UNKNOWN = 20
UNGROUPED = "Without a group"


@dataclass(frozen=True, slots=True)
class Row:
    """A type in the list; *volume* and *spark* are None when it had no events in the last 7 days."""

    name: str
    seen_at: datetime | None
    volume: Volume | None
    spark: Spark | None
    type: TypeEntry | None
    url: str


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the catalogue with those of its types that are shown."""

    name: str
    rows: tuple[Row, ...]
    is_open: bool


@dataclass(frozen=True, slots=True)
class Hearing:
    """A hook that hears a type, by what, and whether only payloads that satisfy its filter reach it."""

    hook: Hook
    by: str


@pages.get("/types")
@access.requires(Permission.WEBHOOKS_VIEW)
def types() -> Response:
    """Show the catalogue, or those of its types that contain ``q``: one's own and those in use first."""
    work, q = current_work(), request.args.get("q", "").strip()
    everything = type_entries.entries(work, organization_number=number())
    activity = type_hours.activity(work, organization_number=number())
    rows = _Rows(activity, {one.name: one for one in everything}, url_for("events.types"))
    words = q.lower()
    found = [one for one in everything if words in one.name.lower() or words in one.description.lower()]
    own = [one for one in found if not one.is_builtin or one.name in activity.seen]
    others = [one for one in found if one.is_builtin and one.name not in activity.seen]
    unknown = [] if q else catalogue.unknown_of(activity.seen, known=[one.name for one in everything])[:MOST_UNKNOWN]
    return hx.page(
        "events/types.html",
        block="groups",
        own=_grouped(own, rows, is_open=bool(q) or len(own) <= MOST_OPEN),
        others=_grouped(others, rows, is_open=bool(q)),
        others_count=len(others),
        packaged_by=names_with_types(),
        q=q,
        found=len(found),
        total=len(everything),
        unknown=[rows.of(name) for name in unknown],
    )


@pages.get("/type")
@access.requires(Permission.WEBHOOKS_VIEW)
def type_by_query() -> Response:
    """Show the event type that ``name`` is, for names that no path leads to."""
    return _type_page(request.args.get("name", ""))


@pages.get("/types/<path:name>")
@access.requires(Permission.WEBHOOKS_VIEW)
def type_show(name: str) -> Response:
    """Show one event type."""
    return _type_page(name)


def _type_page(name: str) -> Response:
    work = current_work()
    found = catalogue.get(work, organization_number=number(), name=name)
    last = events.find(work, organization_number=number(), wanted=EventFilter(type=name), limit=1)
    volume = type_hours.volumes(work, organization_number=number(), names=[name]).get(name)
    hearing = _hearing(found)
    naming = [one.hook for one in hearing if found.name in one.hook.event_types]
    if request.args.get("confirm") == "delete" and _may_delete(found):
        url = type_url(found.name)
        return hx.page("events/type_delete.html", type=found, hearing=hearing, naming=naming, url=url, name_of=name_of)
    return hx.page(
        "events/type.html",
        type=found,
        sample=pretty(found.sample),
        schema=pretty(found.schema),
        tree=tree_of(found.schema),
        schema_problem=schema_problem(found),
        disagreements=disagreements(found),
        hearing=hearing,
        naming=naming,
        volume=volume,
        chart=_chart(volume, now=work.now()) if volume else None,
        last=last[0] if last else None,
        confirm_url=type_url(found.name, confirm="delete"),
        has_path=has_path(found.name),
        name_of=name_of,
    )


def _may_delete(found: EventType) -> bool:
    return not found.is_builtin and grants(access.place().permissions, Permission.ADMIN)


def tree_of(schema: Mapping[str, object] | None) -> Node | None:
    """Lay a schema out as a tree; None without one."""
    return outline(schema) if schema is not None else None


def schema_problem(event_type: EventType) -> str:
    """Say why payloads cannot be checked against the schema of a type; nothing when they can, or there is none."""
    if event_type.schema is None:
        return ""
    try:
        Schema(event_type.schema)
    except Refused as error:
        return error.message
    return ""


def disagreements(event_type: EventType) -> list[str]:
    """Say what of the sample of a type does not fit its schema."""
    if event_type.schema is None or event_type.sample is None or schema_problem(event_type):
        return []
    faults = Schema(event_type.schema, is_known_good=True).faults(event_type.sample)
    return [f"{fault.pointer or 'The whole'}: {fault.message}" for fault in faults]


def _chart(volume: Volume, *, now: datetime) -> Bars:
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    starts = [
        hour - timedelta(hours=volume.hours * (len(volume.figures) - place)) for place in range(len(volume.figures))
    ]
    labels = [f"{start:%a %H:%M}" for start in starts]
    return stacked_bars(labels, series=(Series("delivered", "Events", volume.figures),))


@dataclass(frozen=True, slots=True)
class _Rows:
    """What rows are made of; *path* is the address of the catalogue."""

    activity: Activity
    known: Mapping[str, TypeEntry]
    path: str

    def of(self, name: str) -> Row:
        """Make the row of a type."""
        volume = self.activity.volumes.get(name)
        spark = of_events(volume.figures, hours=volume.hours) if volume else None
        url = f"{self.path}/{quote(name)}" if has_path(name) else type_url(name)
        return Row(name, self.activity.seen.get(name), volume, spark, self.known.get(name), url)


def _grouped(found: Sequence[TypeEntry], rows: _Rows, *, is_open: bool) -> list[Group]:
    by_name: dict[str, list[Row]] = {}
    for one in found:
        row = rows.of(one.name)
        for group in one.groups or (UNGROUPED,):
            by_name.setdefault(group, []).append(row)
    ordered = sorted(by_name, key=lambda name: (name == UNGROUPED, name.lower()))
    return [Group(name, tuple(by_name[name]), is_open) for name in ordered]


def _hearing(event_type: EventType) -> list[Hearing]:
    everybody = hooks.find(current_work(), organization_number=number(), wanted=HookFilter(), limit=MOST_HOOKS)
    found = ((hook, _by(hook, event_type)) for hook in everybody)
    return [Hearing(hook, by) for hook, by in found if by]


def _by(hook: Hook, event_type: EventType) -> str:
    """Say by what a hook hears a type; nothing when it does not."""
    way = subscription_of(hook).way_to(event_type.name, groups=event_type.groups)
    if way is None:
        return ""
    words = {
        "all": "hears every event",
        "name": "names it",
        "pattern": f"by {way.text}",
        "group": f"by the group {way.text}",
    }[way.kind]
    return f"{words}, if the payload satisfies its filter" if hook.filter else words
