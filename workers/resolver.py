"""Look host names up with a time limit, which getaddrinfo itself does not have.

Lookups run in a few daemon threads and are given up, not stopped: one that hangs holds its thread until the system's
resolver lets go. Callers who ask for the same name at the same time share one lookup, so that a single stalling name
cannot take all the threads.
"""

from __future__ import annotations

import socket
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic

from console.core.outcomes import Outcome
from workers import failures
from workers.failures import Failure

THREADS = 16
LIMIT_S = 3.0
KEEP_S = 5.0
_TIDY_ABOVE = 1024

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
Address = tuple[socket.AddressFamily, SocketAddress]
"""A family, and what ``socket.connect`` takes: address and port, for IPv6 also flow label and scope."""


class _Lookup:
    """One question to the DNS, and in the end its answer."""

    __slots__ = ("addresses", "done", "ended_at", "failure", "host", "is_begun", "port")

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self.is_begun = False
        self.done = Event()
        self.ended_at = 0.0
        self.addresses: tuple[Address, ...] = ()
        self.failure: Failure | None = None

    def run(self) -> None:
        """Ask the system's resolver, and never raise."""
        try:
            answers = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
            # An IPv6 answer on a host without IPv6 support is (int, bytes): not dialable, hence the check.
            found = {(family, address): None for family, _, _, _, address in answers if isinstance(address[0], str)}
            self.addresses = tuple(found)
            if not found:
                self.failure = Failure(Outcome.DNS_NOT_FOUND, f"The host name {self.host} has no address.")
        except (OSError, UnicodeError) as error:
            self.failure = failures.of_lookup(error, host=self.host)
        except Exception as error:  # noqa: BLE001 - the thread must live, and the caller must hear of it
            self.failure = Failure(Outcome.SYSTEM_ERROR, f"The lookup of {self.host} failed: {error!r}.")
        self.ended_at = monotonic()
        self.done.set()


class Resolver:
    """Answers with all addresses of a name, at most five seconds old."""

    def __init__(self, *, threads: int = THREADS, limit_s: float = LIMIT_S, keep_s: float = KEEP_S) -> None:
        self._max_threads = threads
        self._limit_s = limit_s
        self._keep_s = keep_s
        self._lock = Lock()
        self._lookups: dict[tuple[str, int], _Lookup] = {}
        self._queue: SimpleQueue[_Lookup | None] = SimpleQueue()
        self._threads = 0
        self._idle = 0

    def resolve(self, host: str, port: int, *, deadline: float) -> tuple[Address, ...]:
        """Return every address of *host*, at least one; raise Failure.

        *deadline* is in ``time.monotonic`` seconds. A lookup that no thread could begin in time is our own shortage
        (system_error); one that was begun and gave no answer is the DNS's (dns_temporary).
        """
        lookup = self._lookups.get((host, port))
        now = monotonic()
        if lookup is None or not self._is_usable(lookup, now):
            lookup = self._ask(host, port, now=now)
        if not lookup.done.wait(max(0.0, min(self._limit_s, deadline - now))):
            if not lookup.is_begun:
                raise Failure(Outcome.SYSTEM_ERROR, "All DNS lookups of this worker are taken by names that hang.")
            waited_s = monotonic() - now
            raise Failure(Outcome.DNS_TEMPORARY, f"The DNS gave no answer for {host} within {waited_s:.1f} s.")
        if lookup.failure:
            # A fresh instance: raising one shared by several threads would mix their tracebacks.
            raise Failure(lookup.failure.outcome, lookup.failure.sentence)
        return lookup.addresses

    def close(self) -> None:
        """Let the idle threads end; one in a lookup ends after it."""
        with self._lock:
            for _ in range(self._threads):
                self._queue.put(None)
            self._threads = self._idle = 0

    def _is_usable(self, lookup: _Lookup, now: float) -> bool:
        """Tell whether *lookup* is still under way, or succeeded a short time ago."""
        return not lookup.done.is_set() or (lookup.failure is None and now - lookup.ended_at <= self._keep_s)

    def _ask(self, host: str, port: int, *, now: float) -> _Lookup:
        with self._lock:
            lookup = self._lookups.get((host, port))
            if lookup is not None and self._is_usable(lookup, now):
                return lookup
            if len(self._lookups) > _TIDY_ABOVE:
                self._lookups = {key: kept for key, kept in self._lookups.items() if self._is_usable(kept, now)}
            lookup = self._lookups[host, port] = _Lookup(host, port)
            self._queue.put(lookup)
            if self._idle < self._queue.qsize() and self._threads < self._max_threads:
                self._threads += 1
                Thread(target=self._work, args=(self._queue,), name="resolver", daemon=True).start()
        return lookup

    def _work(self, queue: SimpleQueue[_Lookup | None]) -> None:
        while True:
            with self._lock:
                self._idle += 1
            lookup = queue.get()
            with self._lock:
                self._idle -= 1
            if lookup is None:
                return
            lookup.is_begun = True
            lookup.run()
