"""A receiver that is faster than anything that sends to it: one thread, keep-alive, no parsing beyond the framing.

``python -m benchmarks.receiver`` prints its port and counts requests until it is ended.
"""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "


@dataclass(slots=True)
class Caller:
    """A connection and what it has sent of a request."""

    sock: socket.socket
    received: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes, *, note: Callable[[bytes], None] | None = None) -> int:
        """Take in *data*; give how many requests are complete now, and tell *note* of each."""
        self.received += data
        complete = 0
        while (size := self._size_of_first()) is not None and len(self.received) >= size:
            if note is not None:
                note(bytes(self.received[:size]))
            del self.received[:size]
            complete += 1
        return complete

    def _size_of_first(self) -> int | None:
        end = self.received.find(END_OF_HEAD)
        if end < 0:
            return None
        head = bytes(self.received[:end]).lower()
        at = head.find(LENGTH)
        length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        return end + len(END_OF_HEAD) + length


def serve(listener: socket.socket, *, note: Callable[[bytes], None] | None = None) -> NoReturn:
    """Answer every request with a 200, for ever; *note* is told of each, head and body."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                sock, _address = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(sock, selectors.EVENT_READ, Caller(sock))
                continue
            caller: Caller = key.data
            try:
                data = caller.sock.recv(65536)
                if data and (count := caller.take(data, note=note)):
                    caller.sock.sendall(ANSWER * count)
            except OSError:
                data = b""
            if not data:
                selector.unregister(caller.sock)
                caller.sock.close()


def main() -> None:
    """Listen on a free port and say which."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    serve(listener)


if __name__ == "__main__":
    main()
