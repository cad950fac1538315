"""/event-types: the catalogue."""

from __future__ import annotations

from typing import Any

from flask import url_for

from console.api import paging, shown
from console.api.auth import organization_number, permission
from console.api.blueprints import resource
from console.api.schemas.base import Input
from console.api.schemas.catalogue import (
    EventType,
    EventTypeNameQuery,
    EventTypePage,
    EventTypePatch,
    EventTypeQuery,
    EventTypeWrite,
)
from console.core.errors import Invalid, NotFound
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import EventType as EventTypeRow
from console.services.event_types import catalogue as cases
from console.services.work import Work

event_types = resource("event_types", about="The catalogue: names of events, their groups and samples.")


@event_types.get("/event-types")
@permission(Permission.WEBHOOKS_VIEW)
@event_types.input(EventTypeQuery, location="query")
@event_types.output(EventTypePage)
def index(query_data: EventTypeQuery) -> dict[str, Any]:
    """List event types."""
    rows = cases.find(
        current_work(),
        organization_number=organization_number(),
        q=query_data.q,
        group=query_data.group,
        is_builtin=query_data.builtin,
        before=paging.before(query_data.cursor),
        limit=query_data.limit + 1,
    )
    return paging.page(rows, limit=query_data.limit, shown=shown.event_type)


@event_types.post("/event-types")
@permission(Permission.ADMIN)
@event_types.input(EventTypeWrite)
@event_types.output(EventType, 201)
def create(json_data: EventTypeWrite) -> tuple[EventType, int, dict[str, str]]:
    """Create an event type."""
    made = cases.create(
        current_work(), organization_number=organization_number(), name=json_data.name, **_fields(json_data)
    )
    return shown.event_type(made), 201, {"Location": url_for(".read", name=made.name)}


@event_types.get("/event-types/<path:name>")
@permission(Permission.WEBHOOKS_VIEW)
@event_types.output(EventType)
def read(name: str) -> EventType:
    """Read an event type."""
    return shown.event_type(_get(current_work(), name))


@event_types.patch("/event-types/<path:name>")
@permission(Permission.ADMIN)
@event_types.input(EventTypePatch)
@event_types.output(EventType)
def change(name: str, json_data: EventTypePatch) -> EventType:
    """Change an event type.

    Its name stays, since hooks and events hold it.
    """
    work = current_work()
    return shown.event_type(cases.change(work, event_type=_get(work, name), fields=_fields(json_data)))


@event_types.delete("/event-types/<path:name>")
@permission(Permission.ADMIN)
@event_types.doc(responses={204: "The type is out of the catalogue; events may still carry it."})
def delete(name: str) -> tuple[str, int]:
    """Delete an event type."""
    work = current_work()
    cases.delete(work, event_type=_get(work, name))
    return "", 204


@event_types.delete("/event-types")
@permission(Permission.ADMIN)
@event_types.input(EventTypeNameQuery, location="query")
@event_types.doc(responses={204: "The type is deleted; events may still carry it."})
def delete_by_name(query_data: EventTypeNameQuery) -> tuple[str, int]:
    """Delete an event type by name.

    For names that an earlier version accepted and no path leads to, such as `/lead`.
    """
    return delete(query_data.name)


def _get(work: Work, name: str) -> EventTypeRow:
    if "\x00" in name:
        raise NotFound("event type")  # PostgreSQL takes no NUL, not even to look for it
    return cases.get(work, organization_number=organization_number(), name=name)


def _fields(body: Input) -> dict[str, Any]:
    """Give the fields that were sent, as the catalogue names them: one group is a list of groups."""
    fields = {name.rstrip("_"): getattr(body, name) for name in body.model_fields_set if name != "name"}
    if "group" in fields:
        group = fields.pop("group")
        if "groups" in fields:
            raise Invalid.field("group", "Give group or groups, not both.", code="ambiguous")
        fields["groups"] = [] if group is None else [group]
    return fields
