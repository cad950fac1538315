"""What tests of replays arrange: deliveries that failed, a replay, and workers that step and deliver."""

from __future__ import annotations

from sqlalchemy import update

from console.core.outcomes import Outcome
from console.models import (
    Attempt,
    Delivery,
    Replay,
    Which,
)
from console.services.replays import planning, replays, steps
from console.services.replays.planning import ReplayDraft
from console.services.work import Work
from tests.engine import claim, hire, publish, record, rows_of


def failed(work: Work, person, count: int = 1, **fields: object) -> list[int]:
    """Publish events, and let their deliveries have failed for good after one attempt each; give their numbers."""
    numbers = publish(work, person, count, **fields)
    now = work.now()
    work.session.add_all(
        Attempt(
            delivery_number=number, number=1, chain=1, trigger="automatic", started_at=now, charged=True, status=500
        )
        for number in numbers
    )
    work.session.execute(
        update(Delivery)
        .where(Delivery.number.in_(numbers))
        .values(
            state="failed",
            attempt_count=1,
            chain_failures=1,
            next_attempt_at=None,
            finished_at=now,
            last_status=500,
            last_outcome="server_error",
        )
    )
    work.session.commit()
    return numbers


def planned(work: Work, person, which: Which = Which.FAILED, **fields: object) -> planning.Plan:
    found = planning.plan(
        work, organization_number=person.organization.number, draft=ReplayDraft(which=which, **fields)
    )
    work.session.commit()
    return found


def start(work: Work, person, which: Which = Which.FAILED, **fields: object) -> Replay:
    return replays.start(work, organization_number=person.organization.number, draft=ReplayDraft(which=which, **fields))


def tend(work: Work, clock, times: int = 1) -> None:
    for _ in range(times):
        steps.tend(work)
        clock.advance(seconds=1)


def read(work: Work, row: Replay) -> tuple[Replay, replays.Progress]:
    work.session.refresh(row)
    progress = replays.progress_of(work, [row])[row.number]
    work.session.commit()
    return row, progress


def deliver(work: Work, outcome: Outcome = Outcome.OK, **fields: object) -> int:
    """Let a worker send what is due and leave; give how many rows it got."""
    count, worker, turns = 0, hire(work), set()
    while grants := claim(work, worker):
        turns |= {(grant.hook_number, grant.slot) for grant in grants}
        for row in rows_of(grants):
            record(work, row, outcome, **fields)
            count += 1
    claim(work, worker, idle=turns)
    return count


def finish(work: Work, clock, row: Replay) -> replays.Progress:
    """Step and deliver until the replay is over."""
    for _ in range(100):
        tend(work, clock)
        deliver(work)
        if read(work, row)[0].finished_at is not None:
            return read(work, row)[1]
    raise AssertionError("the replay does not end")
