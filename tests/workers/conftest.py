"""For the sender: receivers that misbehave, a sender that may reach them, and a DNS of our own."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from console.core.addresses import AddressPolicy
from console.core.targets import TargetPolicy, check_url
from workers.fault_server import Fault, FaultServer
from workers.faults import fault_named
from workers.resolver import Resolver
from workers.sender import Request, Result, Sender

LOOPBACK = TargetPolicy(addresses=AddressPolicy((ip_network("127.0.0.0/8"), ip_network("::1/128"))))


@pytest.fixture
def play_fault() -> Iterator[Callable[..., FaultServer]]:
    """Start a server that plays a fault, by name or as an object; all are closed after the test."""
    with ExitStack() as stack:

        def play(fault: str | Fault, **options: Any) -> FaultServer:
            fault = fault_named(fault) if isinstance(fault, str) else fault
            return stack.enter_context(FaultServer(fault, **options))

        yield play


@dataclass
class Attempts:
    """Makes attempts: call it with a server or a URL."""

    policy: TargetPolicy
    sender: Sender

    def __call__(
        self,
        where: FaultServer | str,
        *,
        timeout_s: float = 5.0,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        body: bytes = b'{"type": "order.paid"}',
    ) -> Result:
        url = where if isinstance(where, str) else f"{where.url}/hook"
        target = check_url(url, policy=self.policy)
        return self.sender.send(Request(target, method, headers or {}, body, timeout_s))


@pytest.fixture
def make_attempts(tmp_path: Path) -> Iterator[Callable[..., Attempts]]:
    """Build senders of one's own: with another policy or resolver, or trusting a TLS fault server."""
    with ExitStack() as stack:

        def make(
            *,
            policy: TargetPolicy = LOOPBACK,
            trusting: FaultServer | None = None,
            resolver: Resolver | None = None,
            pool_size: int = 8,
        ) -> Attempts:
            ca_file = None
            if trusting and trusting.authority:
                ca_file = tmp_path / f"{trusting.port}.pem"
                ca_file.write_bytes(trusting.authority.pem)
            sender = Sender(
                policy,
                user_agent="Hookyard/test",
                pool_size=pool_size,
                ca_file=str(ca_file) if ca_file else None,
                resolver=resolver,
            )
            stack.callback(sender.close)
            return Attempts(policy, sender)

        yield make


@pytest.fixture
def attempt(make_attempts: Callable[..., Attempts]) -> Attempts:
    """A sender that may reach loopback."""
    return make_attempts()


@dataclass
class FakeDNS:
    """Answers for ``socket.getaddrinfo``: addresses, an error to raise, or something to call first."""

    names: dict[str, list[str] | OSError | Callable[[], list[str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def getaddrinfo(self, host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        self.asked.append(host)
        found = self.names.get(host, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
        if isinstance(found, OSError):
            raise found
        return [_answer(address, port) for address in (found() if callable(found) else found)]


def _answer(address: str, port: int) -> Any:
    kind = (socket.SOCK_STREAM, 6, "")
    return (
        (socket.AF_INET6, *kind, (address, port, 0, 0)) if ":" in address else (socket.AF_INET, *kind, (address, port))
    )


@pytest.fixture
def fake_dns(monkeypatch: pytest.MonkeyPatch) -> FakeDNS:
    """Replace the DNS; a name it does not know does not exist."""
    dns = FakeDNS()
    monkeypatch.setattr(socket, "getaddrinfo", dns.getaddrinfo)
    return dns


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Record every address that a socket is asked to connect to, and refuse the connection."""
    record: list[Any] = []

    def connect(_: socket.socket, address: Any) -> None:
        record.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return record
