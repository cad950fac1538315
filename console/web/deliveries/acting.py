"""What people do with deliveries: resend one or many, send a waiting one now, cancel one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Delivery
from console.services.deliveries import deliveries
from console.web import access, hx
from console.web.deliveries.shared import delivery_of, pages
from console.web.delivery_rows import name_of, row_of
from console.web.filters import plural
from console.web.sessions import safe_next

ROWS: dict[str, dict[str, Any]] = {
    "selectable": {"with_hook": True, "with_event": True, "selectable": True},
    "of-hook": {"with_hook": False, "with_event": True, "selectable": True},
    "event": {"with_hook": True, "with_event": True, "selectable": False},
    "hook": {"with_hook": True, "with_event": False, "selectable": False},
    "plain": {"with_hook": False, "with_event": True, "selectable": False},
}
"""How the row was drawn that htmx wants back."""


@pages.post("/deliveries/<uuid:delivery_id>/resend")
@access.requires(Permission.DELIVERIES_RESEND)
def resend(delivery_id: UUID) -> Response:
    """Begin a new chain of attempts; a row of a list is swapped for its new self."""
    delivery = delivery_of(delivery_id)
    message = _resent_words(delivery)
    deliveries.resend(current_work(), delivery=delivery)
    look = ROWS.get(request.form.get("row", ""))
    if look is None or not hx.wants_fragment():
        return _back_to(delivery, message)
    hx.toast(message)
    query = urlsplit(safe_next(request.form.get("back")) or "").query
    return hx.page(
        "deliveries/row.html",
        row=row_of(current_work(), delivery),
        query=f"?{query}" if query else "",
        **look,
    )


def _resent_words(delivery: Delivery) -> str:
    """Say what a resend does to a delivery as it stands before: the switch of its hook does not hold it."""
    again = "sent again" if delivery.attempt_count else "sent"
    now = f"{again} now, with the same webhook-id"
    if not delivery.hook.is_active:
        return f"{name_of(delivery.hook)} is switched off; this delivery is {now}, all the same."
    return f"It was delivered before and is {now}." if delivery.state == "delivered" else f"It is {now}."


@pages.post("/deliveries/resend")
@access.requires(Permission.DELIVERIES_RESEND)
def resend_many() -> Response:
    """Resend the selected ones, those of switched off hooks too."""
    number, ids = access.place().organization.number, _ids()
    off = deliveries.of_disabled_hooks(current_work(), organization_number=number, ids=ids[: deliveries.MOST_RESENDS])
    nonetheless = f" {plural(off, 'of them goes', 'of them go')} to a hook that is switched off, all the same."
    return _with_many(
        deliveries.resend_many,
        done="sent now",
        why_not="being sent, or without a hook",
        note=nonetheless if off else "",
    )


@pages.post("/deliveries/cancel")
@access.requires(Permission.DELIVERIES_RESEND)
def cancel_many() -> Response:
    """Cancel the selected ones that wait, once the person was told how many they are and said yes."""
    ids, back = _ids(), safe_next(request.form.get("back")) or url_for("deliveries.index")
    if ids and "confirmed" not in request.form:
        number = access.place().organization.number
        waiting = deliveries.cancelable(current_work(), organization_number=number, ids=ids)
        return hx.page("deliveries/cancel_many.html", ids=waiting, others=len(ids) - len(waiting), back=back)
    return _with_many(deliveries.cancel_many, done="canceled", why_not="not waiting")


@pages.post("/deliveries/<uuid:delivery_id>/send-now")
@access.requires(Permission.DELIVERIES_RESEND)
def send_now(delivery_id: UUID) -> Response:
    """Skip the wait for the next attempt."""
    delivery = delivery_of(delivery_id)
    return hx.answer_of(
        lambda: deliveries.send_now(current_work(), delivery=delivery),
        done="The next attempt is made now.",
        answer=partial(_back_to, delivery),
    )


@pages.post("/deliveries/<uuid:delivery_id>/cancel")
@access.requires(Permission.DELIVERIES_RESEND)
def cancel(delivery_id: UUID) -> Response:
    """Give up on a delivery that waits."""
    delivery = delivery_of(delivery_id)

    def done() -> str:
        if delivery.state == "sending":
            return "The attempt that is on its way is the last one."
        return "Canceled: it is not sent any more. You can still resend it."

    return hx.answer_of(
        lambda: deliveries.cancel(current_work(), delivery=delivery), done=done, answer=partial(_back_to, delivery)
    )


def _with_many(act: Callable[..., int], *, done: str, why_not: str, note: str = "") -> Response:
    """Do something with the selected ones, and say with how many of them."""
    ids, back = _ids(), safe_next(request.form.get("back")) or url_for("deliveries.index")
    if not ids:
        return hx.redirect_to(back, message="Select at least one delivery first.", tone="warn")
    try:
        count = act(current_work(), organization_number=access.place().organization.number, ids=ids)
    except Invalid as error:
        return hx.redirect_to(back, message=error.message, tone="bad")
    message = f"{plural(count, 'delivery is', 'deliveries are')} {done}.{note}"
    if len(ids) > count:
        message += f" {plural(len(ids) - count, 'other was', 'others were')} left alone: {why_not}."
    return hx.redirect_to(back, message=message, tone="good" if count else "warn")


def _ids() -> list[UUID]:
    """Read the ticked ids; what is none is passed over, as ids of deliveries that are gone are."""
    found = []
    for text in request.form.getlist("ids"):
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found


def _back_to(delivery: Delivery, message: str, tone: hx.Tone = "good") -> Response:
    back = safe_next(request.form.get("back")) or url_for("deliveries.show", delivery_id=delivery.id)
    return hx.redirect_to(back, message=message, tone=tone)
