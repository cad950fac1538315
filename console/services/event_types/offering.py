"""Which event types lists and pickers offer: all but those of an API that the organization has not switched on."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select

from console.models import ApiSwitch, EventType

_DIALECT = EventType.__table__.c.dialect


def is_offered(organization_number: int) -> ColumnElement[bool]:
    """Match event types of no API, and those of the APIs that are on."""
    those = select(ApiSwitch.api).where(ApiSwitch.organization_number == organization_number, ApiSwitch.is_on)
    return or_(_DIALECT.is_(None), _DIALECT.in_(those))
