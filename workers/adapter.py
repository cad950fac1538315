"""The transport under the sender: a ``requests`` adapter with one deadline, checked addresses and bounded answers.

It is used without a ``requests.Session``, whose cookies, netrc, proxies from the environment and redirects a webhook
must never meet, and it makes its own connections instead of urllib3's pools, which know neither a deadline for the
whole exchange nor the address behind a name. urllib3 connects and checks certificates; requests' prepared request,
response and exception are what goes in and comes out.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any, NoReturn

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from console.core.addresses import is_literal
from console.core.outcomes import Outcome
from console.core.targets import Target, TargetPolicy
from console.core.urls import DEFAULT_PORTS
from workers import failures
from workers.answers import AnswerReader, Body, Ended
from workers.failures import Failure
from workers.guard import Connection, Guard, open_connection, tls_context
from workers.heads import Head, NotHTTP
from workers.pool import IdlePool
from workers.resolver import Resolver
from workers.stopwatch import Stopwatch
from workers.wire import TimeUp

_METHOD = re.compile(r"[A-Z]{1,16}")
_PATH = re.compile(r"/[!-~]*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"[\t -~]*")
_FRAMING = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that decide how the bytes on the wire are read: only the adapter writes them."""


class Outgoing(PreparedRequest):
    """A prepared request that knows its checked target, and on which the adapter notes how the attempt goes."""

    def __init__(
        self, target: Target, *, method: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> None:
        super().__init__()
        self.target = target
        self.method = method
        self.url = target.canonical
        self.headers = CaseInsensitiveDict(headers)
        self.body = self.payload = body
        self.timeout_s = timeout_s
        self.watch = Stopwatch()
        self.deadline = self.watch.started_at + timeout_s
        self.peer: str | None = None
        self.reused = False
        self.resent = False
        self.sent_headers: tuple[tuple[str, str], ...] = ()


class Answer(Response):
    """A response whose body has been read already, as far as it is kept; *head* and *kept* have the details."""

    def __init__(self, request: Outgoing, *, head: Head, kept: Body) -> None:
        super().__init__()
        self.head = head
        self.kept = kept
        self.request = request
        self.url = request.target.url
        self.status_code = head.status
        self.reason = head.reason
        self.headers = CaseInsensitiveDict(head.headers)
        self._content = kept.data
        self._content_consumed = True


class GuardedAdapter(HTTPAdapter):
    """A transport without retries, redirects or proxies, that dials only checked addresses."""

    def __init__(
        self, policy: TargetPolicy, *, pool_size: int, ca_file: str | None = None, resolver: Resolver | None = None
    ) -> None:
        self.pool = IdlePool(size=pool_size)
        self._resolver = resolver or Resolver()
        self._guard = Guard(policy.addresses, resolver=self._resolver)
        self._context = tls_context(ca_file=ca_file)
        super().__init__(max_retries=0)

    def init_poolmanager(self, *_: Any, **__: Any) -> None:
        """Build no urllib3 pool: its keys know no addresses and its answers no deadline."""

    def proxy_manager_for(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: a proxy would make the connection in our place, unchecked."""
        raise Failure(Outcome.INVALID_REQUEST, "Requests are never sent through a proxy.")

    def close(self) -> None:
        """Close the idle connections and let the resolver's threads end."""
        self.pool.close()
        self._resolver.close()

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Answer:
        """Send *request*, an Outgoing; raise Failure. What else requests passes (timeout, proxies …) has no say."""
        if not isinstance(request, Outgoing):
            raise TypeError("The guarded adapter sends only requests with a checked target.")
        data = _on_the_wire(request)
        try:
            addresses = self._guard.addresses(request.target, deadline=request.deadline)
        finally:
            if not is_literal(request.target.host):  # nothing was looked up for an address
                request.watch.lap("dns")
        idle = self.pool.take(request.target, addresses=addresses)
        if idle:
            request.reused = True
            try:
                return self._converse(idle, request, data)
            except _Stale:
                request.reused = False
                request.resent = True
        fresh = open_connection(
            request.target,
            addresses=addresses,
            context=self._context,
            deadline=request.deadline,
            watch=request.watch,
        )
        return self._converse(fresh, request, data)

    def _converse(self, connection: Connection, request: Outgoing, data: bytes) -> Answer:
        """Send *data* and read the answer; the connection goes back to the pool if clean, else it is closed."""
        request.peer = connection.peer
        connection.wire.deadline = request.deadline
        is_clean = False
        try:
            reader = AnswerReader(connection.wire)
            head, is_sent = _ask(reader, request, data, connection=connection)
            kept = reader.body(head)
            request.watch.lap("body")
            is_clean = kept.is_clean and is_sent
        finally:
            if is_clean:
                self.pool.put(request.target, connection)
            else:
                connection.wire.close()
        return Answer(request, head=head, kept=kept)


class _Stale(Exception):
    """An idle connection turned out dead before any byte of an answer."""


def _on_the_wire(request: Outgoing) -> bytes:
    """Return the request as bytes; raise Failure when a part could be read as something else than it is."""
    target = request.target
    if not _METHOD.fullmatch(request.method or "") or not _PATH.fullmatch(target.path):
        raise Failure(Outcome.INVALID_REQUEST, "The method or the URL's path has characters that HTTP does not allow.")
    host = f"[{target.host}]" if ":" in target.host else target.host
    headers = [
        ("Host", host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"),
        ("Accept-Encoding", "identity"),
        ("Content-Length", str(len(request.payload))),
    ]
    for name, value in request.headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise Failure(Outcome.INVALID_REQUEST, f"The header {name[:64]!a} has characters that HTTP does not allow.")
        if name.lower() in _FRAMING:
            raise Failure(Outcome.INVALID_REQUEST, f"The header {name} is set by the sender alone.")
        headers.append((name, value))
    request.sent_headers = tuple(headers)
    lines = [f"{request.method} {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "\r\n"]
    return "\r\n".join(lines).encode("ascii") + request.payload


def _ask(reader: AnswerReader, request: Outgoing, data: bytes, *, connection: Connection) -> tuple[Head, bool]:
    """Send the request and read the head of the answer; also tell whether all was sent. Raise Failure or _Stale."""
    host = request.target.host
    is_sent, is_broken = False, False
    try:
        try:
            is_sent = connection.wire.send(data, listen=reader.listen)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            is_broken = True  # it may have answered before it hung up
        finally:
            request.watch.lap("send")
        return reader.head(method=request.method or ""), is_sent
    except (TimeUp, TimeoutError):  # the latter when the kernel gives a silent peer up
        raise _timed_out(reader, request, is_sent=is_sent) from None
    except NotHTTP as error:
        raise Failure(Outcome.INVALID_HTTP, str(error)) from None
    except (Ended, ConnectionError) as error:
        if request.reused and reader.heard_at is None:
            raise _Stale from None
        raise _hung_up(reader, request, is_reset=is_broken or isinstance(error, ConnectionError)) from None
    except ssl.SSLError as error:
        raise failures.of_tls(error, host=host) from error
    except OSError as error:
        raise failures.of_connect(error, host=host, port=request.target.port, waited_s=0.0) from error
    finally:
        request.watch.lap("first_byte", until=reader.heard_at)


def _timed_out(reader: AnswerReader, request: Outgoing, *, is_sent: bool) -> Failure:
    host, limit = request.target.host, f"within {request.timeout_s:g} s"
    if reader.heard_at is not None:
        return Failure(Outcome.TIMEOUT, f"{host} began to answer, but its headers were not complete {limit}.")
    if not is_sent:
        return Failure(Outcome.TIMEOUT, f"{host} did not read the whole request {limit}.")
    return Failure(Outcome.TIMEOUT, f"{host} did not answer {limit}.")


def _hung_up(reader: AnswerReader, request: Outgoing, *, is_reset: bool) -> Failure:
    host = request.target.host
    if is_reset:
        return Failure(Outcome.CONNECTION_RESET, f"{host} broke off the connection before its answer was complete.")
    what = "without an answer" if reader.heard_at is None else "in the middle of its answer's headers"
    return Failure(Outcome.NO_RESPONSE, f"{host} closed the connection {what}.")
