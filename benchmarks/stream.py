"""A steady stream of new events beside something else, and how long its deliveries waited for their first attempt."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle, islice
from threading import Event as Signal

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from benchmarks.installation import Place
from console import database
from console.models import Attempt, Delivery
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft

PUBLISHES_A_SECOND = 10
LIMIT_S = 1.0
"""How long all but a twentieth may wait at most."""


@dataclass(frozen=True, slots=True)
class Delays:
    """How long deliveries waited for their first attempt, in seconds, and how many a second were delivered."""

    deliveries: int
    p50_s: float
    p95_s: float
    p99_s: float
    rate: float


@contextmanager
def streaming(place: Place, *, organization: int, hooks: Sequence[int], rate: int) -> Iterator[None]:
    """Publish *rate* events a second, evenly, to one after the other of *hooks* (places among the named ones)."""
    over = Signal()
    with ThreadPoolExecutor(1, thread_name_prefix="stream") as pool:
        publishing_them = pool.submit(_publish, place, organization, hooks, rate, over)
        try:
            yield
        finally:
            over.set()
        publishing_them.result()


def _publish(place: Place, organization: int, hooks: Sequence[int], rate: int, over: Signal) -> None:
    drafts = cycle(EventDraft(type=f"hook.{hook}", payload=b'{"order": 4711}') for hook in hooks)
    begun, tick, published = time.monotonic(), 0, 0
    with Session(place.engine) as session:
        work = place.work(session)
        while not over.wait(max(0.0, begun + tick / PUBLISHES_A_SECOND - time.monotonic())):
            tick += 1
            due = list(islice(drafts, tick * rate // PUBLISHES_A_SECOND - published))
            published += len(due)
            if due:
                publishing.publish_batch(work, organization_number=organization, drafts=due)


def delays(engine: Engine, *, hooks: Sequence[int], since: datetime) -> Delays:
    """Look at what was published since then; what was never begun has waited until now."""
    first = select(Attempt.delivery_number, Attempt.started_at).where(Attempt.number == 1).subquery()
    query = (
        select(Delivery.created_at, first.c.started_at, Delivery.state)
        .outerjoin(first, first.c.delivery_number == Delivery.number)
        .where(Delivery.hook_number.in_(hooks), Delivery.created_at >= since)
    )
    with database.read_only(), engine.connect() as connection:
        rows = connection.execute(query).all()
    now = datetime.now(UTC)
    waits = sorted(max(((started or now) - created).total_seconds(), 0.0) for created, started, _ in rows)
    window = (max(created for created, *_ in rows) - since).total_seconds()
    return Delays(
        deliveries=len(rows),
        p50_s=round(waits[len(waits) // 2], 3),
        p95_s=round(waits[int(len(waits) * 0.95)], 3),
        p99_s=round(waits[int(len(waits) * 0.99)], 3),
        rate=round(sum(state == "delivered" for *_, state in rows) / window, 1),
    )
