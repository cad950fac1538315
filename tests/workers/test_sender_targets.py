"""Where a name leads is judged at every send, by all of its addresses, before a byte is sent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from console.core.addresses import AddressPolicy
from console.core.targets import TargetPolicy
from workers.fault_server import FaultServer
from workers.resolver import Resolver

Play = Callable[..., FaultServer]
PUBLIC = TargetPolicy()


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["93.184.216.34", "127.0.0.1"],
        ["93.184.216.34", "10.0.0.1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["2606:4700::1111", "::1"],
        ["fe80::1"],
        ["0.0.0.0"],  # noqa: S104 - nothing listens here
        ["93.184.216.34"] * 20 + ["192.168.0.1"],
    ],
    ids=lambda addresses: addresses[-1],
)
def test_a_name_with_a_forbidden_address_is_never_dialled(
    make_attempts: Any, fake_dns: Any, dialled: list[Any], addresses: list[str]
) -> None:
    fake_dns.names["hooks.example.com"] = addresses

    result = make_attempts(policy=PUBLIC)("http://hooks.example.com/")

    assert result.outcome == "blocked_address"
    assert dialled == []
    assert addresses[-1] not in result.error
    assert result.blocked.startswith(addresses[-1])
    assert result.peer is None


def test_an_address_bound_to_an_interface_is_never_dialled(
    make_attempts: Any, dialled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2606:4700::1111", 80, 0, 2))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)

    assert make_attempts(policy=PUBLIC)("http://hooks.example.com/").outcome == "blocked_address"
    assert dialled == []


def test_a_public_name_is_dialled_by_its_checked_addresses_at_most_eight(
    make_attempts: Any, fake_dns: Any, dialled: list[Any]
) -> None:
    fake_dns.names["hooks.example.com"] = [f"93.184.216.{n}" for n in range(20)]

    result = make_attempts(policy=PUBLIC)("https://hooks.example.com/")

    assert result.outcome == "connection_refused"
    assert dialled == [(f"93.184.216.{n}", 443) for n in range(8)]
    assert fake_dns.asked == ["hooks.example.com"]


def test_the_next_address_is_tried_when_the_first_is_dead(play_fault: Play, attempt: Any, fake_dns: Any) -> None:
    server = play_fault("ok")
    fake_dns.names["hooks.example.com"] = ["127.0.0.9", "127.0.0.1"]

    result = attempt(f"http://hooks.example.com:{server.port}/")

    assert (result.outcome, result.peer) == ("ok", f"127.0.0.1:{server.port}")


def test_a_name_that_moves_to_a_private_net_is_blocked_while_a_connection_is_open(
    play_fault: Play, make_attempts: Any, fake_dns: Any
) -> None:
    server = play_fault("ok")
    attempt = make_attempts(resolver=Resolver(keep_s=0.0))
    fake_dns.names["hooks.example.com"] = ["127.0.0.1"]
    url = f"http://hooks.example.com:{server.port}/"
    assert attempt(url).outcome == "ok"

    fake_dns.names["hooks.example.com"] = ["10.0.0.1"]

    assert attempt(url).outcome == "blocked_address"
    assert len(server.receipts) == 1


def test_a_name_is_looked_up_once_in_five_seconds(play_fault: Play, attempt: Any, fake_dns: Any) -> None:
    server = play_fault("close-after")
    fake_dns.names["hooks.example.com"] = ["127.0.0.1"]

    for _ in range(3):
        assert attempt(f"http://hooks.example.com:{server.port}/").outcome == "ok"

    assert fake_dns.asked == ["hooks.example.com"]
    assert server.connections == 3


def test_a_connection_that_ends_up_elsewhere_is_not_used(
    play_fault: Play, attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = play_fault("ok")
    monkeypatch.setattr(socket.socket, "getpeername", lambda _: ("10.0.0.1", server.port))

    result = attempt(server)

    assert (result.outcome, result.blocked) == ("blocked_address", "10.0.0.1 is not the address that was dialled")
    assert server.receipts == []


def test_a_bin_of_our_own_may_be_on_loopback_and_nothing_else_may(play_fault: Play, make_attempts: Any) -> None:
    server = play_fault("ok")
    attempt = make_attempts(policy=TargetPolicy(base_url=server.url))

    result = attempt(f"{server.url}/in/{'a' * 22}")

    assert result.outcome == "ok"


def test_an_opened_net_opens_no_other(make_attempts: Any, fake_dns: Any, dialled: list[Any]) -> None:
    fake_dns.names = {"a.example.com": ["10.1.0.1"], "b.example.com": ["10.2.0.1"]}
    attempt = make_attempts(policy=TargetPolicy(addresses=AddressPolicy((ip_network("10.1.0.0/16"),))))

    assert attempt("http://a.example.com/").outcome == "connection_refused"
    assert attempt("http://b.example.com/").outcome == "blocked_address"
    assert dialled == [("10.1.0.1", 80)]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "dns_not_found"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "dns_temporary"),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), "dns_temporary"),
        (socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure"), "system_error"),
        (OSError(24, "Too many open files"), "system_error"),
    ],
    ids=str,
)
def test_a_failed_lookup_is_told_by_its_kind(attempt: Any, fake_dns: Any, error: OSError, outcome: str) -> None:
    fake_dns.names["hooks.example.com"] = error

    result = attempt("http://hooks.example.com/")

    assert result.outcome == outcome
    assert result.error.endswith(".")


def test_a_name_that_python_cannot_encode_is_an_outcome(attempt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise UnicodeError("label too long")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)

    assert attempt("http://hooks.example.com/").outcome == "invalid_request"


class Stall:
    """A DNS answer that does not come until the test says so."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def __call__(self) -> list[str]:
        self._ended.wait(20)
        return []

    def end(self) -> None:
        self._ended.set()


