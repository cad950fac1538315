"""A connected socket, plain or TLS, on which no wait outlives the attempt's deadline.

Python's own time limits are per call, and http.client makes an unknown number of calls per answer, so a receiver that
drips one byte a second is never too slow for them. Here every wait is ours, on a non-blocking socket, and ends at one
moment that the attempt was given: no second thread has to break a connection off from outside.
"""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable
from time import monotonic

Readiness = int
READ: Readiness = select.POLLIN
WRITE: Readiness = select.POLLOUT


class TimeUp(Exception):
    """The deadline passed before the wire was ready."""


class Wire:
    """One connected socket, used by one thread at a time.

    Set *deadline* (``time.monotonic`` seconds) before use; ``send`` and ``recv`` raise TimeUp when it has passed and
    let OSError through.
    """

    __slots__ = ("_poll", "_poll_events", "deadline", "is_secure", "sock")

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(0.0)
        self.sock = sock
        self.deadline = 0.0
        self.is_secure = isinstance(sock, ssl.SSLSocket)
        self._poll = select.poll()
        self._poll_events = READ
        self._poll.register(sock.fileno(), READ)

    def recv(self, size: int) -> bytes:
        """Return 1 to *size* bytes, or none at the end of the stream."""
        if not self.is_secure:
            self._wait(READ)  # TLS may hold decrypted bytes that no poll can see, a plain socket cannot
        elif monotonic() >= self.deadline:
            raise TimeUp
        while True:
            try:
                return self.sock.recv(size)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(READ)
            except ssl.SSLWantWriteError:
                self._wait(WRITE)
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    def send(self, data: bytes, *, listen: Callable[[], bool]) -> bool:
        """Send all of *data*; False when the other side ended it early.

        Whenever the other side takes no more but talks, *listen* is called; it reads what there is (at least one
        ``recv``) and returns True when there is no sense in sending on.
        """
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                ready = self._wait(READ | WRITE)
                if not ready & WRITE and listen():
                    return False
            except ssl.SSLWantReadError:
                self._wait(READ)
            else:
                if view and monotonic() >= self.deadline:
                    raise TimeUp
        return True

    def recv_now(self, size: int) -> bytes | None:
        """Return up to *size* bytes without waiting; None when there are none yet, b"" at the end of the stream."""
        try:
            return self.sock.recv(size)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def is_quiet(self) -> bool:
        """Tell whether nothing is waiting to be read: no byte, no end of stream, no error."""
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return False
        self._listen_for(READ)
        return not self._poll.poll(0)

    def close(self) -> None:
        """Close the socket; what was not read is discarded."""
        self.sock.close()

    def _wait(self, events: Readiness) -> Readiness:
        """Wait for one of *events*, a hang-up or an error; return what came, or raise TimeUp."""
        left_s = self.deadline - monotonic()
        if left_s <= 0:
            raise TimeUp
        self._listen_for(events)
        ready = self._poll.poll(left_s * 1000)
        if not ready:
            raise TimeUp
        came = ready[0][1]
        # A hang-up or an error without a readable byte shows itself at the next send or recv.
        return came if came & (READ | WRITE) else READ | WRITE

    def _listen_for(self, events: Readiness) -> None:
        if events != self._poll_events:
            self._poll.modify(self.sock.fileno(), events)
            self._poll_events = events
