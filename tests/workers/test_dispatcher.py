"""The dispatcher: rings for what is due, drains by itself when ringing does not help, and repairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import select, update

from console.models import Bin, Delivery, Event, Hook, HookSecret
from console.ring import RedisRing
from console.services.bins import bins
from console.services.hooks import trials
from console.services.hooks.hook_fields import HookDraft
from console.services.upkeep import beating, leading, pruning, sweeping
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Ring, SystemClock, Work
from tests.engine import claim, delivery, hire, make_hook, publish, put, scalars, set_state
from workers import dispatcher
from workers.beat import Beat
from workers.dispatcher import Dispatcher
from workers.drain import Drain
from workers.equipment import Equipment, open_engine
from workers.sender import Sender


@pytest.fixture
def work(work: Work) -> Work:
    return replace(work, clock=SystemClock())


@pytest.fixture
def post(work: Work) -> Iterator[Callable[..., Dispatcher]]:
    """Post a dispatcher that ticks when it is told to."""
    with ExitStack() as stack:

        def make(*, ring: Ring, lane: str = DELIVERIES) -> Dispatcher:
            engine = open_engine(work.settings, pool_size=4)
            stack.callback(engine.dispose)
            equipment = Equipment(engine, work.settings, work.keys, ring=ring)
            beat = Beat(equipment, lane=lane)
            sender = Sender(work.settings.target_policy, user_agent="Hookyard/test", pool_size=8)
            drain = Drain(equipment, lane=lane, beat=beat, sender=sender, threads=4)
            beat.start()
            drain.start()
            stack.callback(beat.stop)
            stack.callback(drain.close)
            return Dispatcher(equipment, lane=lane, beat=beat, drain=drain)

        yield make


def jobs(valkey: str, lane: str) -> int:
    with redis.Redis.from_url(valkey) as client:
        return len(Queue(lane, connection=client, serializer=JSONSerializer).get_job_ids())


def test_the_leader_rings_again_for_what_was_rung_for_in_vain(work: Work, ada, post, valkey) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    leader = post(ring=RedisRing(valkey))
    leader.tick()
    with redis.Redis.from_url(valkey) as client:
        client.delete(Queue(DELIVERIES, connection=client, serializer=JSONSerializer).key)

    put(work, number, next_attempt_at=work.now() - timedelta(seconds=2))
    leader.tick()

    assert jobs(valkey, DELIVERIES) == 1


@pytest.mark.both_databases
def test_the_leader_rings_the_lanes_that_have_due_work(work: Work, ada, ring, post, valkey) -> None:
    slow = make_hook(work, ada)
    set_state(work, slow, lane=DELIVERIES_SLOW)
    publish(work, ada)
    leader, follower = post(ring=RedisRing(valkey)), post(ring=ring)
    ring.lanes.clear()

    leader.tick()
    follower.tick()

    assert (jobs(valkey, DELIVERIES_SLOW), jobs(valkey, DELIVERIES)) == (1, 0)
    assert ring.lanes == []


def test_nothing_is_rung_for_when_nothing_is_due(work: Work, ada, post, valkey) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    put(work, number, next_attempt_at=work.now() + timedelta(seconds=30))

    post(ring=RedisRing(valkey)).tick()

    assert jobs(valkey, DELIVERIES) == 0


def test_without_redis_what_is_due_is_delivered_all_the_same(work: Work, ada, receiver, post, wait_until) -> None:
    make_hook(work, ada, url=receiver.url)
    [number] = publish(work, ada)

    post(ring=RedisRing("unix:///nowhere/valkey.sock")).tick()

    wait_until(lambda: delivery(work, number).state == "delivered")


def test_work_that_no_ring_brought_to_a_worker_is_taken_up_after_five_seconds(
    work: Work, ada, receiver, post, valkey, wait_until
) -> None:
    make_hook(work, ada, url=receiver.url)
    [fresh] = publish(work, ada)
    dispatcher = post(ring=RedisRing(valkey))
    dispatcher.tick()
    assert dispatcher._own_drain is None

    put(work, fresh, next_attempt_at=work.now() - timedelta(seconds=6))
    dispatcher.tick()

    wait_until(lambda: delivery(work, fresh).state == "delivered")


def test_a_worker_of_another_lane_does_not_take_it_up(work: Work, ada, post) -> None:
    make_hook(work, ada)
    publish(work, ada)
    dispatcher = post(ring=RedisRing("unix:///nowhere/valkey.sock"), lane=DELIVERIES_SLOW)

    dispatcher.tick()

    assert dispatcher._own_drain is None


def test_what_a_dead_worker_held_is_freed(work: Work, ada, ring, post) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    dead = hire(work)
    claim(work, dead)
    beating.retire(work, worker=dead)

    post(ring=ring).tick()

    assert (delivery(work, number).state, delivery(work, number).interrupted) == ("pending", 1)


def test_an_interrupted_fan_out_is_finished(work: Work, ada, ring, post, monkeypatch) -> None:
    monkeypatch.setattr("console.services.events.event_rows.INLINE_HOOKS", 1)
    make_hook(work, ada)
    make_hook(work, ada)
    assert publish(work, ada) == []

    post(ring=ring).tick()

    assert {delivery(work, number).state for number in (1, 2)} == {"pending"}


def test_a_duty_that_fails_does_not_keep_the_others_from_being_done(work: Work, ada, ring, post, monkeypatch) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    dead = hire(work)
    claim(work, dead)
    beating.retire(work, worker=dead)
    dispatcher = post(ring=ring)

    def fail(work: Work) -> None:
        work.session.execute(sweeping.text("SELECT nothing FROM nowhere"))

    dispatcher._duties[0]._do, sweep = fail, dispatcher._duties[0]._do
    dispatcher._duties[1]._do = sweep

    dispatcher.tick()

    assert delivery(work, number).state == "pending"


def test_a_bin_whose_time_is_up_is_deleted(work: Work, ada, ring, post) -> None:
    bins.create(work, organization=ada.organization, name="Brief")
    work.session.execute(update(Bin).values(expires_at=work.now() - timedelta(seconds=1)))
    work.session.commit()

    post(ring=ring).tick()

    assert scalars(work, select(Bin.number)) == []


def test_a_dispatcher_that_stops_leaves_the_lead_to_another(work: Work, ring, post) -> None:
    first, second = post(ring=ring), post(ring=ring)
    first.start()
    first.tick()

    first.stop()

    assert leading.lead(work, worker=second._beat.worker)


def test_the_secrets_of_trials_do_not_wait_for_the_end_of_a_long_pass(work: Work, ada, ring, post, monkeypatch) -> None:
    monkeypatch.setattr(pruning, "MOST_ROWS", 1)
    monkeypatch.setattr(dispatcher, "PRUNE_S", 0)
    seconds = 1000.0
    monkeypatch.setattr(dispatcher, "monotonic", lambda: seconds)
    make_hook(work, ada)
    publish(work, ada, 5)
    earlier = work.now() - timedelta(days=60)
    work.session.execute(update(Delivery).values(state="delivered", finished_at=earlier))
    work.session.execute(update(Event).values(created_at=earlier))
    draft = HookDraft(url="https://example.com/trial")
    trials.send(work, organization_number=ada.organization.number, author_number=None, draft=draft)
    leader = post(ring=ring)
    leader.tick()

    work.session.execute(update(Hook).where(Hook.is_trial).values(created_at=work.now() - timedelta(hours=2)))
    work.session.commit()
    seconds += 61
    leader.tick()

    of_trials = select(HookSecret).join(Hook, Hook.number == HookSecret.hook_number).where(Hook.is_trial)
    assert scalars(work, of_trials) == []
    assert scalars(work, select(Event.number).where(Event.created_at == earlier)) != []
