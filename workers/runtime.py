"""A worker process: set up after it has started, run by RQ, ended by SIGTERM in good order."""

from __future__ import annotations

import logging
import signal
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from threading import Event
from types import FrameType

import redis
import structlog
from rq import Queue
from rq.serializers import JSONSerializer

from console import garbage, logs
from console.ring import RedisRing
from console.services.work import DELIVERIES_SLOW
from console.settings import Settings, load_settings
from workers.beat import Beat
from workers.dispatcher import Dispatcher
from workers.drain import Drain
from workers.equipment import Equipment, equip, open_engine
from workers.jobs import attach
from workers.lane_worker import LONGEST_WAIT_S, LaneWorker, connect, remove_unreadable, without_traceback
from workers.replaying import Replaying
from workers.sender import Sender

_log = structlog.get_logger(__name__)


class Process:
    """Everything that runs in a worker process of *lane*."""

    def __init__(self, settings: Settings, *, lane: str) -> None:
        self._lane = lane
        self._settings = settings
        self._equipment: Equipment = equip(settings)
        threads = sender_threads(settings, lane=lane)
        self._beat = Beat(
            replace(self._equipment, engine=open_engine(settings, pool_size=1)),  # so that nobody can hold it up
            lane=lane,
            in_flight=lambda: self._drain.board.in_flight,
        )
        self._sender = Sender(
            settings.target_policy, user_agent=f"Hookyard/{version('hookyard')}", pool_size=threads * 4
        )
        self._drain = Drain(self._equipment, lane=lane, beat=self._beat, sender=self._sender, threads=threads)
        self._replaying = Replaying(self._equipment)
        self._dispatcher = Dispatcher(self._equipment, lane=lane, beat=self._beat, drain=self._drain)
        self._ending = Event()

    def run(self) -> int:
        """Work until a signal ends it; give the exit code."""
        attach(self.deliver, replay=self.replay)
        self._listen()
        self._beat.start()
        self._drain.start()
        self._dispatcher.start()
        _log.info("worker is ready", lane=self._lane, worker=self._beat.worker)
        try:
            self._serve()
        finally:
            self._close()
        return 0

    def deliver(self, lane: str) -> None:
        """Run the drain job: clear the flag, then read, so that nothing committed before the ring is missed."""
        ring = self._equipment.ring
        if isinstance(ring, RedisRing):
            ring.answered(lane)
        if self._drain.run():
            ring.ring(lane)

    def replay(self, lane: str) -> None:
        """Run the replays' job; the flag is cleared first, as by a drain job."""
        ring = self._equipment.ring
        if isinstance(ring, RedisRing):
            ring.answered(lane)
        if self._replaying.run():
            ring.ring(lane)

    def _serve(self) -> None:
        """Let RQ work; when Redis is away or not configured, the dispatcher delivers meanwhile."""
        while not self._ending.is_set() and self._settings.redis_url:
            worker = None
            try:
                connection = connect(self._settings.redis_url)
                remove_unreadable(Queue(self._lane, connection=connection, serializer=JSONSerializer))
                worker = LaneWorker(
                    self._lane,
                    connection=connection,
                    drain=self._drain,
                    replaying=self._replaying,
                    ending=self._ending,
                )
                worker.work(logging_level=None)
            except redis.RedisError as error:
                _log.warning("redis cannot be used", error=type(error).__name__, reason=str(error))
            if worker is not None and worker.is_stopped:
                return
            self._listen()
            self._ending.wait(LONGEST_WAIT_S)
        self._ending.wait()

    def _listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        """Handle signals while RQ does not: before it works, after it lost Redis, and at the end."""
        if self._ending.is_set():
            self._drain.hurry()
        self._ending.set()
        self._drain.stop()
        self._replaying.stop()

    def _close(self) -> None:
        self._drain.close()
        with suppress(Exception):
            self._dispatcher.stop()
        with suppress(Exception):
            self._beat.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(
                number, signal.SIG_IGN
            )  # all is done; a signal at the exit must not make it look like a death
        _log.info("worker has ended", lane=self._lane, worker=self._beat.worker, recorded=self._drain.recorded)


def sender_threads(settings: Settings, *, lane: str) -> int:
    """Say how many requests a process of *lane* makes at a time; slow hooks get at most a quarter of all senders."""
    if lane != DELIVERIES_SLOW:
        return settings.sender_threads
    return max(1, min(settings.sender_threads, settings.workers * settings.sender_threads // 3))


def run(lane: str) -> int:
    """Run a worker process of *lane* until a signal ends it; give the exit code."""
    settings = load_settings()
    logs.configure(settings.log_level)
    logging.getLogger("rq.worker").addFilter(without_traceback)
    process = Process(settings, lane=lane)
    garbage.spare_what_is_there()
    return process.run()
