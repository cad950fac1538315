"""The beat: a thread that keeps saying that this worker is alive, and knows when nobody may have heard it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from threading import Event, Thread
from time import monotonic

import structlog

from console.clocks import DatabaseClock
from console.core.errors import Busy
from console.database import is_busy
from console.services.upkeep import beating, sweeping
from console.services.upkeep.beating import BEAT_EVERY_S, FENCED_AFTER_S
from workers import neighbours
from workers.equipment import Equipment

LOOK_EVERY_S = 0.25
"""How often a worker looks whether its neighbours are still there."""
_RETRY_S = 0.5
_log = structlog.get_logger(__name__)


class Beat:
    """One worker's life in the database.

    ``worker`` is its number. After a death that was declared while the process slept it comes back under a new number:
    what it had claimed under the old one is no longer its own.
    """

    def __init__(self, equipment: Equipment, *, lane: str, in_flight: Callable[[], int] = lambda: 0) -> None:
        self._equipment = equipment
        self._lane = lane
        self._in_flight = in_flight
        self._ending = Event()
        self._confirmed_at = 0.0
        self._thread: Thread | None = None
        self._neighbours: dict[int, int] = {}
        self.worker = 0

    def is_fenced(self) -> bool:
        """Say whether the last confirmed beat is so old that nothing new may begin."""
        return monotonic() - self._confirmed_at > FENCED_AFTER_S

    def start(self) -> None:
        """Register and begin to beat."""
        self._register()
        self._thread = Thread(target=self._run, name="beat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the beat and sign off."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(BEAT_EVERY_S)
        with self._equipment.work() as work:
            beating.retire(work, worker=self.worker)

    def once(self) -> None:
        """Beat once; raise Busy or a database error when it did not reach the database."""
        begun = monotonic()
        with self._equipment.work() as work:
            if isinstance(work.clock, DatabaseClock):
                work.clock.sample(work.session)
            is_alive = beating.beat(work, worker=self.worker, in_flight=self._in_flight())
            self._neighbours = beating.neighbours(work, worker=self.worker, pid_space=neighbours.pid_space())
        if is_alive:
            self._confirmed_at = begun
            return
        _log.warning("worker was declared dead and comes back", worker=self.worker)
        self._register()

    def _register(self) -> None:
        begun = monotonic()
        with self._equipment.work() as work:
            if isinstance(work.clock, DatabaseClock):
                work.clock.sample(work.session)
            space = neighbours.pid_space()
            self.worker = beating.register(
                work,
                lane=self._lane,
                host=platform.node(),
                pid=os.getpid(),
                pid_space=space,
                version=version("hookyard"),
            )
            self._neighbours = beating.neighbours(work, worker=self.worker, pid_space=space)
        self._confirmed_at = begun
        _log.info("worker registered", worker=self.worker, lane=self._lane)

    def _bury_neighbours(self) -> None:
        """Free what workers held whose processes have ended; they are forgotten only once that is done."""
        dead = neighbours.ended(self._neighbours)
        if dead:
            with self._equipment.work() as work:
                sweeping.bury(work, workers=dead)
            self._neighbours = {number: pid for number, pid in self._neighbours.items() if number not in dead}

    def _run(self) -> None:
        next_beat = monotonic() + BEAT_EVERY_S
        while not self._ending.wait(LOOK_EVERY_S):
            try:
                self._bury_neighbours()
                if monotonic() >= next_beat:
                    self.once()
                    next_beat = monotonic() + BEAT_EVERY_S
            except Exception as error:  # noqa: BLE001 a worker whose database is away for a while must come back
                next_beat = min(next_beat, monotonic() + _RETRY_S)
                expected = isinstance(error, Busy) or is_busy(error)
                _log.warning("beat failed", worker=self.worker, error=type(error).__name__, exc_info=not expected)
                self._ending.wait(_RETRY_S)
