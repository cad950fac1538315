"""What the events of a list are about, looked up once for all of its rows."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import LargeBinary, case, func, select

from console.core.abouts import PREFIX, about
from console.models import Event
from console.services.work import Work

# A payload is only touched where no object was named: SQLite reads all of a payload even for its beginning.
_PAYLOAD = case((Event.object_pk.is_(None), func.substr(Event.payload, 1, PREFIX, type_=LargeBinary)))
_ABOUT = select(
    Event.number, Event.source, Event.object_model, Event.object_pk, Event.idempotency_key, _PAYLOAD.label("beginning")
)


def abouts(
    work: Work, *, organization_number: int, numbers: Collection[int], with_source: bool = True
) -> dict[int, str]:
    """Return in a few words what each of the organization's events with these numbers is about, empty for nothing."""
    if not numbers:
        return {}
    rows = work.session.execute(
        _ABOUT.where(Event.number.in_(numbers), Event.organization_number + 0 == organization_number)
    )
    return {
        row.number: about(
            source=row.source if with_source else None,
            model=row.object_model,
            pk=row.object_pk,
            key=row.idempotency_key,
            payload=row.beginning,
        )
        for row in rows
    }
