"""/deliveries: the log, one of them with its attempts, resend, cancel."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from console.api import paging, shown
from console.api.auth import organization_number, permission
from console.api.blueprints import resource
from console.api.schemas.deliveries import Delivery, DeliveryPage, DeliveryQuery, DeliveryWithAttempts
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Delivery as DeliveryRow
from console.models import Event as EventRow
from console.models import Hook as HookRow
from console.models import Replay as ReplayRow
from console.services.deliveries import deliveries as cases
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.queries import number_of
from console.services.work import Work

NOWHERE = 0  # no row has this number

deliveries = resource("deliveries", about="One event for one hook, with every attempt that was made.")


@deliveries.get("/deliveries")
@permission(Permission.DELIVERIES_VIEW)
@deliveries.input(DeliveryQuery, location="query")
@deliveries.output(DeliveryPage)
def index(query_data: DeliveryQuery) -> dict[str, Any]:
    """List deliveries."""
    work = current_work()
    rows = cases.find(
        work,
        organization_number=organization_number(),
        wanted=_wanted(query_data),
        before=paging.before(query_data.cursor),
        limit=query_data.limit + 1,
    )
    shown_rows = {one.number: one for one in shown.deliveries_of(work, rows)}
    return paging.page(rows, limit=query_data.limit, shown=lambda row: shown_rows[row.number])


@deliveries.get("/deliveries/<uuid:delivery_id>")
@permission(Permission.DELIVERIES_VIEW)
@deliveries.output(DeliveryWithAttempts)
def read(delivery_id: UUID) -> DeliveryWithAttempts:
    """Read a delivery.

    With every attempt, oldest first.
    """
    work = current_work()
    return shown.delivery_with_attempts(work, _get(work, delivery_id))


@deliveries.post("/deliveries/<uuid:delivery_id>/resend")
@permission(Permission.DELIVERIES_RESEND)
@deliveries.output(Delivery, 202)
def resend(delivery_id: UUID) -> Delivery:
    """Resend a delivery.

    A new chain of attempts begins, with the same body and the same webhook-id; earlier attempts stay.
    """
    work = current_work()
    return shown.delivery(work, cases.resend(work, delivery=_get(work, delivery_id)))


@deliveries.post("/deliveries/<uuid:delivery_id>/cancel")
@permission(Permission.DELIVERIES_RESEND)
@deliveries.output(Delivery)
def cancel(delivery_id: UUID) -> Delivery:
    """Cancel a delivery that waits.

    One that is being sent right now ends delivered or canceled.
    """
    work = current_work()
    return shown.delivery(work, cases.cancel(work, delivery=_get(work, delivery_id)))


def _get(work: Work, delivery_id: UUID) -> DeliveryRow:
    return cases.get(work, organization_number=organization_number(), delivery_id=delivery_id)


def _wanted(query: DeliveryQuery) -> DeliveryFilter:
    return DeliveryFilter(
        hook_number=_number(HookRow, query.hook),
        event_number=_number(EventRow, query.event),
        replay_number=_number(ReplayRow, query.replay),
        event_type=query.event_type,
        states=query.state or (),
        status_class=query.status_class,
        status=query.status,
        any_attempt=query.attempt == "any",
        since=query.since,
        until=query.until,
        q=query.q,
    )


def _number(kind: type[HookRow | EventRow | ReplayRow], wanted: UUID | None) -> int | None:
    """Give the number of a row; an id that is nobody's, or another organization's, matches nothing."""
    if wanted is None:
        return None
    found = number_of(current_work().session, kind, organization_number=organization_number(), id=wanted)
    return NOWHERE if found is None else found
