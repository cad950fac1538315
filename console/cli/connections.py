"""One connection of the web server: what it has sent, what is still to be sent to it, and how long it may take."""

from __future__ import annotations

import socket
import time
from collections import deque
from enum import Enum, auto

from console.cli.incoming import Incoming

PUSH_AT = 64 * 1024
MOST_PARTS = 64
HEAD_S = 10.0
IDLE_S = 15.0
SLOW_S = 20.0
BYTES_PER_S = 32 * 1024
"""A body or an answer may take SLOW_S, and a second more for each so many bytes that have gone over."""
ENDING_S = 2.0


class Stage(Enum):
    """What a connection that no thread works for waits for."""

    IDLE = auto()
    """The next request."""
    HEAD = auto()
    """The rest of a request's head."""
    BODY = auto()
    """The rest of a request's body."""
    SENDING = auto()
    """A peer that takes the rest of an answer."""
    ENDING = auto()
    """A peer that hangs up, having read the last answer."""


class Outgoing:
    """What is to be sent, gathered so that a small answer goes out at once; it never waits for the peer."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._parts: deque[memoryview] = deque()
        self._gathered = 0
        self.sent = 0

    def __bool__(self) -> bool:
        return bool(self._parts)

    def sendall(self, data: bytes) -> None:
        """Take *data*; the name is that of sockets, which Gunicorn's answers write to."""
        if data:
            self._parts.append(memoryview(data))
            self._gathered += len(data)
            if self._gathered >= PUSH_AT:
                self.push()

    def push(self) -> bool:
        """Send what the peer takes now; return whether that is all. Raise OSError when it has gone."""
        self._gathered = 0
        while self._parts:
            try:
                count = self._socket.sendmsg([self._parts[index] for index in range(min(len(self._parts), MOST_PARTS))])
            except BlockingIOError:
                return False
            self.sent += count
            while self._parts and count >= len(self._parts[0]):
                count -= len(self._parts.popleft())
            if count:
                self._parts[0] = self._parts[0][count:]
        return True


class Connection:
    """A socket that does not block, and its stage. *peer* is the other side's address, *server* our own."""

    def __init__(self, configuration: object, connection: socket.socket, peer: tuple[str, int]) -> None:
        connection.setblocking(False)  # noqa: FBT003  the function has no other form
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket, self.peer, self.server = connection, peer, connection.getsockname()
        self.incoming = Incoming(configuration, peer)
        self.outgoing = Outgoing(connection)
        self.who = ""  # whose share of unfinished requests it takes; empty: nobody's
        self.counted = 0  # bytes of unfinished requests that the worker knows of
        self.is_last = False  # whether it ends with the answer that is being sent
        self.stage, self.since = Stage.IDLE, time.monotonic()

    def enter(self, stage: Stage) -> None:
        """Begin to wait for something."""
        self.stage, self.since = stage, time.monotonic()
        self.outgoing.sent = 0

    @property
    def deadline(self) -> float:
        """The monotonic time at which waiting ends."""
        patience_s = {Stage.IDLE: IDLE_S, Stage.HEAD: HEAD_S, Stage.ENDING: ENDING_S}.get(self.stage)
        if patience_s is None:
            moved = self.outgoing.sent if self.stage is Stage.SENDING else len(self.incoming)
            patience_s = SLOW_S + moved / BYTES_PER_S
        return self.since + patience_s

    def receive(self) -> bool | None:
        """Read what has come; return None when nothing has, False when the peer has hung up or gone."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return None
        except OSError:
            return False
        if data and self.stage is not Stage.ENDING:
            self.incoming.add(data)
        return bool(data)

    def refuse(self, status: str, sentence: str) -> None:
        """Answer what is no request in plain words; it is the last answer."""
        body = f"{sentence}\n".encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        self.outgoing.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
        self.is_last = True
