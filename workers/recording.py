"""The recorder: a thread that writes ended attempts in batches, so that sender threads never wait for the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Event, Thread
from time import monotonic

import structlog

from console.core.errors import Busy
from console.core.outcomes import SLOW
from console.database import is_busy
from console.failpoints import RECORDED, SENT
from console.services.engine import results
from console.services.engine.ended import Ended
from console.services.engine.results import BATCH
from workers.equipment import Equipment

GATHER_S = 0.05
"""How long a result may wait for others to be written with."""
GIVE_UP_S = 30.0
_BACK_OFF_S = (0.05, 0.1, 0.25, 0.5, 1.0)
_log = structlog.get_logger(__name__)


class Recorder:
    """Takes results from many threads.

    *withdraw* is told which hooks may not be served on with the rows at hand, *on_recorded* what is in the database,
    *on_written* how many results no longer wait to be. Nobody gathers more than *enough* of them.
    """

    def __init__(
        self,
        equipment: Equipment,
        *,
        withdraw: Callable[[frozenset[int]], None] = lambda _hooks: None,
        on_recorded: Callable[[Sequence[Ended]], None] = lambda _ended: None,
        is_calm: Callable[[], bool] = lambda: False,
        enough: int = BATCH,
        on_written: Callable[[int], None] = lambda _count: None,
    ) -> None:
        self._equipment = equipment
        self._withdraw = withdraw
        self._on_recorded = on_recorded
        self._is_calm = is_calm
        self._enough = min(BATCH, enough)
        self._on_written = on_written
        self._queue: deque[Ended] = deque()
        self._arrived = Event()
        self._full = Event()
        self._unwritten = 0
        self._changed = Condition()
        self._ending = False
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self.recorded = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left and end."""
        self._ending = True
        self._arrived.set()
        self._full.set()
        self._thread.join(GIVE_UP_S + 5)

    def put(self, ended: Ended) -> None:
        """Hand over a result."""
        self._equipment.failpoints.hit(SENT, ended.row.id)
        self._queue.append(ended)
        if not self._arrived.is_set():
            self._arrived.set()
        if len(self._queue) >= self._enough or ended.outcome in SLOW:
            self._full.set()  # a slow hook is to leave its lane at once

    @property
    def unwritten(self) -> int:
        """How many results are not in the database yet."""
        return self._unwritten + len(self._queue)

    def wait_until_written(self, timeout_s: float) -> bool:
        """Wait until all results that were handed over are in the database, or given up; False when time ran out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.unwritten, timeout_s)

    def _run(self) -> None:
        while True:
            self._arrived.wait()
            if not self._is_calm() and not self._ending:
                self._full.wait(GATHER_S)
            self._full.clear()
            self._arrived.clear()
            while batch := self._next_batch():
                self._write(batch)
                self._on_written(len(batch))
                with self._changed:
                    self._unwritten = 0
                    self._changed.notify_all()
                if len(self._queue) < self._enough and not self._ending and not self._is_calm():
                    break
            if self._queue:
                self._arrived.set()
            elif self._ending:
                return

    def _next_batch(self) -> list[Ended]:
        count = min(len(self._queue), BATCH)
        self._unwritten = count
        return [self._queue.popleft() for _ in range(count)]

    def _write(self, batch: Sequence[Ended]) -> None:
        """Record a batch; try again for a while when the database cannot take it, then leave it to the sweeper."""
        deadline = monotonic() + GIVE_UP_S
        for attempt in range(1_000_000):
            try:
                with self._equipment.work() as work:
                    recorded = results.record(work, ended=batch)
            except Exception as error:  # noqa: BLE001 a thread that ended would leave every result unwritten
                is_hopeless = not isinstance(error, Busy) and not is_busy(error)
                if is_hopeless and len(batch) > 1:
                    for one in batch:  # it may be a single one that breaks all
                        self._write([one])
                    return
                if is_hopeless or monotonic() > deadline:
                    numbers = [one.row.number for one in batch]
                    _log.exception("results could not be recorded", deliveries=numbers)
                    return
                _log.warning("recording failed, trying again", results=len(batch), error=type(error).__name__)
                Event().wait(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
            else:
                self.recorded += len(batch)
                self._on_recorded(batch)
                self._equipment.failpoints.hit(RECORDED)
                if recorded.withdrawn:
                    self._withdraw(recorded.withdrawn)
                return