def test_a_stalling_name_is_given_up_and_asked_only_once(make_attempts: Any, fake_dns: Any) -> None:
    stall = Stall()
    fake_dns.names["slow.example.com"] = stall
    attempt = make_attempts(resolver=Resolver(limit_s=0.2))

    results = [attempt("http://slow.example.com/") for _ in range(3)]
    stall.end()

    assert {result.outcome for result in results} == {"dns_temporary"}
    assert all(result.timings.dns < 1000 for result in results)
    assert fake_dns.asked == ["slow.example.com"]


def test_a_resolver_full_of_stalling_names_is_our_own_fault(make_attempts: Any, fake_dns: Any) -> None:
    stall = Stall()
    fake_dns.names = {f"slow{n}.example.com": stall for n in range(2)}
    attempt = make_attempts(resolver=Resolver(threads=2, limit_s=0.2))

    stalled = [attempt(f"http://slow{n}.example.com/").outcome for n in range(2)]
    starved = attempt("http://hooks.example.com/").outcome
    stall.end()

    assert stalled == ["dns_temporary", "dns_temporary"]
    assert starved == "system_error"


def test_a_name_without_any_address_was_not_found(attempt: Any, fake_dns: Any) -> None:
    fake_dns.names["empty.example.com"] = []

    assert attempt("http://empty.example.com/").outcome == "dns_not_found"


def test_localhost_goes_to_the_loopback_address_that_is_allowed(
    play_fault: Play, make_attempts: Any, fake_dns: Any
) -> None:
    server = play_fault("ok")
    fake_dns.names["localhost"] = ["::1", "127.0.0.1"]
    send = make_attempts(policy=TargetPolicy(addresses=AddressPolicy(allow_nets=(ip_network("127.0.0.0/8"),))))

    result = send(f"http://localhost:{server.port}/")

    assert (result.outcome, result.peer) == ("ok", f"127.0.0.1:{server.port}")
