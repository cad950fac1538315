"""What waits for a hook: send all of it now, or cancel all of it, no more than what was shown."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Conflict
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import DeliveryState
from console.services.deliveries import backlogs
from console.services.deliveries.backlogs import Backlog
from console.services.hooks import hook_health
from console.web import access, hx
from console.web.filters import figure, plural
from console.web.hooks.shared import hook_of, name_of, pages

KINDS = {"waiting": backlogs.WAITING, "held": (DeliveryState.HELD,)}
"""What can be canceled at once, by the word in the address."""


@pages.post("/<uuid:hook_id>/send-waiting")
@access.requires(Permission.DELIVERIES_RESEND)
def send_waiting(hook_id: UUID) -> Response:
    """Skip the waits of everything that was shown as waiting for the hook."""
    hook = hook_of(hook_id)
    count = backlogs.send_now(current_work(), hook=hook, up_to=shown_backlog().up_to)
    state = hook_health.condition(current_work(), hook).state
    words = f"{figure(count)} {'delivery is' if count == 1 else 'deliveries are'} due now."
    if state is not None and state.openings:
        words += " One is sent first; if it arrives, the others follow." if count > 1 else ""
    return hx.redirect_to(url_for("hooks.show", hook_id=hook.id), message=words)


@pages.get("/<uuid:hook_id>/cancel-<any(waiting, held):kind>")
@access.requires(Permission.DELIVERIES_RESEND)
def ask_cancel(hook_id: UUID, kind: str) -> Response:
    """Ask before everything that waits for the hook is canceled, and say how much that is."""
    hook = hook_of(hook_id)
    backlog = backlogs.backlog_of(current_work(), hook, *KINDS[kind], cap=None)
    return hx.page("hooks/cancel_backlog.html", hook=hook, name=name_of(hook), backlog=backlog, kind=kind)


@pages.post("/<uuid:hook_id>/cancel-<any(waiting, held):kind>")
@access.requires(Permission.DELIVERIES_RESEND)
def cancel_backlog(hook_id: UUID, kind: str) -> Response:
    """Cancel what was shown; ask again if more waits now, or if nobody was asked."""
    hook, shown = hook_of(hook_id), shown_backlog()
    if shown.up_to is None:
        return hx.redirect_to(url_for("hooks.ask_cancel", hook_id=hook.id, kind=kind))
    try:
        count = backlogs.cancel(current_work(), hook=hook, states=KINDS[kind], shown=shown)
    except Conflict as error:
        return hx.redirect_to(
            url_for("hooks.ask_cancel", hook_id=hook.id, kind=kind), message=error.message, tone="warn"
        )
    words = f"{plural(count, 'delivery was', 'deliveries were', limit=None)} canceled; each can still be resent."
    return hx.redirect_to(url_for("deliveries.of_hook", hook_id=hook.id, state="canceled"), message=words)


def shown_backlog() -> Backlog:
    """Return what the form was shown with; without *up_to* it says nothing."""
    return Backlog(request.form.get("count", 0, type=int), request.form.get("up_to", type=int))
