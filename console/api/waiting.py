"""Waiting for a delivery's outcome by looking, with no transaction kept open between two looks."""

from __future__ import annotations

import time
from uuid import UUID

from console.extensions import collaborators
from console.models import Delivery
from console.services.deliveries import deliveries
from console.services.deliveries.deliveries import FINAL
from console.services.work import Work

PAUSE_S = 0.025


def outcome_of(work: Work, delivery: Delivery, *, wait_s: float) -> tuple[Delivery, bool]:
    """Return *delivery* once it has ended, or as it is after *wait_s* seconds, and whether it has ended.

    When as many requests wait as may, it is returned as it is at once.
    """
    with collaborators().waits.one() as may_wait:
        return await_outcome(work, delivery, wait_s=wait_s if may_wait else 0)


def await_outcome(work: Work, delivery: Delivery, *, wait_s: float) -> tuple[Delivery, bool]:
    """Do the same for a caller that may wait by ``waits``."""
    organization_number, delivery_id = delivery.organization_number, delivery.id
    deadline = time.monotonic() + wait_s
    while True:
        found = _look(work, organization_number=organization_number, delivery_id=delivery_id)
        is_finished = found.state in FINAL
        if is_finished or time.monotonic() >= deadline:
            return found, is_finished
        work.session.rollback()
        time.sleep(PAUSE_S)


def _look(work: Work, *, organization_number: int, delivery_id: UUID) -> Delivery:
    work.session.rollback()  # begin a transaction that sees what others did meanwhile
    return deliveries.get(work, organization_number=organization_number, delivery_id=delivery_id)
