"""The bodies of a delivery as files."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from console.core.errors import NotFound
from console.core.permissions import Permission
from console.services.deliveries import deliveries
from console.web import access
from console.web.deliveries.shared import delivery_of, pages
from console.web.downloads import attachment


@pages.get("/deliveries/<uuid:delivery_id>/request-body")
@access.requires(Permission.DELIVERIES_VIEW)
def request_body(delivery_id: UUID) -> Response:
    """Give the bytes that every attempt sends."""
    delivery = delivery_of(delivery_id)
    body = deliveries.body_of(delivery)
    ending = "json" if body.content_type == "application/json" else "txt"
    return attachment(body.data, name=f"delivery-{delivery.id}-request.{ending}")


@pages.get("/deliveries/<uuid:delivery_id>/attempts/<int:number>/response-body")
@access.requires(Permission.DELIVERIES_RESEND)
def response_body(delivery_id: UUID, number: int) -> Response:
    """Give the bytes that an attempt got back."""
    delivery = delivery_of(delivery_id)
    attempt = next((one for one in delivery.attempts if one.number == number), None)
    if attempt is None or not attempt.response_body:
        raise NotFound("response body")
    return attachment(attempt.response_body, name=f"delivery-{delivery.id}-response-{number}.bin")
