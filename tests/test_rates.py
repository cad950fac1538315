"""Requests of this minute are counted over all processes, or in each while there is no Redis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import redis

from console.rates import Rates, left_of_minute
from console.ring import PAUSE_S

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_two_processes_count_together(valkey: str) -> None:
    one, other = Rates(valkey), Rates(valkey)

    one.count(["token:1", "organization:1"], now=NOON)
    one.count(["token:1", "organization:1"], now=NOON)

    assert other.count(["token:2", "organization:1"], now=NOON) == {"token:2": 1, "organization:1": 3}


def test_each_minute_begins_at_one(valkey: str) -> None:
    for rates in (Rates(valkey), Rates()):
        rates.count(["token:1"], now=NOON)

        assert rates.count(["token:1"], now=NOON + timedelta(seconds=59.9)) == {"token:1": 2}
        assert rates.count(["token:1"], now=NOON + timedelta(seconds=60)) == {"token:1": 1}


def test_counters_go_by_themselves(valkey: str) -> None:
    Rates(valkey).count(["token:1"], now=NOON)

    with redis.Redis.from_url(valkey) as client:
        [key] = client.keys("hookyard:rate:*")
        assert 60 < client.ttl(key) <= 120


def test_a_redis_that_is_down_is_left_alone_for_a_while(valkey: str) -> None:
    moment = 0.0
    rates = Rates("unix:///nowhere/valkey.sock", monotonic=lambda: moment)

    assert rates.count(["token:1"], now=NOON) == {"token:1": 1}
    rates._redis = redis.Redis.from_url(valkey)  # it is back

    assert rates.count(["token:1"], now=NOON) == {"token:1": 2}
    moment = PAUSE_S
    assert rates.count(["token:1"], now=NOON) == {"token:1": 1}


def test_one_comes_back_when_the_next_minute_begins() -> None:
    assert left_of_minute(NOON) == 60
    assert left_of_minute(NOON + timedelta(seconds=59.9)) == 1
