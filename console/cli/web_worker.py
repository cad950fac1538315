"""The process that answers requests: one thread that reads and writes without waiting, and threads that run the app.

A thread of the app is given whole requests only and never waits for a peer: whoever sends or reads slowly costs memory
until a deadline, and each address has a share of it. Gunicorn starts, watches and ends the process, and reads heads.
"""

from __future__ import annotations

import os
import resource
import select
import selectors
import socket
from collections import Counter, deque
from contextlib import closing, nullcontext, suppress
from functools import partial
from ipaddress import ip_address, ip_network
from threading import BoundedSemaphore, Thread
from time import monotonic

from gunicorn.http import wsgi
from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.workers.base import Worker

from console.cli.connections import Connection, Stage
from console.cli.incoming import BodyTooLarge
from console.cli.turns import Turns

MOST_CONNECTIONS = 1000
SPARE_FILES = 100
MOST_UNFINISHED = 128
"""Requests and answers of one address that are under way on its side; the oldest goes when there are more."""
MOST_BUFFERED = 64 * 1024 * 1024
"""Bytes of unfinished requests in all."""
SEND_BUFFER = 128 * 1024
"""Bytes that the system takes for one peer, and Linux twice as many: by itself it would take megabytes."""
LINGER_MS = 10
ENDING_KEPT_S = 1.0
LOOK_EVERY_S = 0.5
ACCEPTS_AT_A_TIME = 64
REFUSALS: tuple[tuple[type[Exception], str, str], ...] = (
    (BodyTooLarge, "413 Content Too Large", "The body is larger than any path takes: 16 MiB at most."),
    (LimitRequestLine, "414 URI Too Long", "The request line is too long: 8190 bytes at most."),
    (LimitRequestHeaders, "431 Request Header Fields Too Large", "The head of the request is too large."),
    (UnsupportedTransferCoding, "501 Not Implemented", "The only supported transfer coding is chunked."),
    (ExpectationFailed, "417 Expectation Failed", "The only supported expectation is 100-continue."),
    (ParseException, "400 Bad Request", "This is no HTTP request that can be read."),
)
UNFINISHED_REQUESTS = frozenset({Stage.HEAD, Stage.BODY})
UNFINISHED = UNFINISHED_REQUESTS | {Stage.SENDING}
TOO_SLOW = ("408 Request Timeout", "The request did not come in time.")


