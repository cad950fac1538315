"""/sources: the named origins of events."""

from __future__ import annotations

from typing import Any

from flask import url_for

from console.api import paging, shown
from console.api.auth import organization_number, permission
from console.api.blueprints import resource
from console.api.schemas.base import ListQuery
from console.api.schemas.catalogue import Source, SourcePage, SourceWrite
from console.core.errors import NotFound
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.organizations import sources as cases

sources = resource("sources", about="Named origins of events: a shop, a conference, a site.")


@sources.get("/sources")
@permission(Permission.WEBHOOKS_VIEW)
@sources.input(ListQuery, location="query")
@sources.output(SourcePage)
def index(query_data: ListQuery) -> dict[str, Any]:
    """List sources."""
    rows = cases.find(
        current_work(),
        organization_number=organization_number(),
        before=paging.before(query_data.cursor),
        limit=query_data.limit + 1,
    )
    return paging.page(rows, limit=query_data.limit, shown=shown.source)


@sources.post("/sources")
@permission(Permission.ADMIN)
@sources.input(SourceWrite)
@sources.output(Source, 201)
def create(json_data: SourceWrite) -> tuple[Source, int, dict[str, str]]:
    """Create a source.

    Its slug never changes.
    """
    made = cases.create(
        current_work(), organization_number=organization_number(), slug=json_data.slug, name=json_data.name
    )
    return shown.source(made), 201, {"Location": url_for(".read", slug=made.slug)}


@sources.get("/sources/<slug>")
@permission(Permission.WEBHOOKS_VIEW)
@sources.output(Source)
def read(slug: str) -> Source:
    """Read a source."""
    if "\x00" in slug:
        raise NotFound("source")  # PostgreSQL takes no NUL, not even to look for it
    return shown.source(cases.get(current_work(), organization_number=organization_number(), slug=slug))
