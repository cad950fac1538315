"""A receiver that does exactly one thing wrong, on raw sockets: what no HTTP library would let a server do.

What it does is a Fault, see ``faults`` for all of them; it keeps a receipt of every request it has read.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event, Lock, Thread, current_thread
from time import monotonic
from typing import Any, Literal, Self

from console.core.errors import Refused
from workers.certificates import Authority

_RECV_BYTES = 64 * 1024
_MAX_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True)
class Receipt:
    """One request that was read: *number* counts from 1, *connection* too; *body* may be short if the client left."""

    number: int
    connection: int
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of the header *name*, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True)
class Fault:
    """A way to misbehave.

    *behave* gets the caller and the parsed *argument*; it runs once for every request that was read (the connection is
    kept alive), or once for every connection, which it must read itself if it wants to, or never (*scope* "none": no
    connection is even accepted). *tls* is a key of ``certificates.TLS_KINDS``. *is_harmless*: quick and well-formed.
    """

    name: str
    description: str
    behave: Callable[[Caller, Any], None]
    scope: Literal["request", "connection", "none"] = "connection"
    argument: str = ""
    parse: Callable[[str], Any] = str
    is_harmless: bool = False
    tls: str | None = None

    def with_argument(self, argument: str) -> Fault:
        """Return the same fault with another *argument*; raise Refused if it takes none, or not this one."""
        try:
            self.parse(argument)
        except ValueError:
            raise Refused(f"The fault {self.name} cannot take {argument!r}.", code="fault_argument") from None
        if not self.argument:
            raise Refused(f"The fault {self.name} takes no argument.", code="fault_argument")
        return replace(self, argument=argument)


class Stopped(Exception):
    """The server is being closed."""


class Caller:
    """One connection, as a fault sees it; *request* is the last one that was read."""

    def __init__(self, sock: socket.socket, *, server: FaultServer, connection: int) -> None:
        self.sock = sock
        self.server = server
        self.connection = connection
        self.request: Receipt | None = None
        self._unread = b""

    def read_request(self) -> Receipt | None:
        """Read one request with its body and keep a receipt; None when the client has left."""
        while b"\r\n\r\n" not in self._unread:
            data = self.sock.recv(_RECV_BYTES)
            if not data or len(self._unread) > _MAX_HEAD_BYTES:
                return None
            self._unread += data
        head, _, rest = self._unread.partition(b"\r\n\r\n")
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = request_line.split(" ", 2)
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
        pieces = [rest]
        missing = length - len(rest)
        while missing > 0 and (data := self.sock.recv(_RECV_BYTES)):
            pieces.append(data)
            missing -= len(data)
        body = b"".join(pieces)
        self._unread = body[length:]
        self.request = self.server.keep_receipt(
            connection=self.connection, method=method, path=path, headers=headers, body=body[:length]
        )
        return self.request

    def say(self, data: bytes) -> None:
        """Send *data* as it is."""
        self.sock.sendall(data)

    def answer(self, status: str = "200 OK", *, body: bytes = b"ok", headers: Iterable[str] = ()) -> None:
        """Send a well-formed answer; *headers* are whole lines."""
        lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
        self.say("\r\n".join(lines).encode("latin-1") + body)

    def drip(self, pieces: Iterable[bytes], *, every_s: float = 0.05) -> None:
        """Send *pieces* one after the other, with a rest before each."""
        for piece in pieces:
            self.rest(every_s)
            self.say(piece)

    def rest(self, seconds: float) -> None:
        """Wait; raise Stopped when the server is closed meanwhile."""
        if self.server.stopping.wait(seconds):
            raise Stopped

    def wait_for_hang_up(self) -> None:
        """Read and discard until the client closes the connection."""
        while self.sock.recv(_RECV_BYTES):
            pass

    def reset(self) -> None:
        """Break the connection off with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class FaultServer:
    """Listens from the start; use it as a context manager or close it.

    *tls* serves the fault under a certificate of that kind. *on_receipt* is called from the connection's thread.
    """

    def __init__(
        self,
        fault: Fault,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: str | None = None,
        on_receipt: Callable[[Receipt], None] | None = None,
    ) -> None:
        self.fault = fault
        self.stopping = Event()
        self.receipts: list[Receipt] = []
        self.connections = 0
        self.authority: Authority | None = None
        self._context: ssl.SSLContext | None = None
        if kind := tls or fault.tls:
            self.authority = Authority()
            self._context = self.authority.server_context(kind)
        self._on_receipt = on_receipt
        self._lock = Lock()
        self._open: dict[Thread, socket.socket] = {}
        self._listener = socket.create_server((host, port), backlog=0 if fault.scope == "none" else 128)
        self.host, self.port = self._listener.getsockname()[:2]
        self._callers_of_our_own = self._fill_backlog() if fault.scope == "none" else []
        self._acceptor = Thread(target=self._accept, name="fault-server", daemon=True)
        if fault.scope != "none":
            self._acceptor.start()

    @property
    def url(self) -> str:
        """The base of URLs that lead here, without a slash at the end."""
        return f"{'https' if self._context else 'http'}://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, seconds: float | None = None) -> bool:
        """Block until the server is closed; False when *seconds* pass first."""
        return self.stopping.wait(seconds)

    def close(self) -> None:
        """Stop listening, break off every connection and wait for their threads."""
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept, which a close does not on Linux
        self._listener.close()
        with self._lock:
            threads = dict(self._open)
        for sock in [*threads.values(), *self._callers_of_our_own]:
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's own: it drops the TLS layer
        for thread in threads:
            thread.join(timeout=2)
        for sock in self._callers_of_our_own:
            sock.close()

    def keep_receipt(self, **request: Any) -> Receipt:
        """Keep what a caller has read, under the next number."""
        with self._lock:
            receipt = Receipt(number=len(self.receipts) + 1, **request)
            self.receipts.append(receipt)
        if self._on_receipt:
            self._on_receipt(receipt)
        return receipt

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = Thread(target=self._serve, args=(sock, self.connections), name="fault-caller", daemon=True)
            with self._lock:
                self._open[thread] = sock
                thread.start()  # before anybody who closes can see it: a thread that never ran cannot be joined

    def _serve(self, sock: socket.socket, number: int) -> None:
        caller = Caller(sock, server=self, connection=number)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context:
                caller.sock = self._context.wrap_socket(sock, server_side=True)
                with self._lock:
                    self._open[current_thread()] = caller.sock
            argument = self.fault.parse(self.fault.argument)
            if self.fault.scope == "connection":
                self.fault.behave(caller, argument)
            while self.fault.scope == "request" and caller.read_request():
                self.fault.behave(caller, argument)
        except (OSError, ValueError, Stopped):
            pass  # the client left, spoke no HTTP, or did not like our certificate; or we are closing
        finally:
            with self._lock:
                del self._open[current_thread()]
            caller.sock.close()

    def _fill_backlog(self) -> list[socket.socket]:
        """Take the places in the queue of connections not yet accepted, so that nobody else gets one."""
        callers: list[socket.socket] = []
        until = monotonic() + 1
        while len(callers) < 4 and monotonic() < until:  # noqa: PLR2004 - a backlog of 0 has one or two places
            caller = socket.socket()
            caller.setblocking(False)  # noqa: FBT003 - the standard library's signature
            caller.connect_ex((self.host, self.port))
            callers.append(caller)
        return callers
