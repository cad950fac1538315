"""Replays: what they cover, how they are fed, stopped and resumed, and that nothing is sent twice for them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from console.core.errors import Conflict, Invalid, NotFound
from console.core.outcomes import Outcome
from console.models import (
    Attempt,
    AuditEntry,
    Delivery,
    DeliveryState,
    Event,
    Replay,
    ReplayPart,
    ReplayState,
    Turn,
    Which,
)
from console.services import deliveries, hooks, publishing, replays, sources
from console.services.delivery_filters import DeliveryFilter
from console.services.event_drafts import EventDraft
from console.services.replaying import pace, steps
from console.services.replays import ReplayDraft, Skip
from console.services.work import BACKGROUND, Work
from tests.engine import attempts, claim, delivery, hire, make_hook, publish, put, record, rows_of, scalars, set_state

pytestmark = pytest.mark.both_databases
DAY = timedelta(days=1)


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


def planned(work: Work, person, which: Which = Which.FAILED, **fields: object) -> replays.Plan:
    found = replays.plan(work, organization_number=person.organization.number, draft=ReplayDraft(which=which, **fields))
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


# --- what it covers -------------------------------------------------------------------------------------------------


def test_failed_covers_deliveries_whose_latest_chain_failed(work, ada, clock) -> None:
    make_hook(work, ada)
    lost = failed(work, ada, 2)
    publish(work, ada)
    deliver(work)

    plan = planned(work, ada)
    row = start(work, ada)
    progress = finish(work, clock, row)

    assert (plan.to_send, plan.skips, plan.is_capped) == (2, {}, False)
    assert [one.delivery.number for one in plan.rows] == lost
    assert (progress.total, progress.queued, progress.delivered, progress.left) == (2, 2, 2, 0)
    assert row.state == ReplayState.DONE
    assert [(one.chain, one.trigger) for one in attempts(work, lost[0])] == [(1, "automatic"), (2, "replay")]
    assert (delivery(work, lost[0]).replay_number, delivery(work, lost[0]).state_before) == (row.number, "failed")


def test_missing_makes_deliveries_of_events_that_a_hook_wants_and_never_got(work, ada, clock) -> None:
    early = publish(work, ada, 2) + publish(work, ada, 1, type="cart.left")
    assert early == []
    hook = make_hook(work, ada, all_events=False, event_types=["order.*"])

    plan = planned(work, ada, Which.MISSING, hook=hook)
    progress = finish(work, clock, start(work, ada, Which.MISSING, hook=hook))

    assert plan.to_send == 2
    assert [(one.event_type, one.delivery) for one in plan.rows] == [("order.paid", None)] * 2
    assert progress.delivered == 2
    assert [event.delivery_count for event in scalars(work, select(Event).order_by(Event.number))] == [0, 0, 0]
    assert {(one.chain, one.trigger) for one in scalars(work, select(Delivery))} == {(1, "replay")}


def test_missing_heeds_sources_and_leaves_direct_events_and_tests_alone(work, ada, clock) -> None:
    number = ada.organization.number
    for slug in ("shop", "kiosk"):
        sources.create(work, organization_number=number, slug=slug)
        draft = EventDraft(type="order.paid", payload=b"{}", source=slug)
        publishing.publish(work, organization_number=number, draft=draft)
    other = make_hook(work, ada, all_events=False)
    publishing.publish_to(work, hook=other, draft=EventDraft(type="order.paid", payload=b"{}"))
    deliveries.send_test(work, hook=other, event_type="order.paid")
    hook = make_hook(work, ada, sources=["shop"])

    progress = finish(work, clock, start(work, ada, Which.MISSING, hook=hook))

    assert progress.delivered == 1


def test_missing_heeds_the_filter_of_a_hook_and_counts_what_it_refuses(work, ada, clock) -> None:
    publish(work, ada, 5)  # {"n":0} to {"n":4}
    hook = make_hook(work, ada, filter="n > `2`")

    plan = planned(work, ada, Which.MISSING, hook=hook)
    row = start(work, ada, Which.MISSING, hook=hook)
    progress = finish(work, clock, row)

    assert (plan.to_send, plan.skips, len(plan.rows)) == (2, {Skip.FILTERED: 3}, 2)
    assert (progress.total, progress.delivered, progress.skipped, progress.left) == (5, 2, 3, 0)
    assert replays.skips_of(work, row) == {Skip.FILTERED: 3}


def test_missing_releases_what_was_held_or_canceled_before_an_attempt(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    failed(work, ada)
    held, canceled, waiting = publish(work, ada, 3)
    put(work, held, state="held", next_attempt_at=None, waiting_reason="Kept back when the hook was enabled")
    put(work, canceled, state="canceled", next_attempt_at=None, finished_at=clock.now())
    put(work, waiting, next_attempt_at=clock.now() + DAY)

    plan = planned(work, ada, Which.MISSING, hook=hook)
    progress = finish(work, clock, start(work, ada, Which.MISSING))

    assert (plan.to_send, plan.skips) == (2, {Skip.WAITING: 1})
    assert (progress.total, progress.delivered, progress.skipped) == (3, 2, 1)
    assert delivery(work, waiting).state == "pending"


def test_all_covers_delivered_ones_too(work, ada, clock) -> None:
    failed(work, ada)
    make_hook(work, ada)
    publish(work, ada, 2)
    deliver(work)
    failed(work, ada)

    progress = finish(work, clock, start(work, ada, Which.ALL))

    assert progress.delivered == 4 - 0
    assert Counter(scalars(work, select(Delivery.trigger))) == {"replay": 4}


def test_a_window_and_event_types_narrow_it(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada)
    clock.advance(hours=2)
    wanted = failed(work, ada, type="order.refund.done")
    failed(work, ada, type="cart.left")
    clock.advance(hours=2)
    failed(work, ada, type="order.refund.done")
    since, until = clock.now() - timedelta(hours=3), clock.now() - timedelta(hours=1)

    narrow = {"event_types": ("order.*", "shop.closed"), "since": since, "until": until}
    plan = planned(work, ada, **narrow)
    finish(work, clock, start(work, ada, **narrow))

    assert [one.delivery.number for one in plan.rows] == wanted
    assert scalars(work, select(Delivery.number).where(Delivery.trigger == "replay")) == wanted


def test_the_logs_filters_narrow_it_and_leave_missing_events_out(work, ada, clock) -> None:
    publish(work, ada)
    make_hook(work, ada)
    publish(work, ada, 2)
    deliver(work)
    [refused] = failed(work, ada)
    narrowed = DeliveryFilter(status_class="5xx", states=(DeliveryState.FAILED,))

    plan = planned(work, ada, Which.ALL, narrowed=narrowed)
    progress = finish(work, clock, start(work, ada, Which.ALL, narrowed=narrowed))

    assert [one.delivery.number for one in plan.rows] == [refused]
    assert progress.delivered == 1


def test_tests_are_never_replayed(work, ada) -> None:
    hook = make_hook(work, ada)
    deliveries.send_test(work, hook=hook)
    deliver(work, Outcome.SERVER_ERROR, status=500)

    assert planned(work, ada, Which.ALL).to_send == 0


def test_what_is_published_after_the_start_is_not_part_of_it(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada)

    row = start(work, ada, Which.ALL)
    later = failed(work, ada)
    finish(work, clock, row)

    assert delivery(work, later[0]).replay_number is None


def test_hooks_that_are_disabled_or_deleted_are_passed_over_and_counted(work, ada, clock) -> None:
    disabled, deleted = make_hook(work, ada), make_hook(work, ada)
    failed(work, ada, 2)
    hooks.disable(work, hook=disabled)
    hooks.delete(work, hook=deleted)

    plan = planned(work, ada)
    progress = finish(work, clock, start(work, ada))

    assert (plan.to_send, plan.rows, plan.skips) == (0, (), {Skip.DISABLED: 2, Skip.DELETED: 2})
    assert (progress.total, progress.skipped, progress.queued) == (4, 4, 0)


def test_a_disabled_hook_that_is_named_gets_its_deliveries(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    failed(work, ada)
    hooks.disable(work, hook=hook)
    publish(work, ada)

    progress = finish(work, clock, start(work, ada, Which.ALL, hook=hook))

    assert progress.delivered == 2


def test_another_organization_sees_nothing_of_it(work, ada, mallory) -> None:
    make_hook(work, ada)
    failed(work, ada)
    row = start(work, ada)

    assert planned(work, mallory, Which.ALL).shares == ()
    assert replays.find(work, organization_number=mallory.organization.number) == []
    with pytest.raises(NotFound):
        replays.get(work, organization_number=mallory.organization.number, replay_id=row.id)
    with pytest.raises(NotFound):
        replays.get(work, organization_number=ada.organization.number, replay_id=uuid4())


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"event_types": ("a b",)}, "/event_types/0"),
        ({"event_types": ("a", "a.*.b")}, "/event_types/1"),
        ({"event_types": ("a",) * 51}, "/event_types"),
        ({"since": -1, "until": -2}, "/until"),
    ],
)
def test_what_cannot_match_is_refused(work, ada, clock, fields, pointer) -> None:
    times = {name: clock.now() + DAY * fields[name] for name in ("since", "until") if name in fields}
    for act in (planned, start):
        with pytest.raises(Invalid) as caught:
            act(work, ada, **{**fields, **times})
        assert caught.value.fields[0].pointer == pointer


def test_a_plan_estimates_how_long_it_takes(work, ada) -> None:
    hook = make_hook(work, ada, max_in_flight=2)
    failed(work, ada, 4)
    assert planned(work, ada).seconds is None  # nothing was ever sent there

    publish(work, ada)
    deliver(work, duration_ms=100)
    assert planned(work, ada).seconds == pytest.approx(0.15, abs=0.05)

    hooks.change(work, hook=hook, draft=hooks.HookDraft(rate_limit={"count": 1, "seconds": 10}))
    assert planned(work, ada).seconds == 40


# --- how it goes ----------------------------------------------------------------------------------------------------


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


# --- stop and resume ------------------------------------------------------------------------------------------------


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


# --- since when a hook fails ----------------------------------------------------------------------------------------


def test_the_start_of_the_last_failures_is_known_while_a_hook_fails_and_after(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    assert pace.failing_since(work, hook) is None

    began = clock.now()
    publish(work, ada)
    deliver(work, Outcome.SERVER_ERROR, status=500)
    assert pace.failing_since(work, hook) == began - timedelta(minutes=1)

    clock.advance(hours=1)
    deliver(work, Outcome.SERVER_ERROR, status=500)
    clock.advance(hours=2)
    assert deliver(work) == 1
    assert pace.failing_since(work, hook) == began
