"""Fan-outs that are too large for their publisher to wait for: finished by whoever leads the workers.

Either very many hooks want the event, or its filters take longer than a request may.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from sqlalchemy import select, update

from console.core.errors import Busy
from console.core.rules import Occurrence
from console.database import read_only
from console.failpoints import FANNING
from console.models import Event
from console.services.events import outbox
from console.services.events.judging import Budget, Judgements
from console.services.events.matching import groups_by_type, hearing, listeners
from console.services.events.outbox import with_settled_switches
from console.services.work import DELIVERIES, Work

SLICE_S = 1.0
"""Seconds of processor time that one call may spend on filters: the leader has other duties."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is left of the time for filters, and what they said so far of the event that is not finished (by number)."""

    budget: Budget = field(default_factory=lambda: Budget(SLICE_S))
    begun: dict[int, Judgements] = field(default_factory=dict)


def finish(work: Work, *, limit: int = 10, progress: Progress | None = None) -> int:
    """Create the deliveries of pending events, each event in a transaction; return how many events are finished.

    With *progress*, filters take ``SLICE_S`` of processor time, and the next call continues there: it holds the event
    that is not finished. Without it, all filters are applied.

    The unique constraint on (event, hook) makes it repeatable: a crash halfway is finished by the next call. One that
    fails holds up no other: it is raised when those behind it are finished.
    """
    if progress is None:
        progress = Progress(Budget(inf))
    else:
        progress.budget.refill(SLICE_S)
    done, after = 0, 0
    failures: list[Exception] = []
    while done < limit and (number := _next(work, after=after)) is not None:
        after = number
        try:
            if not _fan_out(work, number, progress):
                break
        except Busy:
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, it is this event's alone
            work.session.rollback()
            failures.append(error)
        else:
            done += 1
    if done:
        work.ring.ring(DELIVERIES)
    if failures:
        raise failures[0]
    return done


def _next(work: Work, *, after: int) -> int | None:
    """Give the number of the next event that waits for its fan-out."""
    query = select(Event.number).where(Event.fanout_pending, Event.number > after).order_by(Event.number).limit(1)
    with read_only():
        return work.session.scalar(query)


def _fan_out(work: Work, number: int, progress: Progress) -> bool:
    """Create the deliveries of an event; return False if the time ended before all filters were applied."""
    judgements = progress.begun.get(number)
    if judgements is None:
        with read_only():
            judgements = Judgements([work.session.get_one(Event, number).payload], progress.budget)

    def commit() -> bool:
        with work.transaction():
            return _hand_out(work, number, judgements)

    is_finished = judgements.judged(commit)
    progress.begun.clear()
    if not is_finished:
        progress.begun[number] = judgements
    return is_finished


def _hand_out(work: Work, number: int, judgements: Judgements) -> bool:
    event = work.session.get_one(Event, number)
    groups = groups_by_type(work, organization_number=event.organization_number, names=[event.type])[event.type]
    hooks = with_settled_switches(work, listeners(work, organization_number=event.organization_number))
    wanting = hearing(hooks, Occurrence(event.type, groups, event.source, judgements.of(0).read))
    judgements.require()
    if judgements.is_open(0):
        return False
    outbox.put(
        work,
        [(event.number, event.type, hook) for hook in wanting],  # none, when all have been deleted meanwhile
        organization_number=event.organization_number,
    )
    work.failpoints.hit(FANNING)
    work.session.execute(
        update(Event).where(Event.number == number).values(fanout_pending=False, delivery_count=len(wanting))
    )
    return True
