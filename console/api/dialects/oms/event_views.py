"""The operations on events: list, read, publish one to a webhook, resend one."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any, cast
from uuid import UUID

from flask import Response, request

from console.api.dialects import drf
from console.api.dialects.drf import ErrorAnswer, Field, Given, fields
from console.api.dialects.oms import events
from console.api.dialects.oms.face import (
    EVENTS,
    LARGEST_PAGE,
    USUAL_PAGE,
    get_hook,
    oms,
    refusal,
    registered_types,
    shown_hooks,
)
from console.core import json_members, strict_json
from console.core.envelopes import json_text
from console.core.errors import NotFound, Refused
from console.core.permissions import Permission
from console.extensions import collaborators, current_work
from console.models import Delivery, DeliveryState, Hook
from console.services.deliveries import deliveries
from console.services.dialects import dialect_deliveries
from console.services.dialects.dialect_deliveries import DeliveriesWanted, Order
from console.services.event_types import object_models
from console.services.events import publishing
from console.services.events.event_drafts import LONGEST_TEXT, EventDraft
from console.services.work import Work

PATIENCE_S = 5.0
"""How long resend-event waits for an attempt that is being made; then it answers 409."""
PAUSE_S = 0.05
NO_CHOICE = "Select a valid choice. That choice is not one of the available choices."
ORDERS = {
    "id": Order.NUMBER,
    "created_date": Order.CREATED_AT,
    "modified_date": Order.MODIFIED_AT,
    "delivered": Order.IS_DELIVERED,
    "retry_count": Order.ATTEMPTS,
    "response_http_status": Order.STATUS,
}
COMPARISONS = {"": "eq", "__gt": "gt", "__gte": "ge", "__lt": "lt", "__lte": "le"}

_name = fields.text(max_length=LONGEST_TEXT)
PUBLISHED = (
    Field(name="hook", parse=fields.integer(), is_required=True),
    Field(
        name="instance",
        parse=fields.nested(
            Field(name="pk", parse=_name, is_required=True), Field(name="model", parse=_name, is_required=True)
        ),
        is_required=True,
        is_object=True,
    ),
)
RESENT = (Field(name="event", parse=fields.uuid, is_required=True),)


@oms.on("GET", EVENTS, permission=Permission.DELIVERIES_VIEW)
def index() -> Response:
    """List events, newest first unless another order is asked for."""
    work = current_work()
    organization_number = drf.organization_number()
    wanted = _wanted(work)
    count = dialect_deliveries.count(work, organization_number=organization_number, wanted=wanted)
    page = drf.page_of(count, usual=USUAL_PAGE, largest=LARGEST_PAGE)
    rows = dialect_deliveries.page(
        work,
        organization_number=organization_number,
        wanted=wanted,
        orders=_orders(),
        offset=page.offset,
        limit=page.size,
    )
    return _answer(page.envelope(list(events.shown(work, rows))))


@oms.on("GET", f"{EVENTS}<number>/", permission=Permission.DELIVERIES_VIEW)
def read(number: str) -> Response:
    """Give an event."""
    work = current_work()
    wanted = drf.read_number(number)
    if wanted is None:
        raise NotFound("delivery")
    delivery = dialect_deliveries.get(
        work,
        organization_number=drf.organization_number(),
        wanted=DeliveriesWanted(hook_numbers=shown_hooks(work), number=wanted),
    )
    [event] = events.shown(work, [delivery])
    return _answer(event)


@oms.on("POST", f"{EVENTS}publish-event/", permission=Permission.EVENTS_PUBLISH)
def publish() -> Response:
    """Publish an event about an object to one webhook."""
    work = current_work()
    given = drf.body()
    values = drf.take(given, PUBLISHED)
    payload, about = _payload(given), values["instance"]
    try:
        hook = get_hook(work, str(values["hook"]))
        draft = EventDraft(
            type=hook.event_types[0], payload=payload, object_model=about["model"], object_pk=about["pk"]
        )
        _publish(work, hook, draft)
    except NotFound:
        raise refusal("webhook_100_1") from None
    return drf.empty(202)


def _publish(work: Work, hook: Hook, draft: EventDraft) -> None:
    """Publish an event to a webhook; raise ErrorAnswer, or NotFound when it was deleted meanwhile."""
    if not hook.is_active:
        raise refusal("webhook_100_3")
    if draft.type not in registered_types(work):
        raise refusal("event_100_2")
    publishing.publish_to(work, hook=hook, draft=draft)


@oms.on("POST", f"{EVENTS}resend-event/", permission=Permission.DELIVERIES_RESEND)
def resend() -> Response:
    """Send an event again; one that is being sent right now is waited for."""
    work = current_work()
    values = drf.take(drf.body(), RESENT)
    delivery = _look(work, values["event"])
    if delivery.state == DeliveryState.SENDING:
        with collaborators().waits.one() as may_wait:
            deadline = monotonic() + (PATIENCE_S if may_wait else 0)
            while delivery.state == DeliveryState.SENDING and monotonic() < deadline:
                sleep(PAUSE_S)
                delivery = _look(work, values["event"])
    deliveries.resend(work, delivery=delivery)
    return drf.empty(200)


def _look(work: Work, uuid: UUID) -> Delivery:
    """Give an event that the caller sees, with no transaction left open; raise ErrorAnswer."""
    wanted = DeliveriesWanted(hook_numbers=shown_hooks(work), delivery_id=uuid)
    try:
        delivery = dialect_deliveries.get(work, organization_number=drf.organization_number(), wanted=wanted)
    except NotFound:
        raise refusal("event_100_1") from None
    work.session.commit()
    return delivery


def _answer(body: dict[str, Any]) -> Response:
    return Response(events.written(body).encode("utf-8", "replace"), mimetype="application/json")


def _payload(given: Given) -> bytes:
    """Give ``instance`` as it was written, with all its keys; raise ErrorAnswer."""
    if not given.is_form:
        parts = cast("dict[str, str]", json_members.split(request.get_data().decode(), depth=1))
        return parts["instance"].encode()
    text = given.values.get("instance")
    payload = text.encode() if isinstance(text, str) else json_text(given.object("instance"))
    try:
        strict_json.load(payload)
    except Refused as error:
        raise ErrorAnswer(400, {"instance": [error.message]}) from None
    return payload


# --- the query of the list ------------------------------------------------------------------------------------------


def _wanted(work: Work) -> DeliveriesWanted:
    """Read the filters; raise ErrorAnswer."""
    filters = drf.Filters()
    hooks = shown_hooks(work)
    created = {name: filters.moment(f"created_date{suffix}") for suffix, name in COMPARISONS.items()}
    webhook, content_type = filters.text("webhook"), filters.text("content_type")
    hook_number = drf.read_number(webhook) if webhook is not None else None
    if webhook is not None and hook_number not in hooks:
        filters.reject("webhook", NO_CHOICE)
    model_number = drf.read_number(content_type) if content_type is not None else None
    model = object_models.name_of(work, number=model_number) if model_number is not None else None
    if content_type is not None and model is None:
        filters.reject("content_type", NO_CHOICE)
    wanted = DeliveriesWanted(
        hook_numbers=hooks if hook_number is None else [hook_number],
        delivery_id=filters.uuid("uuid"),
        status=filters.number("response_http_status"),
        is_delivered=filters.boolean("delivered"),
        object_pk=filters.text("object_id"),
        object_model=model,
        event_type=filters.text("event_type"),
        created={name: moment for name, moment in created.items() if moment is not None},
    )
    filters.finish()
    return wanted


def _orders() -> list[tuple[Order, bool]]:
    """Read by what to sort; names that are not offered are passed over."""
    words = (drf.Filters().text("ordering") or "").split(",")
    terms = [(word.strip().removeprefix("-"), word.strip().startswith("-")) for word in words]
    return [(ORDERS[name], descends) for name, descends in terms if name in ORDERS]
