from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from console.core.targets import check_url
from workers.fault_server import Caller, Fault, FaultServer

Play = Callable[..., FaultServer]


def _idle(attempt: Any) -> list[Any]:
    return [connection for _, connection in attempt.sender._adapter.pool._all()]


def test_a_clean_connection_is_used_again(play_fault: Play, attempt: Any) -> None:
    server = play_fault("ok")

    results = [attempt(server) for _ in range(5)]

    assert [result.reused for result in results] == [False, True, True, True, True]
    assert server.connections == 1
    assert results[4].timings.connect == 0


@pytest.mark.parametrize("status", ["204", "304", "404", "500"])
def test_it_is_whatever_the_status(play_fault: Play, attempt: Any, status: str) -> None:
    server = play_fault(f"status:{status}")

    attempt(server)

    assert attempt(server).reused


@pytest.mark.parametrize(
    "fault",
    ["close-after", "extra-bytes", "http-1.0", "cut-body", "big-body", "broken-chunk", "switching", "interim-102"],
)
def test_one_that_did_not_end_cleanly_is_closed(play_fault: Play, attempt: Any, fault: str) -> None:
    server = play_fault(fault)

    attempt(server)

    assert _idle(attempt) == []


@pytest.mark.parametrize(
    "headers",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 12",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked\r\nthis is no header",
        b"Transfer-Encoding: chunked\r\nConnection: keep-alive, Close",
        b"Transfer-Encoding : chunked\r\nTransfer-Encoding: chunked",
    ],
)
def test_one_whose_framing_is_doubtful_is_closed(play_fault: Play, attempt: Any, headers: bytes) -> None:
    server = play_fault(_says_and_waits(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"))

    result = attempt(server)

    assert (result.outcome, result.body, result.truncated) == ("ok", b"ok", False)
    assert _idle(attempt) == []


def test_a_chunked_answer_with_extensions_and_trailers_is_clean(play_fault: Play, attempt: Any) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n00\r\nx: y\r\n\r\n"

    result = attempt(play_fault(_says_and_waits(answer)))

    assert (result.body, result.truncated, result.body_note) == (b"ok", False, None)
    assert len(_idle(attempt)) == 1


def test_one_that_the_receiver_closed_while_idle_is_not_used(play_fault: Play, attempt: Any) -> None:
    server = play_fault("close-idle")
    attempt(server)
    [connection] = _idle(attempt)
    connection.wire.deadline = monotonic() + 5
    connection.wire._wait(1)  # until the end of the stream has come

    result = attempt(server)

    assert (result.outcome, result.reused, result.resent) == ("ok", False, False)
    assert server.connections == 2


def test_a_request_is_sent_again_once_when_a_reused_connection_dies(play_fault: Play, attempt: Any) -> None:
    server = play_fault("close-second")
    attempt(server)

    result = attempt(server, body=b"second")

    assert (result.outcome, result.reused, result.resent) == ("ok", False, True)
    assert [receipt.body for receipt in server.receipts[1:]] == [b"second", b"second"]
    assert server.connections == 2


def test_a_request_is_never_sent_again_on_a_fresh_connection(play_fault: Play, attempt: Any) -> None:
    server = play_fault("close-after-request")

    result = attempt(server)

    assert (result.outcome, result.resent) == ("no_response", False)
    assert len(server.receipts) == 1


def test_a_request_that_times_out_is_never_sent_again(play_fault: Play, attempt: Any) -> None:
    def answer_only_the_first(caller: Caller, _: Any) -> None:
        caller.read_request()
        caller.answer()
        caller.read_request()
        caller.wait_for_hang_up()

    server = play_fault(Fault("", "", answer_only_the_first))
    attempt(server)

    result = attempt(server, timeout_s=0.3)

    assert (result.outcome, result.reused, result.resent) == ("timeout", True, False)
    assert len(server.receipts) == 2


def test_a_request_is_not_sent_again_once_an_answer_has_begun(play_fault: Play, attempt: Any) -> None:
    def begin_the_second_answer(caller: Caller, _: Any) -> None:
        caller.read_request()
        caller.answer()
        caller.read_request()
        caller.say(b"HTTP/1.1 200 OK\r\nContent-")

    server = play_fault(Fault("", "", begin_the_second_answer))
    attempt(server)

    result = attempt(server)

    assert (result.outcome, result.reused, result.resent) == ("no_response", True, False)
    assert len(server.receipts) == 2


@pytest.mark.parametrize(("field", "seconds"), [("idle_since", 11), ("opened_at", 61)])
def test_one_that_is_idle_or_alive_too_long_is_closed(
    play_fault: Play, attempt: Any, field: str, seconds: float
) -> None:
    server = play_fault("ok")
    attempt(server)
    [connection] = _idle(attempt)
    setattr(connection, field, getattr(connection, field) - seconds)

    assert not attempt(server).reused
    assert connection.wire.sock.fileno() == -1


def test_sweeping_closes_what_is_too_old(play_fault: Play, attempt: Any) -> None:
    attempt(play_fault("ok"))
    [connection] = _idle(attempt)
    attempt.sender.sweep()
    assert _idle(attempt) == [connection]

    connection.idle_since -= 11
    attempt.sender.sweep()

    assert _idle(attempt) == []
    assert connection.wire.sock.fileno() == -1


def test_the_longest_unused_make_room(play_fault: Play, make_attempts: Any) -> None:
    attempt = make_attempts(pool_size=2)
    servers = [play_fault("ok") for _ in range(3)]

    for server in servers:
        attempt(server)

    assert [attempt(server).reused for server in (servers[2], servers[1], servers[0])] == [True, True, False]


def test_a_closed_sender_keeps_no_connection(play_fault: Play, attempt: Any) -> None:
    attempt(play_fault("ok"))
    [connection] = _idle(attempt)

    attempt.sender.close()

    assert connection.wire.sock.fileno() == -1
    assert attempt(play_fault("ok")).outcome == "ok"
    assert _idle(attempt) == []


def test_connections_are_kept_by_host_even_at_one_address(play_fault: Play, attempt: Any, fake_dns: Any) -> None:
    fake_dns.names = {"a.example.com": ["127.0.0.1"], "b.example.com": ["127.0.0.1"]}
    server = play_fault("ok")

    attempt(f"http://a.example.com:{server.port}/")

    assert not attempt(f"http://b.example.com:{server.port}/").reused
    assert check_url(f"http://A.example.com:{server.port}/", policy=attempt.policy).host == "a.example.com"
    assert attempt(f"http://A.example.com:{server.port}/").reused


def _says_and_waits(data: bytes) -> Fault:
    def behave(caller: Caller, _: Any) -> None:
        caller.read_request()
        caller.say(data)
        caller.wait_for_hang_up()

    return Fault("", "", behave)
