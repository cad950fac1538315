"""Replays by real worker processes: they come to their end, also when the worker that feeds them is killed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from console.models import Delivery, Event, Replay, ReplayState, Which
from console.services.replays import replays
from console.services.replays.planning import ReplayDraft
from console.services.replays.replays import Progress
from console.services.work import BACKGROUND, DELIVERIES, Work
from tests.engine import make_hook, scalars
from workers.equipment import Equipment, open_engine
from workers.replaying import Replaying


def lose(work: Work, person, hook, count: int) -> None:
    """Have deliveries to a hook that failed before, written at once."""
    now, organization = work.now(), person.organization.number
    shared = {"organization_number": organization, "created_at": now}
    event = {"type": "order.paid", "occurred_at": now, "request_sha256": b"", "payload_sha256": b"", "payload": b"{}"}
    events = [{**shared, **event, "id": uuid4(), "delivery_count": 1} for _ in range(count)]
    numbers = list(work.session.scalars(insert(Event).returning(Event.number, sort_by_parameter_order=True), events))
    delivery = {
        "hook_number": hook.number,
        "event_type": "order.paid",
        "url": hook.url,
        "payload_format": "standard",
        "content_type": "json",
        "state": "failed",
        "modified_at": now,
        "finished_at": now,
    }
    rows = [{**shared, **delivery, "id": uuid4(), "event_number": number} for number in numbers]
    work.session.execute(insert(Delivery), rows)
    work.session.commit()


def begin(work: Work, person) -> Replay:
    return replays.start(work, organization_number=person.organization.number, draft=ReplayDraft(which=Which.FAILED))


def read(work: Work, row: Replay) -> tuple[str, Progress]:
    work.session.refresh(row)
    progress = replays.progress_of(work, [row])[row.number]
    work.session.commit()
    return row.state, progress


@pytest.mark.both_databases
def test_a_replay_survives_the_death_of_the_worker_that_feeds_it(work, ada, receiver, start, wait_until) -> None:
    lose(work, ada, make_hook(work, ada, url=receiver.url), 1500)
    start(lane=DELIVERIES)
    feeder = start(lane=BACKGROUND)

    row = begin(work, ada)
    wait_until(lambda: read(work, row)[1].queued >= 100, seconds=30)
    feeder.kill()
    feeder.wait(10)
    halfway = read(work, row)
    start(lane=BACKGROUND)
    wait_until(lambda: read(work, row)[0] == ReplayState.DONE, seconds=60)

    progress = read(work, row)[1]
    assert halfway[0] == ReplayState.RUNNING
    assert (progress.queued, progress.delivered, progress.left) == (1500, 1500, 0)
    received = Counter(receiver.ids)
    assert len(received) == 1500
    assert set(received.values()) == {1}  # only the death of a sender may send twice
    assert set(scalars(work, select(Delivery.attempt_count))) == {1}


def test_without_a_background_worker_the_leader_takes_the_steps(work, ada, receiver, start, wait_until) -> None:
    lose(work, ada, make_hook(work, ada, url=receiver.url), 20)
    start(lane=DELIVERIES)

    row = begin(work, ada)
    wait_until(lambda: read(work, row)[0] == ReplayState.DONE, seconds=40)

    assert len(receiver.receipts) == 20


@pytest.fixture
def replaying(work: Work) -> Iterator[Replaying]:
    engine = open_engine(work.settings, pool_size=2)
    yield Replaying(Equipment(engine, work.settings, work.keys))
    engine.dispose()


def test_the_loop_ends_when_nothing_is_due_soon(work, ada, replaying) -> None:
    assert replaying.run() is False

    row = begin(work, ada)
    assert replaying.run() is False
    assert read(work, row)[0] == ReplayState.DONE


def test_the_loop_ends_with_its_slice_and_asks_for_another(work, ada, replaying) -> None:
    lose(work, ada, make_hook(work, ada), 600)
    row = begin(work, ada)

    assert replaying.run(slice_s=0.5) is True
    assert read(work, row)[1].queued < 600  # nobody sends, so no more than the first window was filled


def test_a_loop_that_was_told_to_stop_takes_no_step(work, ada, replaying) -> None:
    row = begin(work, ada)

    replaying.stop()

    assert replaying.run() is False
    assert read(work, row)[0] == ReplayState.PENDING
