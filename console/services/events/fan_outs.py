"""Fan-outs that are too large for the transaction of their event: finished by whoever leads the workers."""

from __future__ import annotations

from sqlalchemy import select, update

from console.core.errors import Busy
from console.core.rules import Occurrence
from console.database import read_only
from console.failpoints import FANNING
from console.models import Event
from console.services.events import outbox
from console.services.events.judging import Judgements
from console.services.events.matching import groups_by_type, hearing, listeners
from console.services.events.outbox import with_settled_switches
from console.services.work import DELIVERIES, Work


def finish(work: Work, *, limit: int = 10) -> int:
    """Make the deliveries of events that too many hooks wanted, each event in a transaction; give how many events.

    The unique constraint on (event, hook) makes it repeatable: a crash halfway is finished by the next call. One that
    fails holds up no other: it is raised when those behind it are finished.
    """
    done, after = 0, 0
    failures: list[Exception] = []
    while done < limit and (number := _next(work, after=after)) is not None:
        after = number
        try:
            _fan_out(work, number)
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


def _fan_out(work: Work, number: int) -> None:
    with read_only():
        judgements = Judgements([work.session.get_one(Event, number).payload])

    def commit() -> None:
        with work.transaction():
            _hand_out(work, number, judgements)

    judgements.judged(commit)


def _hand_out(work: Work, number: int, judgements: Judgements) -> None:
    event = work.session.get_one(Event, number)
    groups = groups_by_type(work, organization_number=event.organization_number, names=[event.type])[event.type]
    hooks = with_settled_switches(work, listeners(work, organization_number=event.organization_number))
    wanting = hearing(hooks, Occurrence(event.type, groups, event.source, judgements.of(0).read))
    judgements.require()
    outbox.put(
        work,
        [(event.number, event.type, hook) for hook in wanting],  # none, when all have been deleted meanwhile
        organization_number=event.organization_number,
    )
    work.failpoints.hit(FANNING)
    work.session.execute(
        update(Event).where(Event.number == number).values(fanout_pending=False, delivery_count=len(wanting))
    )
