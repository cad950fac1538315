"""The ring: one job however often it is rung, and never an error."""

from __future__ import annotations

import json
import time
import zlib

import pytest
import redis
import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from console.ring import DRAIN, PAUSE_S, RedisRing, flag_of
from console.services.work import DELIVERIES, DELIVERIES_SLOW
from workers.jobs import JOBS


@pytest.fixture
def client(valkey: str):
    with redis.Redis.from_url(valkey) as client:
        yield client


def jobs(client: redis.Redis, lane: str = DELIVERIES) -> list[str]:
    return Queue(lane, connection=client, serializer=JSONSerializer).get_job_ids()


def test_a_thousand_rings_make_one_job(valkey: str, client) -> None:
    ring = RedisRing(valkey)

    for _ in range(1000):
        ring.ring(DELIVERIES)

    assert len(jobs(client)) == 1
    assert jobs(client, DELIVERIES_SLOW) == []


def test_a_job_that_has_begun_lets_the_next_ring_through(valkey: str, client) -> None:
    ring = RedisRing(valkey)
    ring.ring(DELIVERIES)

    ring.answered(DELIVERIES)
    ring.ring(DELIVERIES)

    assert len(jobs(client)) == 2


def test_a_ring_whose_job_went_astray_is_rung_again(valkey: str, client) -> None:
    ring = RedisRing(valkey)
    ring.ring(DELIVERIES)
    client.delete(Queue(DELIVERIES, connection=client, serializer=JSONSerializer).key)  # cut off with who took it

    ring.ring(DELIVERIES)
    assert jobs(client) == []
    ring.ring_again(DELIVERIES)
    ring.ring_again(DELIVERIES)

    assert len(jobs(client)) == 1


def test_the_job_is_json_names_what_the_workers_know_and_leaves_nothing_behind(valkey: str, client) -> None:
    RedisRing(valkey).ring(DELIVERIES)

    [job_id] = jobs(client)
    stored = {name.decode(): value for name, value in client.hgetall(f"rq:job:{job_id}").items()}
    assert json.loads(zlib.decompress(stored["data"])) == [DRAIN, None, [DELIVERIES], {}]
    assert DRAIN in JOBS
    assert stored["result_ttl"] == b"0"
    assert 0 < client.ttl(flag_of(DELIVERIES)) <= 30


def test_a_redis_that_is_not_there_costs_neither_an_error_nor_a_wait() -> None:
    ring = RedisRing("unix:///nowhere/valkey.sock")

    with structlog.testing.capture_logs() as logs:
        for _ in range(100):
            ring.ring(DELIVERIES)

    assert [entry["event"] for entry in logs] == ["redis cannot be used"]
    assert ring.trouble().startswith("Redis cannot be reached.")


def test_a_redis_that_hangs_is_asked_once_and_then_left_alone_for_a_while(valkey: str, client) -> None:
    ring = RedisRing(valkey)
    client.client_pause(3000)
    begun = time.monotonic()

    ring.ring(DELIVERIES)
    first_s = time.monotonic() - begun
    ring.ring(DELIVERIES)
    both_s = time.monotonic() - begun

    assert 1.5 < first_s < 2.9
    assert both_s - first_s < 0.1
    client.client_unpause()


def test_a_redis_that_hangs_is_not_asked_again_for_a_ring_that_may_have_gone_astray(valkey: str, client) -> None:
    ring = RedisRing(valkey)
    client.client_pause(3000)
    ring.ring(DELIVERIES)
    begun = time.monotonic()

    ring.ring_again(DELIVERIES)

    assert time.monotonic() - begun < 0.1
    client.client_unpause()


def test_it_rings_again_when_redis_has_come_back(valkey: str, client) -> None:
    moment = [0.0]
    ring = RedisRing(valkey, monotonic=lambda: moment[0])
    ring._note_failure(DELIVERIES, redis.ConnectionError("gone"))
    ring.ring(DELIVERIES)
    assert jobs(client) == []

    moment[0] += PAUSE_S
    ring.ring(DELIVERIES)

    assert len(jobs(client)) == 1


def test_what_went_astray_is_rung_again_when_redis_has_come_back(valkey: str, client) -> None:
    moment = [0.0]
    ring = RedisRing(valkey, monotonic=lambda: moment[0])
    client.set(flag_of(DELIVERIES), 1)
    ring._note_failure(DELIVERIES, redis.ConnectionError("gone"))
    ring.ring_again(DELIVERIES)
    assert jobs(client) == []

    moment[0] += PAUSE_S
    ring.ring_again(DELIVERIES)

    assert len(jobs(client)) == 1


def test_a_ring_that_could_not_be_finished_does_not_silence_the_next_one(valkey: str, client) -> None:
    moment = [0.0]
    ring = RedisRing(valkey, monotonic=lambda: moment[0])
    client.set("rq:queues", "no set")  # so that RQ fails after the flag was set

    ring.ring(DELIVERIES)

    assert client.get(flag_of(DELIVERIES)) is None
    client.delete("rq:queues")
    moment[0] += PAUSE_S
    ring.ring(DELIVERIES)
    assert len(jobs(client)) == 1
