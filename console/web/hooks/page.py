"""One hook: how it is doing, what it is, a test of it, what was sent last, who changed it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from console.core.headers import denied_names
from console.core.permissions import Permission
from console.core.retry_reading import read_stored
from console.extensions import current_work
from console.models import AuditEntry, Delivery, DeliveryState, Hook
from console.services import audit
from console.services.audit import AuditFilter
from console.services.deliveries import backlogs, deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.dialects import dialect_words
from console.services.event_types import catalogue
from console.services.figures import stats
from console.services.hooks import hook_secrets
from console.services.organizations import defaults
from console.web import access, hx, once
from console.web.changes import label_of
from console.web.delivery_rows import rows_of
from console.web.filters import FORMAT_NAMES
from console.web.hooks.retries import times_of
from console.web.hooks.shared import health_of, hears, hook_of, name_of, pages
from console.web.hooks.testing import TestForm, find_result, first_type_of
from console.web.series import PERIODS, answer_bars, period_asked, periods

RECENT, CHANGES = 8, 5
ACTIONS = {
    "hook.created": "made it",
    "hook.updated": "changed it",
    "hook.enabled": "switched it on",
    "hook.disabled": "switched it off",
    "hook.secret_rotated": "rotated its secret",
    "hook.secret_revealed": "looked at its secret",
    "hook.overlap_ended": "ended the overlap of its secrets",
    "hook.waiting_hurried": "sent all that waited",
    "hook.waiting_canceled": "canceled all that waited",
}


@pages.get("/<uuid:hook_id>")
@access.requires(Permission.WEBHOOKS_VIEW)
def show(hook_id: UUID) -> Response:
    """Show a hook; its chart alone when another period is asked for."""
    return render(hook_of(hook_id), block="answers")


@pages.get("/<uuid:hook_id>/live")
@access.requires(Permission.WEBHOOKS_VIEW)
def live(hook_id: UUID) -> Response:
    """Give how the hook stands and its recent deliveries, if either changed since it was shown (``seen``); else 204."""
    hook = hook_of(hook_id)
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("hooks.show", hook_id=hook.id))
    facts = standing(hook)
    if request.args.get("seen", "") == facts["seen"]:
        return hx.nothing_new()
    return standing_part(facts)


def standing_part(facts: dict[str, Any]) -> Response:
    """Return the part of the page that :func:`standing` describes, for htmx."""
    return hx.page("hooks/show.html", block="standing", is_update=True, **facts)


def render(hook: Hook, *, status: int = 200, test: TestForm | None = None, block: str | None = None) -> Response:
    """Render the hook's page, or one block of it for htmx."""
    work, number = current_work(), hook.organization_number
    tested = request.args.get("test", type=UUID)
    period = period_asked()
    overview = stats.overview(work, organization_number=number, period=period, hook_number=hook.number)
    headers = hook_secrets.headers_of(work, hook)
    changes = audit.find(
        work,
        organization_number=number,
        wanted=AuditFilter(object_type="hook", object_id=str(hook.id)),
        limit=CHANGES,
    )
    return hx.page(
        "hooks/show.html",
        block=block,
        status=status,
        **standing(hook),
        hears=hears(hook),
        format_name=FORMAT_NAMES.get(hook.payload_format, hook.payload_format),
        headers=headers,
        denied=denied_names(headers, allow_content_type=True),
        times=times_of(hook.retry, default=defaults.policy_for(work, hook)),
        policy=read_stored(hook.retry, default=defaults.policy_for(work, hook))[0],
        timeout=defaults.timeout_for(work, hook),
        kept_days=defaults.retention_for(work, access.place().organization),
        is_own_retention=access.place().organization.retention_days is not None,
        type_names=catalogue.names(work, organization_number=number),
        test=test or TestForm(first_type_of(hook)),
        result=find_result(hook, tested) if tested else None,
        chart=answer_bars(overview),
        period_words=PERIODS[period],
        periods=periods("hooks.show", chosen=period, hook_id=hook.id),
        faces=dialect_words.faces_of(work, hook, organization_slug=access.place().organization.slug),
        total=overview.total,
        changes=[(entry, _done(entry)) for entry in changes if entry.action in ACTIONS],
        fresh_secret=None if hx.wants_fragment() else once.take(hook.id),
    )


def standing(hook: Hook) -> dict[str, Any]:
    """Collect what changes by itself; *seen* changes with it."""
    work = current_work()
    health, state = health_of(hook)
    pending = backlogs.backlog_of(work, hook, *backlogs.WAITING)
    held = backlogs.backlog_of(work, hook, DeliveryState.HELD)
    wanted = DeliveryFilter(hook_number=hook.number)
    latest = deliveries.find(work, organization_number=hook.organization_number, wanted=wanted, limit=RECENT)
    return {
        "hook": hook,
        "name": name_of(hook),
        "health": health,
        "state": state,
        "pending": pending,
        "held": held,
        "rows": rows_of(work, latest),
        "seen": _digest(hook.is_active, health, pending, held, state and state.last_success_at, *_marks(latest)),
    }


def _done(entry: AuditEntry) -> str:
    fields = ", ".join(label_of(name) for name in entry.changes) if entry.action == "hook.updated" else ""
    return f"{ACTIONS[entry.action]}: {fields}" if fields else ACTIONS[entry.action]


def _marks(latest: Sequence[Delivery]) -> list[tuple[object, ...]]:
    return [(one.number, one.state, one.attempt_count, one.next_attempt_at) for one in latest]


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
