"""The replays of the organization, newest first."""

from __future__ import annotations

from flask import Response, request

from console.core.permissions import Permission
from console.extensions import current_work
from console.services.replays import replays
from console.web import access, hx, lists
from console.web.lists import Preset
from console.web.replays.shared import pages, rows_of

STATES = {"going": ("Going on", False), "over": ("Over", True)}


@pages.get("")
@access.requires(Permission.DELIVERIES_VIEW)
def index() -> Response:
    """List the replays."""
    work, number = current_work(), access.place().organization.number
    state = request.args.get("state", "")
    words, is_over = STATES.get(state, ("", None))
    page = lists.turn(
        lambda before, after, limit: replays.find(
            work, organization_number=number, is_over=is_over, before=before, after=after, limit=limit
        )
    )
    chips = lists.chips({"state": ("State", words)})
    response = hx.page(
        "replays/index.html",
        block="list",
        page=page,
        rows=rows_of(page.rows),
        chips=chips,
        presets=[
            Preset("All", lists.here(state=None), not words),
            *(Preset(label, lists.here(state=name), name == state) for name, (label, _) in STATES.items()),
        ],
    )
    return lists.push_clean_url(response) if hx.wants_fragment() else response
