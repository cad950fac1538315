"""Calls hooks' callbacks after their attempts: in a thread of its own, so that what they do holds up no delivery."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from queue import Full, Queue
from threading import Event, Thread

import structlog

from console.core.redact import redact_text
from console.services.engine import callbacks
from console.services.engine.callbacks import Attempted
from console.services.engine.ended import Ended
from workers.equipment import Equipment

MOST_WAITING = 500
"""Of calls; each may hold 64 KiB of an answer. More are dropped, with a line in the log."""
_log = structlog.get_logger(__name__)


class Caller:
    """One thread that calls one callback after another; a crash of the process loses those that wait."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._waiting: Queue[tuple[str, Attempted] | None] = Queue(MOST_WAITING)
        self._ending = Event()
        self._thread = Thread(target=self._run, name="callbacks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, *, timeout_s: float) -> None:
        """End after what waits, or when *timeout_s* has passed; a callback that never returns is left behind."""
        self._ending.set()
        with suppress(Full):
            self._waiting.put_nowait(None)  # wakes the thread, which is awake when there is no room
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def put(self, ended: Iterable[Ended]) -> None:
        """Take in attempts that were recorded just now; never waits."""
        for one in ended:
            name = one.recipient.callback
            if name is None:
                continue
            try:
                self._waiting.put_nowait((name, Attempted.of(one)))
            except Full:
                _log.warning("callback was dropped, too many wait", callback=name, delivery=str(one.row.id))

    def _run(self) -> None:
        while not (self._ending.is_set() and self._waiting.empty()):
            waiting = self._waiting.get()
            if waiting is not None:
                self._try(*waiting)

    def _try(self, name: str, attempted: Attempted) -> None:
        try:
            self._call(name, attempted)
        except BaseException as error:  # noqa: BLE001 whatever a stranger's function raises ends nothing here
            kind, reason = type(error).__name__, redact_text(str(error))
            _log.warning(
                "callback failed", callback=name, delivery=str(attempted.delivery_id), error=kind, reason=reason
            )

    def _call(self, name: str, attempted: Attempted) -> None:
        with self._equipment.look() as work:
            if not callbacks.is_wanted(work, event_number=attempted.event_number):
                return
        callback = callbacks.find(name)
        if callback is None:
            _log.warning("callback is not registered", callback=name, delivery=str(attempted.delivery_id))
            return
        with self._equipment.work() as work:
            callback(work, attempted)
