"""Whole requests that wait for a thread: whoever asks much waits behind whoever asks little.

In one line of all, a single stranger who sends thousands of requests at once would hold up everybody for minutes.
"""

from __future__ import annotations

from collections import deque
from queue import SimpleQueue
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """A queue for many threads with a line for each *who*; the lines take turns, one item each."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lines: dict[str, deque[T]] = {}  # in the order of their turns; none is empty
        self._items: SimpleQueue[None] = SimpleQueue()

    def put(self, item: T, *, who: str) -> None:
        """Add *item* to the end of a line."""
        with self._lock:
            self._lines.setdefault(who, deque()).append(item)
        self._items.put(None)

    def get(self) -> T:
        """Wait for an item, and return the first of the line whose turn it is."""
        self._items.get()
        with self._lock:
            who = next(iter(self._lines))
            line = self._lines.pop(who)
            item = line.popleft()
            if line:
                self._lines[who] = line
        return item

    def is_empty(self) -> bool:
        """Return whether nothing waits."""
        return not self._lines