class WebWorker(Worker):  # type: ignore[misc]  # Gunicorn ships no types
    """See the module. Only the main thread touches the poller and connections that wait in it."""

    def run(self) -> None:
        """Serve until told to stop; then finish what is under way, within the time that the configuration gives."""
        self._poller = selectors.DefaultSelector()
        self._waiting: dict[Connection, None] = {}  # in the order in which they began to wait
        self._unfinished: dict[str, dict[Connection, None]] = {}
        self._ready: Turns[tuple[Connection, Request]] = Turns()
        self._back: deque[Connection] = deque()
        self._busy = 0  # connections that threads have
        self._is_asleep = False
        self._buffered = 0
        self._looked = 0.0
        self._lingering = BoundedSemaphore(max(1, self.cfg.threads // 2))
        self._most = _most_connections()
        for number in range(self.cfg.threads):
            Thread(target=self._answer_all, name=f"web-{number}", daemon=True).start()
        for listener in self.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # accepted sockets have it too
            listener.setblocking(False)  # noqa: FBT003  the function has no other form
            self._poller.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
        self._poller.register(self.PIPE[0], selectors.EVENT_READ, self._empty_pipe)
        while self.alive and self.ppid == os.getppid():
            self._turn()
        self._finish()

    def _finish(self) -> None:
        """Accept nobody any more; a kept-alive connection has a moment for the request that may be on its way."""
        self.alive = False
        begun = monotonic()
        for listener in self.sockets:
            self._poller.unregister(listener)
            listener.close()
        while monotonic() < begun + self.cfg.graceful_timeout:
            if monotonic() > begun + ENDING_KEPT_S:
                for connection in [one for one in self._waiting if one.stage is not Stage.SENDING]:
                    self._close(connection)
            if not (self._busy or self._waiting):
                break
            self._turn()

    def _turn(self) -> None:
        self.notify()
        self._is_asleep = True  # from here on threads write into the pipe when they give something back
        events = self._poller.select(0 if self._back else LOOK_EVERY_S)
        self._is_asleep = False
        for key, _ in events:
            key.data()
        while self._back:
            self._busy -= 1
            self._go_on(self._back.popleft())
        now = monotonic()
        if now > self._looked + LOOK_EVERY_S:
            self._looked = now
            for connection in [one for one in self._waiting if one.deadline < now]:
                self._expire(connection)

    def _empty_pipe(self) -> None:
        os.read(self.PIPE[0], 4096)

    # --- connections that wait: in the main thread ------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_AT_A_TIME):
            try:
                accepted, peer = listener.accept()
                connection = Connection(self.cfg, accepted, peer)
            except BlockingIOError:
                return
            except OSError as error:  # it has gone again, or there are too many files
                self.log.warning("a connection could not be accepted: %s", error)
                self._relieve()
                return
            connection.who = "" if self.app.proxy_hops else _network_of(peer[0])
            self._wait(connection, Stage.IDLE)
            self._read(connection)
            if len(self._waiting) + self._busy > self._most:
                self._relieve()

    def _happen(self, connection: Connection) -> None:
        """Do what can be done for a connection now, unless it was closed a moment ago."""
        if connection not in self._waiting:
            return
        if connection.stage is Stage.SENDING:
            self._send(connection)
        else:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        has_come = connection.receive()
        if has_come is False:
            self._close(connection)
        elif has_come and connection.stage is not Stage.ENDING:
            self._proceed(connection)

    def _proceed(self, connection: Connection) -> None:
        """Hand a connection with a whole request to the threads; wait for the rest otherwise."""
        incoming = connection.incoming
        try:
            request = incoming.take()
        except (ParseException, BodyTooLarge) as error:
            self._refuse(connection, *next(words for kind, *words in REFUSALS if isinstance(error, kind)))
            return
        if self.app.proxy_hops:
            self._belong(connection, request or incoming.head)
        if request is not None:
            self._leave(connection)
            self._busy += 1
            self._ready.put((connection, request), who=connection.who)
            return
        if incoming.head is None:
            self._wait(connection, Stage.HEAD if incoming.has_begun else Stage.IDLE)
            return
        self._wait(connection, Stage.BODY)
        if incoming.take_expectation():
            connection.outgoing.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            with suppress(OSError):  # who has gone is noticed by reading
                connection.outgoing.push()

    def _belong(self, connection: Connection, head: Request | None) -> None:
        """Count a connection of a proxy for whoever has sent the request on it: nobody before its *head* has come."""
        who = _forwarded(head, hops=self.app.proxy_hops) if head is not None else ""
        if who != connection.who:
            self._leave(connection, keeps_watch=True)  # out of the share of who had it before
            connection.who = who

    def _go_on(self, connection: Connection) -> None:
        """Send what is left of an answer; then end the connection, or see to its next request."""
        if connection.outgoing:
            self._wait(connection, Stage.SENDING)
        elif connection.is_last:
            with suppress(OSError):
                connection.socket.shutdown(socket.SHUT_WR)
            self._wait(connection, Stage.ENDING)
        else:
            self._proceed(connection)

    def _send(self, connection: Connection) -> None:
        try:
            is_done = connection.outgoing.push()
        except OSError:
            self._close(connection)
            return
        if is_done:
            self._go_on(connection)
        else:
            self._wait(connection, Stage.SENDING)

    def _refuse(self, connection: Connection, status: str, sentence: str) -> None:
        connection.refuse(status, sentence)
        self._send(connection)

    def _expire(self, connection: Connection) -> None:
        """End what has waited too long."""
        if connection.stage in UNFINISHED_REQUESTS:
            self._refuse(connection, *TOO_SLOW)
        else:
            self._close(connection)

    # --- who waits --------------------------------------------------------------------------------------------------

    def _wait(self, connection: Connection, stage: Stage) -> None:
        if connection not in self._waiting or stage is not connection.stage:
            events = selectors.EVENT_WRITE if stage is Stage.SENDING else selectors.EVENT_READ
            self._leave(connection, keeps_watch=True)
            self._watch(connection, events)
            connection.enter(stage)
            self._waiting[connection] = None
            if stage in UNFINISHED and connection.who:
                share = self._unfinished.setdefault(connection.who, {})
                share[connection] = None
                if len(share) > MOST_UNFINISHED:
                    self._expire(next(iter(share)))
        self._count(connection, len(connection.incoming))
        if self._buffered > MOST_BUFFERED:
            self._relieve(by_bytes=True)

    def _watch(self, connection: Connection, events: int) -> None:
        data = partial(self._happen, connection)
        try:
            self._poller.modify(connection.socket, events, data)
        except KeyError:
            self._poller.register(connection.socket, events, data)

    def _leave(self, connection: Connection, *, keeps_watch: bool = False) -> None:
        self._waiting.pop(connection, None)
        share = self._unfinished.get(connection.who, {})
        share.pop(connection, None)
        if not share:
            self._unfinished.pop(connection.who, None)
        if not keeps_watch:
            self._count(connection, 0)
            with suppress(KeyError, ValueError):  # not registered, or closed already
                self._poller.unregister(connection.socket)

    def _count(self, connection: Connection, size: int) -> None:
        self._buffered += size - connection.counted
        connection.counted = size

    def _close(self, connection: Connection) -> None:
        self._leave(connection)
        connection.socket.close()

    def _relieve(self, *, by_bytes: bool = False) -> None:
        """Close the connection that has waited longest of whoever has most of them, or of what they have sent."""
        weights: Counter[str] = Counter()
        for one in self._waiting:
            weights[one.who] += one.counted if by_bytes else 1
        if weights:
            who = weights.most_common(1)[0][0]
            self._close(next(one for one in self._waiting if one.who == who and (one.counted or not by_bytes)))

    # --- the app: in its threads ------------------------------------------------------------------------------------

    def _answer_all(self) -> None:
        while True:
            connection, request = self._ready.get()
            while request is not None:
                self._answer(connection, request)
                request = self._next(connection)
            self._back.append(connection)
            if self._is_asleep:
                os.write(self.PIPE[1], b".")

    def _answer(self, connection: Connection, request: Request) -> None:
        """Let the app answer, and send as much of that as goes out at once."""
        connection.is_last = True
        response = None
        try:
            response, environ = wsgi.create(request, connection.outgoing, connection.peer, connection.server, self.cfg)
            environ["wsgi.multithread"] = True
            if not self.alive:
                response.force_close()
            parts = self.wsgi(environ, response.start_response)
            with closing(parts) if hasattr(parts, "close") else nullcontext():
                for part in parts:
                    response.write(part)
                response.close()
            connection.is_last = response.should_close()
        except OSError:
            self.log.debug("an answer was broken off")  # as some bins are told to
        except Exception:
            self.log.exception("%s %s could not be answered", request.method, request.path)
            if response is None or not response.headers_sent:
                connection.refuse("500 Internal Server Error", "This could not be answered.")
        with suppress(OSError):  # who has gone is noticed by reading
            connection.outgoing.push()

    def _next(self, connection: Connection) -> Request | None:
        """Return the next request of a connection that was just answered, if it is there or comes within moments.

        That saves the way through the poller, which is a third of a small request's time. None when others wait.
        """
        if connection.is_last or connection.outgoing or not self.alive or not self._ready.is_empty():
            return None
        try:
            request = connection.incoming.take()
            if request is None and self._has_come(connection):
                request = connection.incoming.take()
        except (ParseException, BodyTooLarge):
            return None  # the main thread meets it again, and answers
        return request

    def _has_come(self, connection: Connection) -> bool:
        """Wait a moment for bytes; at most half of the threads do so, that there is always one for who comes next."""
        if not self._lingering.acquire(blocking=False):
            return False
        try:
            poll = select.poll()
            poll.register(connection.socket, select.POLLIN)
            return bool(poll.poll(LINGER_MS)) and bool(connection.receive())
        finally:
            self._lingering.release()


def _most_connections() -> int:
    """Return how many connections the process takes, having raised its limit of open files as far as need be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, soft - SPARE_FILES))


def _network_of(address: str) -> str:
    """Return who an address belongs to: itself, or its /64 for IPv6, of which one customer has a whole one."""
    if ":" not in address:
        return address
    try:
        one = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = getattr(one, "ipv4_mapped", None)
    return str(mapped or ip_network(f"{one}/64", strict=False))


def _forwarded(request: Request, *, hops: int) -> str:
    """Return who the proxy says has sent *request*, as the app reads it; empty when it does not say."""
    chain = ",".join(value for name, value in request.headers if name == "X-FORWARDED-FOR").split(",")
    return _network_of(chain[-hops].strip()) if len(chain) >= hops else ""
