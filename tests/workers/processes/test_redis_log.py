"""What an operator reads in a worker's log when Redis forgets everything in the middle of a job."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import redis
from sqlalchemy import select

from console.models import Delivery
from console.ring import RedisRing
from console.services.work import Work
from tests.engine import make_hook, publish, scalars
from tests.faults.parts import own_valkey
from tests.forked import Forked

Start = Callable[..., Forked]


def test_a_redis_that_was_emptied_in_the_middle_of_a_job_is_one_warning_in_words(
    work: Work, ada, receiver, start: Start, wait_until, valkey: str, tmp_path: Path
) -> None:
    make_hook(work, ada, url=receiver.url)
    receiver.gate.clear()
    log = tmp_path / "log"
    with log.open("wb") as stderr:
        process = start(stderr=stderr)
    publish(work, ada)
    wait_until(lambda: receiver.receipts)

    with redis.Redis.from_url(valkey) as client:
        client.flushall()
    receiver.gate.set()
    wait_until(lambda: scalars(work, select(Delivery.state)) == ["delivered"])
    publish(work, ada)
    wait_until(lambda: scalars(work, select(Delivery.state)) == ["delivered"] * 2)
    process.terminate()
    process.wait(20)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line for line in lines if "exception" in line] == []
    [told] = [line for line in lines if line["level"] in ("warning", "error")]
    assert told["level"] == "warning"
    assert "emptied" in told["event"]


def test_a_redis_that_went_away_in_the_middle_of_a_job_is_told_without_tracebacks(
    work: Work, ada, receiver, start: Start, wait_until, tmp_path: Path
) -> None:
    make_hook(work, ada, url=receiver.url)
    receiver.gate.clear()
    log, folder = tmp_path / "log", Path(tempfile.mkdtemp(prefix="hy-own-", dir="/tmp"))
    with own_valkey(folder, wait_until) as own, log.open("wb") as stderr:
        process = start(stderr=stderr, redis_url=own.url)
        publish(replace(work, ring=RedisRing(own.url)), ada)
        wait_until(lambda: receiver.receipts)
        own.kill()
        receiver.gate.set()
        wait_until(lambda: scalars(work, select(Delivery.state)) == ["delivered"])
        wait_until(lambda: b"redis cannot be used" in log.read_bytes())
        process.terminate()
        process.wait(20)
    shutil.rmtree(folder)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line for line in lines if "exception" in line or "Traceback" in line["event"]] == []
    assert process.returncode == 0
