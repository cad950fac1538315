"""One delivery: how it stands, every attempt, what comes next. What may change keeps itself fresh until it is final."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from console.core.envelopes import Body
from console.core.errors import Invalid, NotFound, Refused
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import Attempt, Delivery
from console.services import audit
from console.services.audit import AuditFilter
from console.services.deliveries import deliveries, signatures, waits
from console.services.deliveries.deliveries import FINAL
from console.services.deliveries.signatures import Signature
from console.services.organizations import defaults
from console.web import access, hx
from console.web.deliveries import attempts, words
from console.web.deliveries.asking import asked_of, filter_values, query_of
from console.web.deliveries.shared import delivery_of, pages
from console.web.delivery_rows import mark_of, most_attempts, name_of
from console.web.downloads import readable
from console.web.filters import relative

QUICK_S = 30
"""So long after it was opened, the page looks every second; then every five."""
MOST_RESENDERS = 100


@pages.get("/deliveries/<uuid:delivery_id>")
@access.requires(Permission.DELIVERIES_VIEW)
def show(delivery_id: UUID) -> Response:
    """Show a delivery, or ask before it is sent a second time or canceled (``confirm``).

    The query string may hold the filter of the list it was opened from: Newer and Older then keep to it.
    """
    delivery = delivery_of(delivery_id)
    act = request.args.get("confirm")
    if act == "resend" or (act == "cancel" and delivery.state not in FINAL):
        return hx.page("deliveries/confirm.html", delivery=delivery, act=act)
    return hx.page("deliveries/show.html", **_facts(delivery), **_neighbours(delivery))


@pages.get("/deliveries/<uuid:delivery_id>/live")
@access.requires(Permission.DELIVERIES_VIEW)
def live(delivery_id: UUID) -> Response:
    """Give the parts that changed since they were shown (``seen``); 204 when none did."""
    delivery = delivery_of(delivery_id)
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("deliveries.show", delivery_id=delivery.id))
    marks = _marks(delivery)
    if all(request.args.get(name, "") == marks[name] for name in ("seen", "slow")):
        return hx.nothing_new()
    is_new = request.args.get("attempts", "") != marks["attempts_seen"]
    return hx.page("deliveries/show.html", block="live", with_attempts=is_new, **_facts(delivery))


@pages.get("/deliveries/<uuid:delivery_id>/attempts/<int:number>")
@access.requires(Permission.DELIVERIES_VIEW)
def attempt(delivery_id: UUID, number: int) -> Response:
    """Give what was sent and what came back in one attempt."""
    delivery = delivery_of(delivery_id)
    found = next((one for one in delivery.attempts if one.number == number), None)
    if found is None:
        raise NotFound("attempt")
    anchor = f"attempt-{number}"
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("deliveries.show", delivery_id=delivery.id, attempt=number, _anchor=anchor))
    return hx.page("deliveries/attempt.html", delivery=delivery, **_opened(delivery, found))


def _facts(delivery: Delivery) -> dict[str, Any]:
    """Collect what the page shows."""
    work = current_work()
    headline = _headline(delivery)
    wanted = request.args.get("attempt", "")
    opened = next((one for one in delivery.attempts if str(one.number) == wanted), None)
    latest = delivery.attempts[-1] if delivery.attempts else None
    kept_days = defaults.retention_for(work, access.place().organization)
    return {
        "delivery": delivery,
        "hook_name": name_of(delivery.hook),
        "mark": mark_of(delivery),
        "headline": headline,
        "next_is_due": headline.next_at is not None and headline.next_at <= work.now(),
        "steps": words.steps(delivery),
        "chains": attempts.chains(delivery, who=_resenders(delivery)),
        "planned": deliveries.planned_attempts(work, delivery),
        "is_final": delivery.state in FINAL,
        "kept_days": kept_days,
        "kept_until": delivery.finished_at + timedelta(days=kept_days) if delivery.finished_at else None,
        "is_deleted": delivery.hook.deleted_at is not None,
        "may_resend": grants(access.place().permissions, Permission.DELIVERIES_RESEND),
        **_marks(delivery),
        **_opened(delivery, opened or latest),
    }


def _opened(delivery: Delivery, attempt: Attempt | None) -> dict[str, Any]:
    """Collect what the opened attempt shows."""
    sight, body = access.sight(), _body(delivery)
    return {
        "one": attempts.shown(attempt) if attempt else None,
        "detail": attempts.detail_of(attempt, body=body, sight=sight) if attempt else None,
        "signatures": _signatures(delivery, attempt, body),
        "sent_body": readable(body.data) if body else None,
        "sent_type": body.content_type if body else "",
        "sees_answers": sight.reads_responses,
        "sees_peer": grants(access.place().permissions, Permission.ADMIN),
    }


def _signatures(delivery: Delivery, attempt: Attempt | None, body: Body | None) -> list[Signature]:
    """Sign once more for editors, who may look at the secrets themselves."""
    if attempt is None or body is None or not access.sight().edits_hooks or delivery.hook.deleted_at is not None:
        return []
    return signatures.signatures_of(current_work(), hook=delivery.hook, attempt=attempt, body=body.data)


def _neighbours(delivery: Delivery) -> dict[str, Any]:
    """Find the deliveries before and after this one in the list that it was opened from."""
    asked, values = asked_of(hook=None), filter_values()
    found: dict[str, Any] = {"list_query": query_of(values), "newer": None, "older": None}
    if asked.problem:
        return found
    work, number = current_work(), access.place().organization.number
    try:
        newer = deliveries.find(work, organization_number=number, wanted=asked.wanted, after=delivery.number, limit=1)
        older = deliveries.find(work, organization_number=number, wanted=asked.wanted, before=delivery.number, limit=1)
    except Invalid:
        return found
    return {**found, "newer": next(iter(newer), None), "older": next(iter(older), None)}


def _headline(delivery: Delivery) -> words.Headline:
    work = current_work()
    timeout_s = defaults.timeout_for(work, delivery.hook)
    reason = waits.reason_of(work, delivery) or ""
    return words.headline(delivery, reason=reason, most_attempts=most_attempts(work, delivery), timeout_s=timeout_s)


def _marks(delivery: Delivery) -> dict[str, str]:
    """Give what a poll brings back: *seen* and *attempts_seen* change with what they stand for."""
    now, headline = current_work().now(), _headline(delivery)
    next_words = relative(headline.next_at, now=now) if headline.next_at else ""
    ended = sum(attempt.outcome is not None for attempt in delivery.attempts)
    state, count = delivery.state, delivery.attempt_count
    return {
        "seen": _digest(state, delivery.modified_at, count, headline.words, next_words, ended),
        "attempts_seen": _digest(state, count, delivery.next_attempt_at, ended),
        "slow": "1" if _is_slow(now) else "",
        "opened": request.args.get("opened") or str(int(now.timestamp())),
    }


def _body(delivery: Delivery) -> Body | None:
    """Build what is sent; None when its format is one that this version does not know."""
    try:
        return deliveries.body_of(delivery)
    except Refused:
        return None


def _resenders(delivery: Delivery) -> dict[int, str]:
    if delivery.chain == 1:
        return {}
    entries = audit.find(
        current_work(),
        organization_number=delivery.organization_number,
        wanted=AuditFilter(action="delivery.resent", object_type="delivery", object_id=str(delivery.id)),
        limit=MOST_RESENDERS,
    )
    return words.resenders([entry.who for entry in reversed(entries)], chains=delivery.chain)


def _is_slow(now: datetime) -> bool:
    opened = request.args.get("opened", "")
    is_number = opened.isascii() and opened.isdecimal() and len(opened) <= 12  # noqa: PLR2004 up to the year 33658
    return is_number and now.timestamp() - int(opened) > QUICK_S


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
