"""F1, F2, F15 and F17: workers and their supervisor die."""

from __future__ import annotations

import signal
from pathlib import Path
from time import monotonic
from uuid import uuid4

import psutil
import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from benchmarks.history import compare, read_rows, wait_for_the_end
from benchmarks.ledger import Ledger
from benchmarks.product import Up
from console.models import Delivery, Event, Hook
from console.services.events.event_drafts import EventDraft
from console.services.events.event_rows import INLINE_HOOKS
from console.services.events.publishing import publish_to
from console.settings import Settings
from tests.engine import delivery, scalars
from tests.faults.stage import Stage

FREED_WITHIN_S = 3
SENDERS = Settings().sender_threads


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


@pytest.mark.both_databases
def test_f1_what_a_killed_worker_held_is_delivered_within_three_seconds_by_its_neighbour(stage: Stage) -> None:
    """One of two dies in the middle of a request: the other sees it, takes its hook and makes the attempt again."""
    stage.hook()
    doomed = stage.start_worker(failpoints="sending=kill9")
    [number] = stage.publish()
    assert doomed.wait(15) == -signal.SIGKILL
    stage.start_worker()
    died = monotonic()

    stage.wait_for(delivered=1, seconds=FREED_WITHIN_S + 10)

    assert monotonic() - died < FREED_WITHIN_S
    assert stage.outcomes(number) == ["interrupted", "ok"]


@pytest.mark.both_databases
def test_f1_the_hooks_of_a_killed_worker_are_served_on_by_its_neighbour_at_once(stage: Stage) -> None:
    """What was not in flight waits for nothing, not even for a beat to run out."""
    hooks = [stage.hook(name) for name in "abcdefghij"]
    stage.ledger.delay = lambda: 0.05
    doomed, other = stage.start_worker(), stage.start_worker()
    stage.publish(100)
    stage.wait_until(lambda: len(stage.ledger.receipts) > 50)

    doomed.kill()
    doomed.wait(5)
    stage.kills += 1
    died, before = monotonic(), len(stage.ledger.receipts)
    stage.wait_until(lambda: len(stage.ledger.receipts) > before + 2 * SENDERS)  # more than was in flight

    assert monotonic() - died < 1.0
    assert other.poll() is None
    stage.wait_for(delivered=100 * len(hooks))
    stage.check()


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
