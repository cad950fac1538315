"""Idle connections, kept for the next request to the same target.

A connection is found by target and by address: the target is looked up and checked first, so a name that has moved to
a forbidden net is blocked even while a connection to its old place is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from time import monotonic

from console.core.targets import Target
from workers.guard import Connection
from workers.resolver import Address

MAX_IDLE_S = 10.0
MAX_AGE_S = 60.0
_SWEEP_EVERY_S = 1.0

Key = tuple[str, str, int]
"""Scheme, host and port."""


class IdlePool:
    """At most *size* idle connections over all targets; safe to use from many threads."""

    def __init__(self, *, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._idle: dict[Key, list[Connection]] = {}
        self._count = 0
        self._swept_at = monotonic()
        self._is_closed = False

    def take(self, target: Target, *, addresses: tuple[Address, ...]) -> Connection | None:
        """Return a usable connection to one of the checked *addresses* of *target*, the most recent first, or None."""
        key = (target.scheme, target.host, target.port)
        checked = {address[0] for _, address in addresses}
        now = monotonic()
        while connection := self._pop(key):
            if _is_fresh(connection, now) and connection.address in checked and connection.wire.is_quiet():
                return connection
            connection.wire.close()
        return None

    def put(self, target: Target, connection: Connection) -> None:
        """Keep *connection*, whose last answer ended cleanly; the longest unused one makes room when full."""
        now = connection.idle_since = monotonic()
        with self._lock:
            is_kept = not self._is_closed and _is_fresh(connection, now)
            if is_kept:
                self._idle.setdefault((target.scheme, target.host, target.port), []).append(connection)
                self._count += 1
        if not is_kept:
            connection.wire.close()
        if self._count > self._size or now - self._swept_at > _SWEEP_EVERY_S:
            self.sweep()

    def sweep(self) -> None:
        """Close what is too old or too many; ``put`` calls it now and then, an idle worker should as well."""
        now = monotonic()
        with self._lock:
            self._swept_at = now
            kept = [(key, connection) for key, connection in self._all() if _is_fresh(connection, now)]
            kept.sort(key=lambda pair: pair[1].idle_since)
            kept = kept[max(0, len(kept) - self._size) :]
            stale = {connection for _, connection in self._all()} - {connection for _, connection in kept}
            self._idle = {}
            for key, connection in kept:
                self._idle.setdefault(key, []).append(connection)
            self._count = len(kept)
        for connection in stale:
            connection.wire.close()

    def close(self) -> None:
        """Close every idle connection, and from now on keep none."""
        with self._lock:
            self._is_closed = True
            idle = [connection for _, connection in self._all()]
            self._idle = {}
            self._count = 0
        for connection in idle:
            connection.wire.close()

    def _pop(self, key: Key) -> Connection | None:
        with self._lock:
            stack = self._idle.get(key)
            if not stack:
                return None
            self._count -= 1
            connection = stack.pop()
            if not stack:
                del self._idle[key]
            return connection

    def _all(self) -> Iterator[tuple[Key, Connection]]:
        for key, stack in self._idle.items():
            for connection in stack:
                yield key, connection


def _is_fresh(connection: Connection, now: float) -> bool:
    return now - connection.idle_since <= MAX_IDLE_S and now - connection.opened_at <= MAX_AGE_S
