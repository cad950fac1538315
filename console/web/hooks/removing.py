"""Copies of hooks, and their end."""

from __future__ import annotations

from uuid import UUID

from flask import Response, url_for

from console.core.catalogue import OMS
from console.core.headers import denied_names
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.deliveries import backlogs
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.web import access, creating, hx
from console.web.filters import plural
from console.web.hooks.shared import hook_of, name_of, pages


@pages.post("/<uuid:hook_id>/duplicate")
@access.requires(Permission.WEBHOOKS_ADD)
@creating.one_result
def duplicate(hook_id: UUID) -> Response:
    """Make a copy, switched off and with a secret of its own, and open it for editing."""
    work, hook, someone = current_work(), hook_of(hook_id), access.person()
    headers = hook_secrets.headers_of(work, hook)
    denied = denied_names(headers, allow_content_type=hook.payload_format == OMS)
    draft = HookDraft(
        name=f"Copy of {name_of(hook)}"[:200],
        url=hook.url,
        description=hook.description,
        is_active=False,
        all_events=hook.all_events,
        event_types=hook.event_types,
        event_groups=hook.event_groups,
        sources=hook.sources,
        content_type=hook.content_type,
        payload_format=hook.payload_format,
        headers={name: value for name, value in headers.items() if name not in denied},
        filter=hook.filter,
        retry=hook.retry,
        timeout=hook.timeout_s,
        max_in_flight=hook.max_in_flight,
        rate_limit=hook.rate_limit,
    )
    made = hooks.create(
        work,
        organization_number=hook.organization_number,
        author_number=someone.user.number if someone else None,
        draft=draft,
    )
    return hx.redirect_to(
        url_for("hooks.edit", hook_id=made.hook.id),
        message="This is the copy. It is off and has a secret of its own; change it, then switch it on.",
        tone="info",
    )


@pages.get("/<uuid:hook_id>/delete")
@access.requires(Permission.WEBHOOKS_REMOVE)
def ask_delete(hook_id: UUID) -> Response:
    """Say what deleting the hook takes along."""
    hook = hook_of(hook_id)
    waiting = backlogs.waiting_of(current_work(), hook)
    return hx.page("hooks/delete.html", hook=hook, name=name_of(hook), waiting=waiting)


@pages.post("/<uuid:hook_id>/delete")
@access.requires(Permission.WEBHOOKS_REMOVE)
def delete(hook_id: UUID) -> Response:
    """Delete the hook."""
    work, hook = current_work(), hook_of(hook_id)
    waiting = backlogs.waiting_of(work, hook)
    hooks.delete(work, hook=hook)
    canceled = waiting.pending + waiting.held
    rest = f" {plural(canceled, 'waiting delivery was', 'waiting deliveries were')} canceled." if canceled else ""
    return hx.redirect_to(url_for("hooks.index"), message=f"{name_of(hook)} is deleted.{rest}")
