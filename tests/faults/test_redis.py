"""F5, F6 and F7: Redis forgets everything, is gone, hangs, refuses; and rings that are superfluous."""

from __future__ import annotations

import signal
import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic

import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from console.ring import DRAIN
from console.services.work import DELIVERIES
from tests.faults.parts import Process, Valkey, Web
from tests.faults.stage import Stage

EVENTS = 25
AWAY_S = 4.0
"""Longer than any of our clients waits for an answer; the soak keeps Redis away for as long as it likes."""
AGAIN = 15.0
"""Seconds after which all is as usual once Redis is back."""


def flush(valkey: Valkey, away: Event) -> None:
    with valkey.client() as client:
        for _ in range(10):
            client.flushall()
            away.wait(0.1)


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


def test_f5_a_worker_that_loses_redis_in_the_middle_of_a_job_finishes_it_and_is_there_again(
    stage: Stage, own: Valkey
) -> None:
    stage.redis_url = own.url
    stage.hook()
    stage.ledger.gate.clear()
    web = stage.start_web()
    with kept_running(stage):
        publish_in_turn(stage, web, 1)
        stage.wait_until(lambda: stage.ledger.receipts)

        own.kill()
        stage.ledger.gate.set()
        stage.wait_for(delivered=1)
        own.start()

        stage.wait_until(lambda: is_prompt(stage, web), seconds=AGAIN)
        stage.wait_until(lambda: set(stage.states()) == {"delivered"})
    assert stage.check().duplicates == 0


# --- F6 -------------------------------------------------------------------------------------------------------------


def fill(valkey: Valkey) -> None:
    with valkey.client() as client:
        client.config_set("maxmemory", 1)


def demote(valkey: Valkey) -> None:
    with valkey.client() as client:
        client.replicaof("127.0.0.1", 1)


def lock(valkey: Valkey) -> None:
    with valkey.client() as client:
        client.config_set("requirepass", "open sesame")


REFUSALS = [
    (fill, "Redis is full (maxmemory) and takes nothing more."),
    (demote, "Redis is a read-only replica: set HOOKYARD_REDIS_URL to its primary."),
    (lock, "Redis refuses these credentials: correct HOOKYARD_REDIS_URL."),
]


@pytest.mark.parametrize(("fault", "words"), REFUSALS, ids=[fault.__name__ for fault, _ in REFUSALS])
def test_f6_a_redis_that_refuses_is_put_into_words_and_events_are_delivered_all_the_same(
    stage: Stage, own: Valkey, fault: Callable[[Valkey], None], words: str
) -> None:
    stage.redis_url = own.url
    stage.hook()
    fault(own)
    app = stage.app()
    stage.start_worker()

    answer = stage.caller(app).publish()

    assert answer.status_code == 202
    stage.wait_for(delivered=1)
    ready = app.test_client().get("/readyz")
    assert ready.status_code == 503
    assert ready.json["reasons"] == [f"{words} Deliveries go on, later than usual."]
    assert words in stage.browser(app).get("/o/acme/").text


@pytest.mark.parametrize("version", ["5.0.7", "6.0.16"])
def test_f6_a_redis_that_is_too_old_is_put_into_words(stage: Stage, version: str) -> None:
    with OldRedis(version) as old:
        stage.redis_url = old.url
        app = stage.app()

        reasons = app.test_client().get("/readyz").json["reasons"]

        words = "Redis is too old: Hookyard needs 6.2 or newer."
        assert reasons[0] == f"{words} Deliveries go on, later than usual."
        assert words in stage.browser(app).get("/o/acme/").text


class OldRedis(socketserver.ThreadingTCPServer):
    """Says what it is, and that all is well. Redis before 6.0 knows no HELLO."""

    daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert isinstance(self.server, OldRedis)
            info = f"redis_version:{self.server.version}\r\n".encode()
            answers = {b"INFO": b"$%d\r\n%b\r\n" % (len(info), info), b"HELLO": b"%1\r\n+proto\r\n:3\r\n"}
            if self.server.version < "6":
                answers[b"HELLO"] = b"-ERR unknown command `HELLO`\r\n"
            while head := self.rfile.readline():
                words = [self._word() for _ in range(int(head[1:]))]
                self.wfile.write(answers.get(words[0].upper(), b"+OK\r\n"))

        def _word(self) -> bytes:
            length = int(self.rfile.readline()[1:])
            return self.rfile.read(length + 2)[:length]

    def __init__(self, version: str) -> None:
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.version = version
        self.url = f"redis://127.0.0.1:{self.server_address[1]}/0"
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


# --- F7 -------------------------------------------------------------------------------------------------------------


def test_f7_a_thousand_superfluous_jobs_and_two_workers_make_one_request(stage: Stage, valkey: str) -> None:
    stage.hook()
    stage.ledger.gate.clear()
    [number] = stage.publish()
    with redis.Redis.from_url(valkey) as client:
        queue = Queue(DELIVERIES, connection=client, serializer=JSONSerializer)
        queue.enqueue_many([Queue.prepare_data(DRAIN, args=[DELIVERIES], result_ttl=0) for _ in range(1000)])
        for _ in range(2):
            stage.start_worker()
        stage.wait_until(lambda: stage.ledger.receipts)
        stage.ledger.gate.set()

        stage.wait_until(lambda: not queue.get_job_ids(), seconds=60)

    stage.wait_for(delivered=1)
    assert stage.outcomes(number) == ["ok"]
    assert len(stage.ledger.receipts) == 1
