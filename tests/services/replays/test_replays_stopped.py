"""Replays that are stopped and resumed: what becomes of what they had queued."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from console.core.errors import Conflict
from console.core.outcomes import Outcome
from console.models import (
    Delivery,
    Replay,
    ReplayState,
    Turn,
    Which,
)
from console.services.deliveries import deliveries
from console.services.replays import replays
from console.services.work import Work
from tests.engine import attempts, claim, delivery, hire, make_hook, publish, put, record, rows_of, scalars
from tests.services.replays.replay_stage import deliver, failed, finish, read, start, tend

pytestmark = pytest.mark.both_databases
DAY = timedelta(days=1)


def test_stopping_gives_what_was_not_sent_back_to_what_it_was(work, ada, clock) -> None:
    publish(work, ada)  # missed by the hook
    hook = make_hook(work, ada, retry={"kind": "fixed", "seconds": 60, "attempts": 3})
    [lost] = failed(work, ada)
    publish(work, ada)
    deliver(work)
    sent = scalars(work, select(Delivery.number).where(Delivery.state == "delivered"))[0]
    [held] = publish(work, ada)
    put(work, held, state="held", next_attempt_at=None)
    before = [snapshot(work, number) for number in (lost, sent, held)]
    row = start(work, ada, Which.ALL, hook=hook)
    tend(work, clock, 3)
    assert read(work, row)[1].queued == 4

    replays.stop(work, row=row)

    row, progress = read(work, row)
    assert (row.state, progress.queued, progress.left, progress.total) == ("stopped", 0, 4, 4)
    assert [snapshot(work, number) for number in (lost, sent, held)] == before
    assert len(scalars(work, select(Delivery.number))) == 3
    assert deliver(work) == 0


def snapshot(work: Work, number: int) -> tuple[object, ...]:
    row = delivery(work, number)
    return (row.state, row.chain, row.chain_failures, row.trigger, row.next_attempt_at, row.replay_number)


def test_what_is_in_flight_when_it_is_stopped_finishes(work, ada, clock) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 60, "attempts": 3})
    failed(work, ada, 2)
    row = start(work, ada)
    tend(work, clock, 2)
    first, second = rows_of(claim(work, hire(work)))

    replays.stop(work, row=row)
    assert read(work, row)[0].state == "stopping"
    record(work, first)
    record(work, second, Outcome.SERVER_ERROR, status=500)
    tend(work, clock, 2)

    row, progress = read(work, row)
    assert (row.state, progress.delivered, progress.failed, progress.left) == ("stopped", 1, 1, 0)
    assert [delivery(work, one.number).state for one in (first, second)] == ["delivered", "failed"]


def test_a_stopped_replay_goes_on_where_it_was(work, ada, clock) -> None:
    publish(work, ada, 3)
    make_hook(work, ada)
    numbers = failed(work, ada, 8)
    row = start(work, ada, Which.ALL)
    tend(work, clock, 2)
    for one in rows_of(claim(work, hire(work))):
        record(work, one)

    replays.stop(work, row=row)
    assert read(work, row)[1].left == 11 - 4
    assert len(scalars(work, select(Delivery.number))) == 8
    work.session.execute(update(Turn).values(worker_number=None))
    work.session.commit()
    replays.resume(work, row=row)
    progress = finish(work, clock, row)

    assert (progress.total, progress.delivered, progress.left) == (11, 11, 0)
    assert len(scalars(work, select(Delivery.number))) == 11
    assert [len(attempts(work, number)) for number in numbers] == [2] * 8


def test_a_delivery_resent_by_hand_is_not_taken_back(work, ada, clock) -> None:
    make_hook(work, ada)
    [number] = failed(work, ada)
    row = start(work, ada)
    tend(work, clock, 2)

    deliveries.resend(work, delivery=delivery(work, number))
    replays.stop(work, row=row)

    assert (delivery(work, number).state, delivery(work, number).trigger) == ("pending", "resend")


def test_a_stop_that_comes_before_the_count_ends_it(work, ada) -> None:
    make_hook(work, ada)
    failed(work, ada)
    row = start(work, ada)

    replays.stop(work, row=row)

    assert read(work, row)[0].state == "stopped"
    with pytest.raises(Conflict) as caught:
        replays.stop(work, row=row)
    assert caught.value.code == "final"


def test_only_what_was_stopped_can_go_on(work, ada) -> None:
    row = start(work, ada)

    with pytest.raises(Conflict) as caught:
        replays.resume(work, row=row)

    assert caught.value.code == "not_stopped"


def test_a_resumed_replay_ends_although_something_was_left_out_before_it_was_stopped(work, ada, clock) -> None:
    make_hook(work, ada)
    _, changed = failed(work, ada, 2)
    row = start(work, ada)
    tend(work, clock)
    put(work, changed, state="delivered")
    tend(work, clock)
    deliver(work)
    replays.stop(work, row=row)
    assert read(work, row)[0].state == ReplayState.STOPPED

    replays.resume(work, row=row)
    progress = finish(work, clock, row)

    assert (progress.total, progress.delivered, progress.skipped, progress.left) == (2, 1, 1, 0)


def test_a_replay_that_failed_can_be_stopped_so_that_what_it_queued_is_not_sent(work, ada, clock) -> None:
    make_hook(work, ada)
    lost = failed(work, ada, 2)
    row = start(work, ada)
    tend(work, clock, 2)
    assert delivery(work, lost[0]).state == "pending"
    with work.transaction():
        work.session.execute(
            update(Replay).values(state=ReplayState.FAILED, finished_at=work.now(), error="The replay failed.")
        )

    replays.stop(work, row=row)

    assert read(work, row)[0].state == ReplayState.STOPPED
    assert [delivery(work, number).state for number in lost] == ["failed", "failed"]
