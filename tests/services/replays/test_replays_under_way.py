"""Replays under way: how they are fed, what they wait for, and that nothing is sent twice for them."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from console.core.errors import Conflict
from console.core.outcomes import Outcome
from console.models import (
    AuditEntry,
    Delivery,
    Event,
    Replay,
    ReplayPart,
    ReplayState,
)
from console.services.hooks import hooks
from console.services.replays import replays, steps
from console.services.replays.selection import Skip
from console.services.work import BACKGROUND, Work
from tests.engine import attempts, delivery, make_hook, publish, put, scalars, set_state
from tests.services.replays.replay_stage import deliver, failed, finish, planned, read, start, tend

pytestmark = pytest.mark.both_databases
DAY = timedelta(days=1)


def test_starting_rings_the_background_lane_and_is_audited(work, as_person, ada, ring) -> None:
    make_hook(work, ada)
    ring.lanes.clear()

    row = start(as_person(ada), ada)

    assert ring.lanes == [BACKGROUND]
    assert (row.author_number, row.state) == (ada.user.number, ReplayState.PENDING)
    [entry] = scalars(work, select(AuditEntry).where(AuditEntry.object_type == "replay"))
    assert (entry.action, entry.object_id, entry.user_number) == ("replay.started", str(row.id), ada.user.number)


def test_a_hook_is_fed_more_once_half_of_what_may_be_due_is_sent(work, ada, clock) -> None:
    make_hook(work, ada)
    copies(work, failed(work, ada)[0], 699)
    row = start(work, ada)
    tend(work, clock, 2)
    assert read(work, row)[1].queued == 500

    settle(work, 249)
    tend(work, clock)
    assert read(work, row)[1].queued == 500

    settle(work, 1)
    tend(work, clock)
    assert read(work, row)[1].queued == 700


def settle(work: Work, count: int) -> None:
    """Let so many of the due deliveries have been delivered, without a worker."""
    due = scalars(work, select(Delivery.number).where(Delivery.state == "pending").limit(count))
    work.session.execute(
        update(Delivery).where(Delivery.number.in_(due)).values(state="delivered", next_attempt_at=None)
    )
    work.session.commit()


def copies(work: Work, number: int, count: int) -> None:
    """Make more failed deliveries like this one, quickly."""
    model = delivery(work, number)
    event = work.session.get_one(Event, model.event_number)
    columns = {c.key: getattr(event, c.key) for c in Event.__mapper__.columns if c.key not in ("number", "id")}
    events = [Event(**columns, id=uuid4()) for _ in range(count)]
    work.session.add_all(events)
    work.session.flush()
    columns = {c.key: getattr(model, c.key) for c in Delivery.__mapper__.columns if c.key not in ("number", "id")}
    work.session.add_all(Delivery(**{**columns, "id": uuid4(), "event_number": one.number}) for one in events)
    work.session.commit()


def test_what_waits_at_the_hook_already_is_sent_first(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada, 3)
    publish(work, ada, 300)
    row = start(work, ada)

    tend(work, clock, 3)
    assert read(work, row)[1].queued == 0

    settle(work, 300)
    tend(work, clock)
    assert read(work, row)[1].queued == 3


def test_a_slow_hook_does_not_keep_another_waiting(work, ada, clock) -> None:
    slow, quick = make_hook(work, ada), make_hook(work, ada)
    copies(work, failed(work, ada)[0], 99)
    for one in scalars(work, select(Delivery.number).where(Delivery.hook_number == slow.number)):
        put(work, one, event_type="order.paid")
    set_state(work, slow, open_until=clock.now() + DAY)
    numbers = failed(work, ada, 1)
    row = start(work, ada)

    for _ in range(5):
        tend(work, clock)
        deliver(work)

    parts = {one.hook_number: one for one in scalars(work, select(ReplayPart))}
    assert parts[quick.number].delivered >= 1
    assert parts[slow.number].delivered == 0
    assert (read(work, row)[0].state, len(numbers)) == ("running", 2)


def test_a_step_that_is_repeated_queues_nothing_twice(work, ada, clock) -> None:
    """As after a crash between the steps: rows and cursor are written together or not at all."""
    make_hook(work, ada)
    numbers = failed(work, ada, 3)
    row = start(work, ada)
    tend(work, clock, 2)
    work.session.execute(update(ReplayPart).values(delivery_cursor=0, is_fed=False))
    work.session.commit()

    progress = finish(work, clock, row)

    assert progress.delivered == 3
    assert [len(attempts(work, number)) for number in numbers] == [2, 2, 2]


def test_a_failure_that_waits_for_its_retry_keeps_the_replay_open(work, ada, clock) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 3600, "attempts": 2})
    failed(work, ada)
    row = start(work, ada)
    tend(work, clock, 2)
    deliver(work, Outcome.SERVER_ERROR, status=500)
    tend(work, clock, 20)

    row, progress = read(work, row)
    assert (row.state, progress.left) == ("running", 1)
    assert row.calm_s >= 8  # it is looked at ever more rarely

    clock.advance(hours=1)
    deliver(work, Outcome.SERVER_ERROR, status=500)
    tend(work, clock, 3)
    row, progress = read(work, row)
    assert (row.state, progress.failed, progress.left) == ("done", 1, 0)


def test_a_replay_ends_when_the_last_delivery_of_the_log_just_fills_its_window(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada, 64)

    progress = finish(work, clock, start(work, ada))

    assert (progress.total, progress.delivered, progress.left) == (64, 64, 0)


def test_what_changed_before_its_turn_is_counted_as_left_out(work, ada, clock) -> None:
    make_hook(work, ada)
    first, second = failed(work, ada, 2)
    row = start(work, ada)
    tend(work, clock)
    put(work, second, state="delivered")

    progress = finish(work, clock, row)

    assert (progress.total, progress.delivered, progress.skipped) == (2, 1, 1)
    assert replays.skips_of(work, row) == {Skip.CHANGED: 1}
    assert delivery(work, first).state == "delivered"


def test_a_hook_disabled_meanwhile_gets_what_was_queued_and_no_more(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    copies(work, failed(work, ada)[0], 599)
    row = start(work, ada)
    tend(work, clock, 2)

    hooks.disable(work, hook=hook)
    settle(work, 500)
    tend(work, clock, 3)

    row, progress = read(work, row)
    assert (row.state, progress.queued, progress.delivered, progress.skipped) == ("done", 500, 500, 100)
    assert replays.skips_of(work, row) == {Skip.DISABLED: 100}


def test_two_replays_do_not_take_the_same_delivery(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada, 2)
    first = start(work, ada)
    tend(work, clock, 2)
    put(work, scalars(work, select(Delivery.number))[0], state="failed", next_attempt_at=None)

    plan = planned(work, ada)
    second = start(work, ada)
    finish(work, clock, second)

    assert (plan.to_send, plan.skips) == (0, {Skip.IN_REPLAY: 1})
    assert read(work, second)[1].queued == 0
    assert read(work, first)[1].queued == 2


def test_there_are_not_too_many_at_a_time(work, ada) -> None:
    for _ in range(replays.MOST_AT_A_TIME):
        start(work, ada)

    with pytest.raises(Conflict) as caught:
        start(work, ada)

    assert caught.value.code == "too_many_replays"


def test_a_replay_over_nothing_is_done_at_once(work, ada, clock) -> None:
    row = start(work, ada)
    tend(work, clock, 2)

    assert read(work, row)[0].state == "done"


def test_something_unexpected_fails_the_replay_and_it_can_go_on(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada)
    row = start(work, ada)
    work.session.execute(update(Replay).values(which="nonsense"))
    work.session.commit()

    tend(work, clock)
    row, _ = read(work, row)
    assert (row.state, "ValueError" in row.error) == ("failed", True)

    work.session.execute(update(Replay).values(which="failed"))
    work.session.commit()
    replays.resume(work, row=row)
    assert finish(work, clock, row).delivered == 1


def test_the_leader_rings_for_replays_that_are_due_and_helps_when_nobody_comes(work, ada, clock, ring) -> None:
    make_hook(work, ada)
    failed(work, ada)
    row = start(work, ada)
    ring.lanes.clear()

    steps.wake(work)
    assert (ring.lanes, read(work, row)[0].state) == ([BACKGROUND], "pending")

    clock.advance(seconds=6)
    steps.wake(work)
    assert read(work, row)[0].state == "running"


def test_nobody_is_rung_for_without_a_replay_that_is_due(work, ring) -> None:
    steps.wake(work)

    assert ring.lanes == []
    assert steps.tend(work) is None
