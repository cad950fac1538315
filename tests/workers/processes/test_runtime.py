"""Worker processes as they are started in production: what they run, how they end, what survives their death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import func, select

from console.failpoints import Failpoints
from console.models import Delivery
from console.ring import RedisRing
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work
from console.settings import Settings
from tests.engine import attempts, delivery, make_due, make_hook, publish, set_state
from tests.workers.processes.stage import registered
from workers.lane_worker import remove_unreadable
from workers.runtime import sender_threads


def states(work: Work) -> dict[str, int]:
    rows = work.session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).all()
    work.session.commit()
    return {row[0]: row[1] for row in rows}


# --- ordinary life --------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_published_event_reaches_the_receiver(work: Work, ada, receiver, start, wait_until) -> None:
    make_hook(work, ada, url=receiver.url)
    start()

    begun = monotonic()
    publish(work, ada)
    wait_until(lambda: states(work) == {"delivered": 1})

    assert len(receiver.receipts) == 1
    assert monotonic() - begun < 2


def test_sigterm_finishes_what_is_in_flight_and_exits_with_zero(work: Work, ada, receiver, start, wait_until) -> None:
    make_hook(work, ada, url=receiver.url)
    receiver.gate.clear()
    process = start()
    publish(work, ada, 3)
    wait_until(lambda: receiver.receipts)

    process.terminate()
    wait_until(lambda: states(work) == {"sending": 1, "pending": 2})
    receiver.gate.set()

    assert process.wait(10) == 0
    assert states(work) == {"delivered": 1, "pending": 2}
    assert not registered(work)


def test_sigterm_ends_an_idle_worker_at_once(work: Work, start) -> None:
    process = start()

    process.terminate()

    assert process.wait(5) == 0


def test_a_second_sigterm_does_not_wait_and_another_worker_sends_it_again(
    work: Work, ada, receiver, start, wait_until
) -> None:
    make_hook(work, ada, url=receiver.url)
    receiver.gate.clear()
    process = start()
    [number] = publish(work, ada)
    wait_until(lambda: receiver.receipts)

    wait_until(lambda: process.terminate() or process.poll() is not None)
    assert (process.returncode, states(work)) == (0, {"sending": 1})
    receiver.gate.set()
    start()
    wait_until(lambda: states(work) != {"sending": 1})
    make_due(work)
    wait_until(lambda: states(work) == {"delivered": 1}, seconds=20)

    assert receiver.ids == [str(delivery(work, number).id)] * 2
    assert [attempt.outcome for attempt in attempts(work, number)] == ["interrupted", "ok"]


def test_without_redis_a_worker_delivers_by_polling(work: Work, ada, receiver, start, wait_until) -> None:
    make_hook(work, ada, url=receiver.url)
    process = start(redis_url="unix:///nowhere/valkey.sock")

    publish(work, ada, 3)
    wait_until(lambda: states(work) == {"delivered": 3})

    process.terminate()
    assert process.wait(10) == 0


def test_slow_hooks_are_served_by_their_own_process(work: Work, ada, receiver, start, wait_until) -> None:
    hook = make_hook(work, ada, url=receiver.url)
    set_state(work, hook, lane=DELIVERIES_SLOW)
    start(lane=DELIVERIES_SLOW)

    publish(work, ada)
    wait_until(lambda: states(work) == {"delivered": 1})


@pytest.mark.parametrize(("workers", "threads", "slow"), [(2, 16, 10), (1, 16, 5), (1, 1, 1), (4, 16, 16)])
def test_slow_hooks_get_at_most_a_quarter_of_all_senders(workers: int, threads: int, slow: int, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, workers=workers, sender_threads=threads)

    assert sender_threads(settings, lane=DELIVERIES) == threads
    assert sender_threads(settings, lane=DELIVERIES_SLOW) == slow


def test_a_wrong_setting_is_said_in_a_sentence(tmp_path: Path) -> None:
    environment = os.environ | {"HOOKYARD_DATA": str(tmp_path), "HOOKYARD_SENDER_THREADS": "many"}

    command = [sys.executable, "-m", "workers"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 2
    assert "HOOKYARD_SENDER_THREADS" in ended.stderr
    assert "Traceback" not in ended.stderr


# --- jobs -----------------------------------------------------------------------------------------------------------


def test_a_job_that_is_not_ours_is_refused_and_the_worker_lives(
    work: Work, ada, receiver, start, valkey, wait_until, tmp_path
) -> None:
    make_hook(work, ada, url=receiver.url)
    process = start()
    with redis.Redis.from_url(valkey) as client:
        wait_until(lambda: client.scard("rq:workers") == 1)  # what stands in the queue before is tidied away
        queue = Queue(DELIVERIES, connection=client, serializer=JSONSerializer)
        queue.enqueue("os.mkdir", str(tmp_path / "made"))
        wait_until(lambda: queue.failed_job_registry.get_job_count() == 1)

    publish(work, ada)
    wait_until(lambda: states(work) == {"delivered": 1})

    assert not (tmp_path / "made").exists()
    assert process.poll() is None


def test_jobs_that_cannot_be_read_are_removed_before_rq_meets_them(valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        queue = Queue(DELIVERIES, connection=client, serializer=JSONSerializer)
        RedisRing(valkey).ring(DELIVERIES)
        [good] = queue.get_job_ids()
        client.hset("rq:job:bad", mapping={"data": b"\x80no pickle here", "created_at": "yesterday"})
        client.rpush(queue.key, "bad", "gone")
        client.rpush(queue.intermediate_queue_key, "bad")
        client.zadd(f"rq:wip:{DELIVERIES}", {"bad:execution": 1})

        assert remove_unreadable(queue) == 2

        assert queue.get_job_ids() == [good]
        assert client.lrange(queue.intermediate_queue_key, 0, -1) == []
        assert client.zrange(f"rq:wip:{DELIVERIES}", 0, -1) == []
        assert not client.exists("rq:job:bad")


# --- failpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["sent", "sent=kill9@0", "sent=stop", "SENT=kill9", "lunch=kill9"])
def test_a_malformed_failpoint_stops_the_start(spec: str) -> None:
    with pytest.raises(ValueError, match="HOOKYARD_FAILPOINTS"):
        Failpoints(spec)


def test_a_failpoint_counts_what_it_is_told_to(tmp_path: Path) -> None:
    id_ = "01a200db-9959-7349-ae3a-c5649fccd44b"
    program = f"""
from console.failpoints import Failpoints
points = Failpoints("sent=kill9@3,sending:{id_}=kill9")
points.hit("sent"); points.hit("sent"); points.hit("sending", "another")
print("alive", flush=True)
points.hit("sending", "{id_}")
print("never")
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)

    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "alive\n")
