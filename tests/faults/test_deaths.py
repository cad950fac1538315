"""F1, F2, F12, F13 and F15 to F17: workers and their supervisor die, freeze, end, and follow each other."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from time import monotonic
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from benchmarks.history import compare, read_rows, wait_for_the_end
from benchmarks.ledger import Ledger
from benchmarks.product import Up
from console.models import Attempt, Delivery, Event, Hook, Leader, Worker
from console.services import sweeping
from console.services.publishing import INLINE_HOOKS, EventDraft, publish_to
from console.services.work import SilentRing
from tests.engine import delivery, scalars
from tests.faults.stage import Stage

FREED_WITHIN_S = 12


# --- F1 -------------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("point", "receipts", "outcomes"),
    [
        ("claimed", 1, ["interrupted", "ok"]),
        ("sending", 1, ["interrupted", "ok"]),
        ("sent", 2, ["interrupted", "ok"]),
        ("recorded", 1, ["ok"]),
    ],
)
def test_f1_what_a_killed_worker_was_at_is_done_by_another(
    stage: Stage, point: str, receipts: int, outcomes: list[str]
) -> None:
    stage.hook()
    doomed = stage.start_worker(failpoints=f"{point}=kill9")
    [number] = stage.publish()
    stage.bury(doomed)
    assert doomed.returncode == -signal.SIGKILL

    stage.start_worker()
    stage.wait_until(lambda: set(stage.states()) <= {"pending", "delivered"})
    stage.make_due()

    stage.wait_for(delivered=1)
    assert stage.ledger.ids() == [str(delivery(stage.work, number).id)] * receipts
    assert stage.outcomes(number) == outcomes
    stage.check()


def test_f1_what_a_killed_worker_held_is_free_within_twelve_seconds_of_its_death(stage: Stage) -> None:
    stage.hook()
    doomed = stage.start_worker(failpoints="sent=kill9")
    [number] = stage.publish()
    assert doomed.wait(15) == -signal.SIGKILL
    died = monotonic()
    stage.start_worker()

    stage.wait_until(lambda: "interrupted" in stage.outcomes(number), seconds=FREED_WITHIN_S + 3)

    assert monotonic() - died < FREED_WITHIN_S


# --- F2 -------------------------------------------------------------------------------------------------------------


def test_f2_what_a_killed_supervisor_leaves_behind_finishes_and_ends(tmp_path: Path, wait_until) -> None:
    with Ledger() as ledger, Up(tmp_path / "data", tmp_path / "log") as first:
        first.sign_up()
        ledger.gate.clear()
        fields = {"url": ledger.url("a"), "all_events": True, "max_in_flight": 8}
        ledger.secrets["a"] = first.call("POST", "/hooks", json=fields).json()["secret"]
        events = [{"type": "order.paid", "payload": {"n": n}} for n in range(20)]
        published = first.call("POST", "/events/batch", json={"events": events}).json()["events"]
        wait_until(lambda: ledger.receipts)

        orphans = psutil.Process(first.process.pid).children(recursive=True)
        first.process.kill()
        first.process.wait()
        ledger.gate.set()
        psutil.wait_procs(orphans, timeout=20)
        assert not [orphan for orphan in orphans if orphan.is_running()]

        with Up(tmp_path / "data", tmp_path / "log") as second:
            engine = second.engine()
            wait_for_the_end(engine)
            answered = {one["id"]: one["deliveries"] for one in published}
            report = compare(answered=answered, receipts=ledger.receipts, rows=read_rows(engine))
            engine.dispose()

    assert not report.violations, report.violations
    assert report.duplicates == 0
    assert report.states == {"delivered": 20}


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


# --- F15 ------------------------------------------------------------------------------------------------------------


def test_f15_a_delivery_that_kills_its_worker_each_time_is_given_up_and_no_other(stage: Stage) -> None:
    bad_hook, good_hook = stage.hook("bad", all_events=False), stage.hook("good")
    publish_to(stage.work, hook=bad_hook, draft=EventDraft(type="order.paid", payload=b"{}"))
    [bad] = scalars(stage.work, select(Delivery.number).where(Delivery.hook_number == bad_hook.number))
    neighbours = stage.publish(10)
    failpoint = f"sending:{delivery(stage.work, bad).id}=kill9"

    for death in range(1, 6):
        doomed = stage.start_worker(failpoints=failpoint)
        stage.bury(doomed)
        stage.sweep()
        assert delivery(stage.work, bad).interrupted == death
        stage.make_due()

    assert (delivery(stage.work, bad).state, delivery(stage.work, bad).waiting_reason) == (
        "failed",
        "The worker died each time it was attempted.",
    )
    stage.start_worker()
    stage.wait_for(failed=1, delivered=len(neighbours), seconds=30)
    assert set(stage.outcomes(bad)) == {"interrupted"}
    assert stage.ledger.ids("bad") == []
    assert scalars(stage.work, select(Delivery.state).where(Delivery.hook_number == good_hook.number)) == [
        "delivered"
    ] * len(neighbours)
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


# --- F17 ------------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_f17_a_fan_out_that_was_cut_short_makes_each_delivery_once(stage: Stage) -> None:
    count = INLINE_HOOKS + 5
    multiply(stage.work.session, stage.hook(is_active=False), count)
    doomed = stage.start_worker(failpoints="fanning=kill9")
    stage.publish()
    stage.bury(doomed)
    assert stage.states() == {}

    stage.start_worker()

    stage.wait_for(held=count)
    assert scalars(stage.work, select(Event.fanout_pending, Event.delivery_count)) == [False]
    assert scalars(stage.work, select(func.count(Delivery.hook_number.distinct()))) == [count]


def multiply(session: Session, hook: Hook, count: int) -> None:
    """Make copies of a hook until there are *count*."""
    table = Hook.__table__
    row = dict(session.execute(select(table).where(table.c.number == hook.number)).mappings().one())
    del row["number"]
    session.execute(insert(table), [row | {"id": uuid4()} for _ in range(count - 1)])
    session.commit()
