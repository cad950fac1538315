"""The only door to the network: check every address a name leads to, and dial exactly what was checked.

A name is looked up once per connection. All answers must pass, one bad one blocks the host: a mixed answer is how
DNS rebinding reaches an inner network. What passed is dialled as an address, so no second lookup can answer
differently, while Host header, SNI and certificate check keep the name.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from socket import IPPROTO_TCP, SOCK_STREAM, TCP_NODELAY, socket
from ssl import PROTOCOL_TLS_CLIENT, SSLContext, SSLSocket, TLSVersion
from time import monotonic

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection

from console.core.addresses import AddressPolicy
from console.core.outcomes import Outcome
from console.core.targets import Target
from workers import failures
from workers.failures import Failure
from workers.resolver import Address, Resolver, SocketAddress
from workers.stopwatch import Stopwatch
from workers.wire import Wire

CONNECT_LIMIT_S = 5.0
MAX_DIALLED = 8
_BLOCKED = "The host name leads to an address that is not allowed as a target; nothing was sent."


class Guard:
    """Finds the addresses of a target and lets only allowed ones pass."""

    def __init__(self, policy: AddressPolicy, *, resolver: Resolver) -> None:
        self._resolver = resolver
        self._denial = lru_cache(maxsize=4096)(policy.denial)

    def addresses(self, target: Target, *, deadline: float) -> tuple[Address, ...]:
        """Return the checked addresses of *target*, at least one; raise Failure.

        A bin of the built-in receiver may be anywhere: its host is our own base URL's, which the operator set.
        """
        found = self._resolver.resolve(target.host, target.port, deadline=deadline)
        if _is_loopback_name(target.host):
            # It means this machine by definition (RFC 6761 section 6.3), so no answer can be planted: an operator who
            # allows 127.0.0.0/8 but not ::1 gets the allowed ones.
            found = tuple(one for one in found if self._denial(one[1][0]) is None) or found
        if not target.is_bin:
            for _, address in found:
                self._check(address)
        return found[:MAX_DIALLED]

    def _check(self, address: SocketAddress) -> None:
        has_zone = len(address) == 4 and address[3] != 0  # noqa: PLR2004 - IPv6: address, port, flow label, zone
        reason = "tied to one network interface (a zone)" if has_zone else self._denial(address[0])
        if reason:
            raise Failure(Outcome.BLOCKED_ADDRESS, _BLOCKED, blocked=f"{address[0]} is {reason}")


def _is_loopback_name(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def dial(addresses: tuple[Address, ...], *, host: str, deadline: float) -> socket:
    """Connect to the first of *addresses* that takes the connection, within the connect limit; raise Failure."""
    begun = monotonic()
    limit = min(deadline, begun + CONNECT_LIMIT_S)
    error: OSError = TimeoutError()
    for turn, (family, address) in enumerate(addresses):
        # A silent address must leave time for the others.
        share_s = (limit - monotonic()) / (len(addresses) - turn)
        if share_s <= 0:
            break
        try:
            return _connect(family, address, timeout_s=share_s)
        except OSError as failed:
            if isinstance(failed, Failure):
                raise
            error = failed
    raise failures.of_connect(error, host=host, port=addresses[0][1][1], waited_s=monotonic() - begun) from error


def _connect(family: int, address: SocketAddress, *, timeout_s: float) -> socket:
    sock = socket(family, SOCK_STREAM)
    try:
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        sock.settimeout(timeout_s)
        sock.connect(address)
        _check_peer(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _check_peer(sock: socket, address: SocketAddress) -> None:
    """Make sure that *sock* is connected to what was dialled, and not to itself."""
    peer = sock.getpeername()
    if peer[:2] != address[:2]:
        raise Failure(Outcome.BLOCKED_ADDRESS, _BLOCKED, blocked=f"{peer[0]} is not the address that was dialled")
    if peer == sock.getsockname():
        # A loopback port nobody listens on can be the one the system gives to our own end (RFC 9293, section 3.5).
        raise ConnectionRefusedError


class _Pinned(HTTPConnection):
    """A urllib3 connection that dials checked addresses instead of looking its host up.

    Never set ``_dns_host`` for this: urllib3 derives the certificate's name from it.
    """

    addresses: tuple[Address, ...] = ()
    deadline: float = 0.0
    watch: Stopwatch

    def _new_conn(self) -> socket:
        try:
            sock = dial(self.addresses, host=self.host, deadline=self.deadline)
        finally:
            self.watch.lap("connect")
        sys.audit("http.client.connect", self, self.host, self.port)
        # For the TLS handshake: the ssl module counts it as one call with one limit.
        sock.settimeout(max(0.001, self.deadline - monotonic()))
        return sock


class _PinnedTLS(_Pinned, HTTPSConnection):
    """The same under TLS, with the name kept for SNI and the certificate."""


class Connection:
    """An open connection to one checked address of a target; *opened_at* and *idle_since* are monotonic seconds."""

    __slots__ = ("address", "idle_since", "opened_at", "peer", "wire")

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.opened_at = self.idle_since = monotonic()
        host, port = wire.sock.getpeername()[:2]
        self.address: str = host
        self.peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def open_connection(
    target: Target, *, addresses: tuple[Address, ...], context: SSLContext, deadline: float, watch: Stopwatch
) -> Connection:
    """Connect to *target* at one of its checked *addresses*, with TLS when its scheme is https; raise Failure."""
    is_secure = target.scheme == "https"
    pinned = (
        _PinnedTLS(target.host, target.port, ssl_context=context) if is_secure else _Pinned(target.host, target.port)
    )
    pinned.addresses, pinned.deadline, pinned.watch = addresses, deadline, watch
    try:
        pinned.connect()
        _check_verified(pinned, target)
        return Connection(Wire(pinned.sock))
    except BaseException as error:
        pinned.close()  # urllib3 leaves the socket open when a check on it fails
        if isinstance(error, OSError) and not isinstance(error, Failure):
            raise failures.of_tls(error, host=target.host) from error
        raise
    finally:
        if is_secure:
            watch.lap("tls")


def _check_verified(pinned: HTTPConnection, target: Target) -> None:
    """Make sure that there is TLS where it is due, and that no way around the certificate check was taken.

    The context has already checked; but the ssl module gives a socket that lost its connection back without TLS.
    """
    if target.scheme == "https":
        has_tls = isinstance(pinned.sock, SSLSocket) and pinned.sock.version() is not None
        if not (has_tls and pinned.is_verified):
            raise Failure(Outcome.TLS_ERROR, f"No verified TLS connection to {target.host} could be made.")


def tls_context(*, ca_file: str | None = None) -> SSLContext:
    """Return a verifying context, TLS 1.2 or newer, that trusts certifi's authorities or those in *ca_file* (PEM).

    Built by hand because the ready-made ones follow SSL_CERT_FILE and SSLKEYLOGFILE from the environment.
    """
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.minimum_version = TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=ca_file or certifi.where())
    return context
