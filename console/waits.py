"""Requests that do nothing but wait: for the outcome of a test, for a delivery to end, for a bin's delay to pass.

Each holds a thread of the web server meanwhile, so at most a quarter of the threads may wait; who comes beyond that is
answered at once. Every wait of every face goes through here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

THREADS = 16
"""Requests one web process answers at a time, unless its command says otherwise."""


class Waits:
    """The waits of one process that answers with so many *threads*."""

    def __init__(self, threads: int = THREADS) -> None:
        self.most = threads // 4
        self._slots = BoundedSemaphore(self.most) if self.most else None

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Yield whether the caller may wait, inside."""
        may_wait = self._slots is not None and self._slots.acquire(blocking=False)
        try:
            yield may_wait
        finally:
            if may_wait and self._slots is not None:
                self._slots.release()
