"""Worker processes as they are started in production, at the time that it really is, and a receiver."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from console.cli import commands
from console.ring import RedisRing
from console.services.work import DELIVERIES, SystemClock, Work
from tests.forked import Forked
from tests.workers.processes.stage import registered

Start = Callable[..., Forked]


@pytest.fixture
def work(work: Work, valkey: str) -> Work:
    return replace(work, clock=SystemClock(), ring=RedisRing(valkey))


@pytest.fixture
def start(work: Work, valkey: str, wait_until) -> Iterator[Start]:
    """Start a worker process and wait until it is registered."""
    with ExitStack() as stack:

        def start(*, lane: str = DELIVERIES, redis_url: str = valkey, stderr: Any = None, **settings: object) -> Forked:
            environment = os.environ | {
                "HOOKYARD_DATA": str(work.settings.data),
                "HOOKYARD_DATABASE_URL": work.settings.database_url,
                "HOOKYARD_SECRET_KEY": work.settings.secret_key,
                "HOOKYARD_ALLOW_NETS": "127.0.0.0/8",
                "HOOKYARD_REDIS_URL": redis_url,
                **{f"HOOKYARD_{name.upper()}": str(value) for name, value in settings.items()},
            }
            known = registered(work)
            process = Forked(commands.worker(lane), env=environment, stderr=stderr)
            stack.callback(end, process)
            wait_until(lambda: process.poll() is not None or registered(work) - known, seconds=20)
            return process

        yield start


def end(process: Forked) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(10)
