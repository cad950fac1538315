"""Replaying: take the steps of replays one after the other, as long as one is due soon."""

from __future__ import annotations

from threading import Event
from time import monotonic

import structlog
from sqlalchemy.exc import SQLAlchemyError

from console.core.errors import Busy
from console.database import is_busy
from console.ring import SLICE_S
from console.services.replays import steps
from workers.equipment import Equipment

LONGEST_PAUSE_S = 1.0
"""A replay whose next step is further off is rung for by the dispatcher."""
BUSY_PAUSE_S = 0.5
_log = structlog.get_logger(__name__)


class Replaying:
    """The replays' loop of one worker process."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._stopping = Event()

    def stop(self) -> None:
        """Take no further step: others go on where this one was."""
        self._stopping.set()

    def run(self, *, slice_s: float = SLICE_S) -> bool:
        """Take steps for at most *slice_s* seconds; True when one is due soon."""
        deadline = monotonic() + slice_s
        while not self._stopping.is_set():
            pause_s = self._step()
            if pause_s is None or pause_s > LONGEST_PAUSE_S:
                return False
            if monotonic() > deadline:
                return True
            self._stopping.wait(pause_s)
        return False

    def _step(self) -> float | None:
        """Take a step of every replay that is due; give the seconds until the next one is."""
        try:
            with self._equipment.work() as work:
                return steps.tend(work)
        except (Busy, SQLAlchemyError) as error:
            if not isinstance(error, Busy) and not is_busy(error):
                raise
            _log.warning("the database is busy, replays wait", error=type(error).__name__)
            return BUSY_PAUSE_S
