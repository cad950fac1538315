"""Fan-outs that are too large for their publisher to wait for: finished by whoever leads the workers.

Either very many hooks want the event, or its filters take longer than a request may. Organizations take turns, so that
many such events of one organization do not delay those of the others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf

from sqlalchemy import func, select, update

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


@dataclass(slots=True)
class Progress:
    """What is left of the time for filters, and how far they have come.

    *begun* is what they said of the events that are not finished, by their numbers: one of an organization at most.
    *organization* is the number of the one that had its turn last.
    """

    budget: Budget = field(default_factory=lambda: Budget(SLICE_S))
    begun: dict[int, Judgements] = field(default_factory=dict)
    organization: int = 0


def finish(work: Work, *, limit: int = 10, progress: Progress | None = None) -> int:
    """Create the deliveries of pending events, each event in a transaction; return how many events are finished.

    With *progress*, filters take ``SLICE_S`` of processor time, and the next calls continue there. Without it, all
    filters are applied.

    The unique constraint on (event, hook) makes it repeatable: a crash halfway is finished by the next call. One that
    fails holds up no other: it is raised when those behind it are finished.
    """
    if progress is None:
        progress = Progress(Budget(inf))
    else:
        progress.budget.refill(SLICE_S)
    done = 0
    failures: dict[int, Exception] = {}
    while done < limit and (number := _next(work, progress, but=failures)) is not None:
        try:
            if not _fan_out(work, number, progress):
                break
        except Busy:
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, it is this event's alone
            work.session.rollback()
            failures[number] = error
        else:
            done += 1
    if done:
        work.ring.ring(DELIVERIES)
    if failures:
        raise next(iter(failures.values()))
    return done


def _next(work: Work, progress: Progress, *, but: Collection[int]) -> int | None:
    """Return the number of the oldest pending event, not among *but*, of the organization whose turn it is.

    None when no event is pending.
    """
    organization = Event.organization_number
    pending = Event.fanout_pending, Event.number.not_in(list(but))
    query = select(organization, func.min(Event.number)).where(*pending).group_by(organization).order_by(organization)
    with read_only():
        rows = work.session.execute(query).all()
    if not rows:
        progress.begun.clear()  # what was deleted meanwhile is not finished either
        return None
    progress.organization, number = next((row for row in rows if row[0] > progress.organization), rows[0])
    return int(number)


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
    progress.begun.pop(number, None)
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
