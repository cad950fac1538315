"""What waits for a hook: send all of it now, or cancel all of it."""

from __future__ import annotations

from uuid import UUID

from flask import Response, url_for

from console.core.permissions import Permission
from console.extensions import current_work
from console.services.deliveries import backlogs
from console.services.hooks import hook_health
from console.web import access, hx
from console.web.filters import figure
from console.web.hooks.shared import hook_of, pages


@pages.post("/<uuid:hook_id>/send-waiting")
@access.requires(Permission.DELIVERIES_RESEND)
def send_waiting(hook_id: UUID) -> Response:
    """Skip the waits of everything that waits for the hook."""
    hook = hook_of(hook_id)
    count = backlogs.send_now(current_work(), hook=hook)
    state = hook_health.condition(current_work(), hook).state
    words = f"{figure(count)} {'delivery is' if count == 1 else 'deliveries are'} due now."
    if state is not None and state.openings:
        words += " One is sent first; if it arrives, the others follow." if count > 1 else ""
    return hx.redirect_to(url_for("hooks.show", hook_id=hook.id), message=words)


@pages.post("/<uuid:hook_id>/cancel-waiting")
@access.requires(Permission.DELIVERIES_RESEND)
def cancel_waiting(hook_id: UUID) -> Response:
    """Give up on everything that waits for the hook."""
    hook = hook_of(hook_id)
    count = backlogs.cancel(current_work(), hook=hook)
    words = f"{figure(count)} {'delivery was' if count == 1 else 'deliveries were'} canceled; each can still be resent."
    return hx.redirect_to(url_for("hooks.show", hook_id=hook.id), message=words)
