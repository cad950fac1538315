"""What came of a replay's deliveries so far, counted by hook and state, and written into its parts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import func, select

from console.models import Delivery, DeliveryState, Replay, ReplayPart
from console.services.work import Work

Counts = Mapping[int, Mapping[str, int]]
"""Deliveries by the number of their hook and by their state."""


def count(work: Work, row: Replay) -> Counts:
    """Count the deliveries of a replay by hook and state: an index alone can tell."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    rows = work.session.execute(
        select(Delivery.hook_number, Delivery.state, func.count())
        .where(Delivery.replay_number == row.number)
        .group_by(Delivery.hook_number, Delivery.state)
    )
    for hook_number, state, count in rows:
        found[hook_number][state] = count
    return found


def moving(states: Mapping[str, int]) -> int:
    """Say how many wait for an attempt or are being sent."""
    return states.get(DeliveryState.PENDING, 0) + states.get(DeliveryState.SENDING, 0)


def write(work: Work, row: Replay, counts: Counts) -> int:
    """Write the counts into the parts, inside the caller's transaction; give how many more have ended."""
    ended = 0
    query = select(ReplayPart).where(ReplayPart.replay_number == row.number, ReplayPart.hook_number.in_(counts))
    for part in work.session.scalars(query, execution_options={"populate_existing": True}):
        states = counts[part.hook_number]
        before = part.delivered + part.failed + part.canceled
        part.delivered = states.get(DeliveryState.DELIVERED, 0)
        part.failed = states.get(DeliveryState.FAILED, 0)
        part.canceled = states.get(DeliveryState.CANCELED, 0)
        ended += part.delivered + part.failed + part.canceled - before
    return ended
