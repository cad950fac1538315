"""F12, F13 and F16: workers follow each other, planned or not; some come back, and two may lead."""

from __future__ import annotations

import signal
from dataclasses import replace
from threading import Barrier, Thread
from time import monotonic

import pytest
from sqlalchemy import func, insert, select

from console.models import Attempt, Delivery, Leader, Worker
from console.services.upkeep import sweeping
from console.services.work import SilentRing
from tests.engine import scalars
from tests.faults.stage import Stage

FREED_WITHIN_S = 12


# --- F12 ------------------------------------------------------------------------------------------------------------


def test_f12_a_deployment_that_replaces_workers_one_by_one_interrupts_nothing(stage: Stage) -> None:
    for path in "abcd":
        stage.hook(path)
    old = [stage.start_worker() for _ in range(2)]
    published = stage.publish(25)
    for process in old:
        stage.start_worker()
        published += stage.publish(25)
        process.terminate()
        assert process.wait(20) == 0
    published += stage.publish(25)

    stage.wait_for(delivered=len(published), seconds=30)

    assert stage.check().duplicates == 0
    assert scalars(stage.work, select(Attempt.outcome).distinct()) == ["ok"]


# --- F13 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "then", "outcomes"), [(500, 200, ["interrupted", "ok"]), (200, 500, ["ok", "server_error"])]
)
def test_f13_the_late_word_of_a_frozen_worker_counts_only_when_it_is_good(
    stage: Stage, first: int, then: int, outcomes: list[str]
) -> None:
    answers = iter([first])
    stage.ledger.answer = lambda _path, _id: next(answers, then)
    stage.ledger.gate.clear()
    stage.hook(retry={"kind": "fixed", "seconds": 3600, "attempts": 5})
    frozen = stage.start_worker()
    [number] = stage.publish()
    stage.wait_until(lambda: stage.ledger.receipts)

    stage.freeze(frozen)
    stage.ledger.gate.set()
    stage.start_worker()
    stage.wait_for(pending=1)
    stage.make_due()
    stage.wait_until(lambda: len(stage.outcomes(number)) == 2 and stage.outcomes(number)[1] is not None)
    frozen.send_signal(signal.SIGCONT)

    returned = select(Worker.number).where(Worker.pid == frozen.pid, Worker.stopped_at.is_(None))
    stage.wait_until(lambda: scalars(stage.work, returned))
    stage.wait_for(delivered=1)
    assert stage.outcomes(number) == outcomes
    assert len(stage.ledger.receipts) == 2
    assert frozen.poll() is None
    stage.check()


# --- F16 ------------------------------------------------------------------------------------------------------------


def test_f16_without_a_leader_and_without_a_ring_the_others_go_on_by_looking_for_themselves(stage: Stage) -> None:
    stage.hook()
    workers = [stage.start_worker() for _ in range(2)]
    stage.wait_until(lambda: scalars(stage.work, select(Leader.worker_number)) not in ([], [None]))
    [leader] = scalars(stage.work, select(Leader.worker_number))
    [pid] = scalars(stage.work, select(Worker.pid).where(Worker.number == leader))
    next(worker for worker in workers if worker.pid == pid).kill()

    begun = monotonic()
    stage.work = replace(stage.work, ring=SilentRing())
    stage.publish(20)
    stage.wait_for(delivered=20)

    assert monotonic() - begun < FREED_WITHIN_S
    assert stage.check().duplicates == 0


@pytest.mark.both_databases
def test_f16_two_leaders_at_once_free_what_a_dead_worker_held_once(stage: Stage) -> None:
    stage.hook(max_in_flight=16)
    hand = stage.hand()
    numbers = stage.publish(50)
    stage.work.session.execute(
        Delivery.__table__.update().values(state="sending", claimed_by=hand.beat.worker + 1, attempt_count=1)
    )
    attempt = {"number": 1, "chain": 1, "trigger": "automatic", "started_at": stage.work.now(), "worker_number": 99}
    stage.work.session.execute(insert(Attempt), [attempt | {"delivery_number": number} for number in numbers])
    stage.work.session.commit()
    freed: list[int] = []
    together = Barrier(2)

    def lead() -> None:
        with hand.equipment.work() as work:
            together.wait()
            freed.append(sweeping.sweep(work).freed)

    leaders = [Thread(target=lead) for _ in range(2)]
    for leader in leaders:
        leader.start()
    for leader in leaders:
        leader.join()

    assert sum(freed) == len(numbers)
    assert scalars(stage.work, select(Delivery.interrupted).distinct()) == [1]
    assert scalars(stage.work, select(func.count()).select_from(Attempt)) == [len(numbers)]
