"""What the pages of events and event types arrange."""

from __future__ import annotations

from sqlalchemy import select

from console.models import Event
from console.services.event_types import catalogue

ORDER = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number", "minimum": 0, "description": "In euros"}},
}


def make_type(work, person, name: str = "order.paid", **fields: object):
    return catalogue.create(work, organization_number=person.organization.number, name=name, **fields)


def stored(work) -> Event:
    return work.session.scalar(select(Event).order_by(Event.number.desc()).limit(1))
