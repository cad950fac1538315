"""What the deliveries' pages share: the blueprint, and finding the delivery of an address."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint

from console.extensions import current_work
from console.models import Delivery
from console.services.deliveries import deliveries
from console.web import access

pages = Blueprint("deliveries", __name__, url_prefix="/o/<organization>")


def delivery_of(delivery_id: UUID) -> Delivery:
    """Give the delivery of this address with its event, hook and attempts; raise NotFound."""
    number = access.place().organization.number
    return deliveries.get(current_work(), organization_number=number, delivery_id=delivery_id, with_bodies=False)
