"""One delivery: how it stands, every attempt, what comes next. What may change keeps itself fresh until it is final."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from console.core.envelopes import Body
from console.core.errors import Refused
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import Delivery
from console.services import audit, deliveries, waits
from console.services.audit import AuditFilter
from console.web import access, hx
from console.web.deliveries import attempts, words
from console.web.deliveries.attempts import Chain
from console.web.deliveries.shared import delivery_of, pages
from console.web.delivery_rows import FINAL, mark_of, most_attempts, name_of
from console.web.downloads import readable
from console.web.filters import relative

QUICK_S = 30
"""So long after it was opened, the page looks every second; then every five."""
MOST_RESENDERS = 100


@pages.get("/deliveries/<uuid:delivery_id>")
@access.requires(Permission.DELIVERIES_VIEW)
def show(delivery_id: UUID) -> Response:
    """Show a delivery, or ask before it is sent a second time (``confirm=resend``)."""
    delivery = delivery_of(delivery_id)
    if request.args.get("confirm") == "resend":
        return hx.page("deliveries/confirm.html", delivery=delivery, name_of=name_of)
    return hx.page("deliveries/show.html", **_facts(delivery))


@pages.get("/deliveries/<uuid:delivery_id>/live")
@access.requires(Permission.DELIVERIES_VIEW)
def live(delivery_id: UUID) -> Response:
    """Give the parts that changed since they were shown (``seen``); 204 when none did."""
    delivery = delivery_of(delivery_id)
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("deliveries.show", delivery_id=delivery.id))
    facts = _facts(delivery)
    seen, slow = request.args.get("seen", ""), request.args.get("slow", "")
    if seen == facts["seen"] and slow == facts["slow"]:
        return hx.nothing_new()
    is_new = request.args.get("attempts", "") != facts["attempts_seen"]
    return hx.page("deliveries/show.html", block="live", with_attempts=is_new, **facts)


def _facts(delivery: Delivery) -> dict[str, Any]:
    """Collect what the page shows; *seen* and *attempts_seen* change with what they stand for."""
    work = current_work()
    now = work.now()
    most = most_attempts(work, delivery)
    timeout_s = delivery.hook.timeout_s or work.settings.timeout
    reason = waits.reason_of(work, delivery) or ""
    headline = words.headline(delivery, reason=reason, most_attempts=most, timeout_s=timeout_s)
    body = _body(delivery)
    planned = deliveries.planned_attempts(work, delivery)
    permissions = access.place().permissions
    next_words = relative(headline.next_at, now=now) if headline.next_at else ""
    return {
        "delivery": delivery,
        "hook_name": name_of(delivery.hook),
        "mark": mark_of(delivery),
        "headline": headline,
        "next_is_due": headline.next_at is not None and headline.next_at <= now,
        "steps": words.steps(delivery),
        "chains": _chains(delivery, body=body),
        "planned": planned,
        "sent_body": readable(body.data) if body else None,
        "sent_type": body.content_type if body else "",
        "is_final": delivery.state in FINAL,
        "is_deleted": delivery.hook.deleted_at is not None,
        "may_resend": grants(permissions, Permission.DELIVERIES_RESEND),
        "sees_answers": grants(permissions, Permission.DELIVERIES_RESEND),
        "sees_peer": grants(permissions, Permission.ADMIN),
        "seen": _digest(
            delivery.state, delivery.modified_at, delivery.attempt_count, next_words, reason, _ended(delivery)
        ),
        "attempts_seen": _digest(delivery.state, delivery.attempt_count, delivery.next_attempt_at, _ended(delivery)),
        "slow": "1" if _is_slow(now) else "",
        "opened": request.args.get("opened") or str(int(now.timestamp())),
    }


def _body(delivery: Delivery) -> Body | None:
    """Build what is sent; None when its format is one that this version does not know."""
    try:
        return deliveries.body_of(delivery)
    except Refused:
        return None


def _chains(delivery: Delivery, *, body: Body | None) -> list[Chain]:
    if delivery.chain == 1:
        return attempts.chains(delivery, body=body, who={})
    entries = audit.find(
        current_work(),
        organization_number=delivery.organization_number,
        wanted=AuditFilter(action="delivery.resent", object_type="delivery", object_id=str(delivery.id)),
        limit=MOST_RESENDERS,
    )
    names = [entry.actor for entry in reversed(entries)]
    return attempts.chains(delivery, body=body, who=words.resenders(names, chains=delivery.chain))


def _ended(delivery: Delivery) -> int:
    return sum(attempt.outcome is not None for attempt in delivery.attempts)


def _is_slow(now: datetime) -> bool:
    opened = request.args.get("opened", "")
    is_number = opened.isascii() and opened.isdecimal() and len(opened) <= 12  # noqa: PLR2004 up to the year 33658
    return is_number and now.timestamp() - int(opened) > QUICK_S


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
