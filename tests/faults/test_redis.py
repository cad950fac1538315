"""F5, F6 and F7: Redis forgets everything, is gone, hangs, refuses; and rings that are superfluous."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

import pytest

from tests.faults.stage import Process, Stage, Valkey, Web

EVENTS = 25
AWAY_S = 4.0
"""Longer than any of our clients waits for an answer; the soak keeps Redis away for as long as it likes."""
AGAIN = 15.0
"""Seconds after which all is as usual once Redis is back."""


def flush(valkey: Valkey, _away: Event) -> None:
    with valkey.client() as client:
        client.flushall()


def restart(valkey: Valkey, _away: Event) -> None:
    valkey.kill()
    valkey.start()


def take_down(valkey: Valkey, away: Event) -> None:
    valkey.kill()
    away.wait(AWAY_S)
    valkey.start()


def pause(valkey: Valkey, away: Event) -> None:
    with valkey.client() as client:
        client.execute_command("CLIENT", "PAUSE", int(AWAY_S * 1000), "ALL")
    away.wait(AWAY_S)


def freeze(valkey: Valkey, away: Event) -> None:
    valkey.send(signal.SIGSTOP)
    away.wait(AWAY_S)
    valkey.send(signal.SIGCONT)


@contextmanager
def kept_running(stage: Stage) -> Iterator[list[Process]]:
    """Keep a worker running as a supervisor does: one that lost Redis in the middle of a job ends, and is replaced."""
    workers = [stage.start_worker()]
    is_over = Event()

    def tend() -> None:
        while not is_over.wait(0.1):
            if workers[-1].poll() is not None:
                workers.append(stage.start_worker())

    thread = Thread(target=tend, daemon=True)
    thread.start()
    yield workers
    is_over.set()
    thread.join()


@pytest.mark.parametrize("fault", [flush, restart, take_down, pause, freeze], ids=lambda fault: fault.__name__)
def test_f5_whatever_redis_does_nothing_is_lost_and_publishers_hardly_notice(
    stage: Stage, own: Valkey, fault: Callable[[Valkey, Event], None]
) -> None:
    stage.redis_url = own.url
    stage.hook()
    worker = stage.start_worker()
    web = stage.start_web()
    publish_in_turn(stage, web)
    stage.wait_for(delivered=EVENTS)

    villain = Thread(target=fault, args=(own, Event()))
    villain.start()
    publish_in_turn(stage, web)
    while villain.is_alive():
        publish_in_turn(stage, web, 1)
    villain.join()
    back = monotonic()

    stage.wait_until(lambda: set(stage.states()) == {"delivered"}, seconds=AGAIN)
    stage.wait_until(lambda: is_prompt(stage, web), seconds=AGAIN)
    assert monotonic() - back < AGAIN
    stage.wait_until(lambda: set(stage.states()) == {"delivered"})
    assert max(web.seconds) < 3
    assert worker.poll() is None
    stage.check()


def publish_in_turn(stage: Stage, web: Web, count: int = EVENTS) -> None:
    for n in range(count):
        answer = web.publish(n)
        assert answer.status_code == 202, answer.text
        stage.answered[answer.json()["id"]] = answer.json()["deliveries"]


def is_prompt(stage: Stage, web: Web) -> bool:
    """Say whether an event arrives by the ring: sooner than any poll would bring it."""
    before = len(stage.ledger.receipts)
    publish_in_turn(stage, web, 1)
    deadline = monotonic() + 0.5
    while len(stage.ledger.receipts) == before:
        if monotonic() > deadline:
            return False
    return True
