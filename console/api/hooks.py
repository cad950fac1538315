"""/hooks: create, change, switch, test, rotate, figures."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import url_for

from console.api import paging, shown
from console.api.auth import organization_number, permission, principal
from console.api.blueprints import resource
from console.api.json_body import payload_as_sent
from console.api.schemas.base import Input
from console.api.schemas.deliveries import DeliveryWithAttempts
from console.api.schemas.hooks import (
    Hook,
    HookPage,
    HookPatch,
    HookQuery,
    HookStats,
    HookTest,
    HookWithSecret,
    HookWrite,
    Rotation,
    WaitQuery,
)
from console.api.specification import response_of
from console.api.waiting import outcome_of
from console.core.permissions import Permission
from console.core.redact import MASK
from console.extensions import current_work
from console.models import Hook as HookRow
from console.services.deliveries import backlogs
from console.services.figures import stats
from console.services.hooks import hook_health, hook_secrets, hook_tests
from console.services.hooks import hooks as cases
from console.services.hooks.credentials import Kept
from console.services.hooks.hook_fields import HookDraft
from console.services.hooks.hooks import HookFilter
from console.services.work import Work

hooks = resource("hooks", about="Who hears which events, and how.")


@hooks.get("/hooks")
@permission(Permission.WEBHOOKS_VIEW)
@hooks.input(HookQuery, location="query")
@hooks.output(HookPage)
def index(query_data: HookQuery) -> dict[str, Any]:
    """List hooks."""
    work = current_work()
    wanted = HookFilter(
        active=query_data.active, q=query_data.q, event_type=query_data.event_type, health=query_data.health
    )
    rows = cases.find(
        work,
        organization_number=organization_number(),
        wanted=wanted,
        before=paging.before(query_data.cursor),
        limit=query_data.limit + 1,
    )
    conditions = hook_health.conditions(work, rows)
    return paging.page(rows, limit=query_data.limit, shown=lambda row: shown.hook(work, row, conditions[row.number]))


@hooks.post("/hooks")
@permission(Permission.WEBHOOKS_ADD)
@hooks.input(HookWrite)
@hooks.output(HookWithSecret, 201)
def create(json_data: HookWrite) -> tuple[HookWithSecret, int, dict[str, str]]:
    """Create a hook.

    The answer holds the signing secret, this once.
    """
    work = current_work()
    made = cases.create(
        work,
        organization_number=organization_number(),
        author_number=principal().user_number,
        draft=_draft(json_data, names=HookWrite.model_fields, hook=None),
    )
    return shown.hook_with_secret(work, made), 201, {"Location": url_for(".read", hook_id=made.hook.id)}


@hooks.get("/hooks/<uuid:hook_id>")
@permission(Permission.WEBHOOKS_VIEW)
@hooks.output(Hook)
def read(hook_id: UUID) -> Hook:
    """Read a hook."""
    work = current_work()
    return shown.one_hook(work, _get(work, hook_id))


@hooks.put("/hooks/<uuid:hook_id>")
@permission(Permission.WEBHOOKS_EDIT)
@hooks.input(HookWrite)
@hooks.output(Hook)
def replace(hook_id: UUID, json_data: HookWrite) -> Hook:
    """Replace a hook.

    Absent fields take their defaults; the signing secret stays unless a new one is given.
    """
    return _change(hook_id, json_data, names=HookWrite.model_fields)


@hooks.patch("/hooks/<uuid:hook_id>")
@permission(Permission.WEBHOOKS_EDIT)
@hooks.input(HookPatch)
@hooks.output(Hook)
def change(hook_id: UUID, json_data: HookPatch) -> Hook:
    """Change some fields of a hook."""
    return _change(hook_id, json_data, names=json_data.model_fields_set)


@hooks.delete("/hooks/<uuid:hook_id>")
@permission(Permission.WEBHOOKS_REMOVE)
@hooks.doc(responses={204: "The hook is gone; what waited for it is canceled, its log stays."})
def delete(hook_id: UUID) -> tuple[str, int]:
    """Delete a hook."""
    work = current_work()
    cases.delete(work, hook=_get(work, hook_id))
    return "", 204


@hooks.post("/hooks/<uuid:hook_id>/enable")
@permission(Permission.WEBHOOKS_EDIT)
@hooks.output(Hook)
def enable(hook_id: UUID) -> Hook:
    """Enable a hook.

    Its held deliveries are released.
    """
    work = current_work()
    return shown.one_hook(work, cases.enable(work, hook=_get(work, hook_id)))


@hooks.post("/hooks/<uuid:hook_id>/disable")
@permission(Permission.WEBHOOKS_EDIT)
@hooks.output(Hook)
def disable(hook_id: UUID) -> Hook:
    """Disable a hook.

    What waits for it and what comes is held until it is enabled.
    """
    work = current_work()
    return shown.one_hook(work, cases.disable(work, hook=_get(work, hook_id)))


@hooks.post("/hooks/<uuid:hook_id>/test")
@permission(Permission.WEBHOOKS_EDIT)
@hooks.input(WaitQuery, location="query")
@hooks.input(HookTest)
@hooks.output(DeliveryWithAttempts, 202)
@hooks.doc(responses={200: response_of(DeliveryWithAttempts, "The finished delivery.")})
def test(hook_id: UUID, query_data: WaitQuery, json_data: HookTest) -> tuple[DeliveryWithAttempts, int, dict[str, str]]:
    """Send a test.

    It takes the way of any delivery, through queue, guard and log, with one attempt that is never retried.
    With ``wait`` the answer waits for the outcome: 200 with the finished delivery, or 202 with the unfinished one.
    """
    work = current_work()
    payload = payload_as_sent() if "payload" in json_data.model_fields_set else None
    sent = hook_tests.send(work, hook=_get(work, hook_id), event_type=json_data.event_type, payload=payload)
    delivery, is_finished = outcome_of(work, sent, wait_s=query_data.wait)
    location = url_for("api_deliveries.read", delivery_id=delivery.id)
    return shown.delivery_with_attempts(work, delivery), 200 if is_finished else 202, {"Location": location}


@hooks.post("/hooks/<uuid:hook_id>/secret/rotate")
@permission(Permission.WEBHOOKS_EDIT)
@hooks.input(Rotation)
@hooks.output(HookWithSecret)
def rotate(hook_id: UUID, json_data: Rotation) -> HookWithSecret:
    """Rotate the signing secret.

    The old ones sign beside it for ``overlap_seconds``. The answer holds the new secret, this once.
    """
    work = current_work()
    made = hook_secrets.rotate(work, hook=_get(work, hook_id), overlap_s=json_data.overlap_seconds)
    return shown.hook_with_secret(work, made)


@hooks.get("/hooks/<uuid:hook_id>/stats")
@permission(Permission.WEBHOOKS_VIEW)
@hooks.output(HookStats)
def figures(hook_id: UUID) -> HookStats:
    """Read how a hook did.

    The figures are kept by the hour, so the first hour of a period may be cut.
    """
    work = current_work()
    hook = _get(work, hook_id)
    day, week = (
        stats.overview(work, organization_number=organization_number(), hook_number=hook.number, period=period)
        for period in (stats.Period.DAY, stats.Period.WEEK)
    )
    waiting = backlogs.waiting_of(work, hook)
    return HookStats(
        last_24_hours=shown.figures(day.total),
        last_7_days=shown.figures(week.total),
        pending=waiting.pending,
        held=waiting.held,
    )


def _get(work: Work, hook_id: UUID) -> HookRow:
    return cases.get(work, organization_number=organization_number(), hook_id=hook_id)


def _change(hook_id: UUID, body: Input, *, names: Any) -> Hook:
    work = current_work()
    hook = _get(work, hook_id)
    draft = _draft(body, names=names, hook=hook)
    return shown.one_hook(work, cases.change(work, hook=hook, draft=draft))


def _draft(body: Input, *, names: Any, hook: HookRow | None) -> HookDraft:
    """Say what *names* of the body want; a masked header value that comes back keeps the stored one."""
    fields = {name: getattr(body, name) for name in names}
    if fields.get("rate_limit") is not None:
        fields["rate_limit"] = fields["rate_limit"].model_dump()
    if hook is not None and fields.get("headers"):
        fields["headers"] = {name: Kept(name) if text == MASK else text for name, text in fields["headers"].items()}
    return HookDraft(**fields)
