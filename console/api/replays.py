"""/replays: start one or try it dry, list, read, cancel."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, url_for

from console.api import paging, shown
from console.api.auth import organization_number, permission
from console.api.blueprints import resource
from console.api.schemas.replays import Replay, ReplayPage, ReplayPlan, ReplayQuery, ReplayWrite
from console.api.specification import response_of
from console.core.errors import Invalid, NotFound
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook as HookRow
from console.models import Replay as ReplayRow
from console.services.hooks import hooks as hook_cases
from console.services.queries import number_of
from console.services.replays import planning
from console.services.replays import replays as cases
from console.services.replays.planning import ReplayDraft
from console.services.work import Work

NOWHERE = 0  # no row has this number

replays = resource("replays", about="Bulk resends by filter, in the background.")


@replays.post("/replays")
@permission(Permission.DELIVERIES_RESEND)
@replays.input(ReplayWrite)
@replays.output(Replay, 202)
@replays.doc(responses={200: response_of(ReplayPlan, "What it would do; with dry_run.")})
def create(json_data: ReplayWrite) -> Response | tuple[Replay, int, dict[str, str]]:
    """Start a replay.

    It covers what matches now and goes on in the background. With ``dry_run`` nothing is changed: 200 with the count,
    by hook, what would be left out, and the first rows.
    """
    work, draft = current_work(), _draft(json_data)
    if json_data.dry_run:
        plan = planning.plan(work, organization_number=organization_number(), draft=draft)
        return Response(shown.replay_plan(plan).model_dump_json(), mimetype="application/json")
    row = cases.start(work, organization_number=organization_number(), draft=draft)
    return _shown(work, row), 202, {"Location": url_for(".read", replay_id=row.id)}


@replays.get("/replays")
@permission(Permission.DELIVERIES_VIEW)
@replays.input(ReplayQuery, location="query")
@replays.output(ReplayPage)
def index(query_data: ReplayQuery) -> dict[str, Any]:
    """List replays."""
    work = current_work()
    rows = cases.find(
        work,
        organization_number=organization_number(),
        hook_number=_number(query_data.hook),
        before=paging.before(query_data.cursor),
        limit=query_data.limit + 1,
    )
    progress = cases.progress_of(work, rows)
    return paging.page(rows, limit=query_data.limit, shown=lambda row: shown.replay(row, progress[row.number]))


@replays.get("/replays/<uuid:replay_id>")
@permission(Permission.DELIVERIES_VIEW)
@replays.output(Replay)
def read(replay_id: UUID) -> Replay:
    """Read a replay.

    With its progress: what was queued, what came of it, what is left.
    """
    work = current_work()
    return _shown(work, _get(work, replay_id))


@replays.post("/replays/<uuid:replay_id>/cancel")
@permission(Permission.DELIVERIES_RESEND)
@replays.output(Replay)
def cancel(replay_id: UUID) -> Replay:
    """Stop a replay.

    What is in flight finishes; what waits becomes what it was before. People can let it go on in the console.
    """
    work = current_work()
    return _shown(work, cases.stop(work, row=_get(work, replay_id)))


def _get(work: Work, replay_id: UUID) -> ReplayRow:
    return cases.get(work, organization_number=organization_number(), replay_id=replay_id)


def _shown(work: Work, row: ReplayRow) -> Replay:
    return shown.replay(row, cases.progress_of(work, [row])[row.number])


def _number(wanted: UUID | None) -> int | None:
    """Give the number of a hook; an id that is nobody's, or another organization's, matches nothing."""
    if wanted is None:
        return None
    found = number_of(current_work().session, HookRow, organization_number=organization_number(), id=wanted)
    return NOWHERE if found is None else found


def _draft(body: ReplayWrite) -> ReplayDraft:
    return ReplayDraft(
        which=body.which,
        hook=None if body.hook is None else _hook(body.hook),
        event_types=tuple(body.event_types),
        since=body.since,
        until=body.until,
    )


def _hook(hook_id: UUID) -> HookRow:
    try:
        return hook_cases.get(current_work(), organization_number=organization_number(), hook_id=hook_id)
    except NotFound as error:
        raise Invalid.field("hook", "There is no such hook.", code="unknown_hook") from error
