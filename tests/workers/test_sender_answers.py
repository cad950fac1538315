"""Answers by the byte: what is read leniently, what strictly, and where a body ends."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from workers import failures
from workers.answers import AnswerReader, Body
from workers.fault_server import Caller, Fault, FaultServer
from workers.heads import NotHTTP, parse_head
from workers.wire import TimeUp, Wire

Play = Callable[..., FaultServer]
KIB = 1024
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    """Our end of a connection, with two seconds to go, and the other one."""
    ours, other = socket.socketpair()
    with ours, other:
        wire = Wire(ours)
        wire.deadline = monotonic() + 2
        yield wire, other


def _read(ends: tuple[Wire, socket.socket], data: bytes) -> Body:
    wire, other = ends
    other.sendall(data)
    other.shutdown(socket.SHUT_WR)
    reader = AnswerReader(wire)
    return reader.body(reader.head(method="POST"))


def test_lines_may_end_without_carriage_return(ends: Any) -> None:
    body = _read(ends, b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok")

    assert (body.data, body.is_clean) == (b"ok", True)


def test_an_answer_may_come_in_any_pieces(ends: Any) -> None:
    wire, other = ends
    reader = AnswerReader(wire)
    for byte in CHUNKED:
        other.sendall(bytes([byte]))
        reader.listen()
    other.sendall(b"2\r\nok\r\n0\r\n\r\n")

    body = reader.body(reader.head(method="POST"))

    assert (body.data, body.is_clean) == (b"ok", True)


def test_folded_and_odd_headers_are_kept_as_far_as_they_make_sense() -> None:
    section = b"HTTP/1.1 200\r\n folded before any\r\nA: 1\r\n\t2\r\nno colon\r\n: no name\r\nB : 3\r\nC:\xff\r\nD:"

    head = parse_head(section, method="POST")

    assert head.headers == (("A", "1 2"), ("C", "\xff"), ("D", ""))
    assert (head.status, head.reason, head.keeps_alive) == (200, "", False)


@pytest.mark.parametrize(
    "line",
    [
        "HTTP/1.1 2xx OK",
        "HTTP/1.1 20 OK",
        "HTTP/1.1 2000 OK",
        "HTTP/2 200",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 200\x00",
        "http/1.1 200 OK",
    ],
)
def test_a_status_line_is_taken_strictly(line: str) -> None:
    with pytest.raises(NotHTTP):
        parse_head(line.encode(), method="POST")


@pytest.mark.parametrize("length", ["-1", "+2", "2x", "", "0x10", "9" * 30, "2, 3"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    with pytest.raises(NotHTTP):
        parse_head(f"HTTP/1.1 200 OK\r\nContent-Length: {length}".encode(), method="POST")


def test_the_same_length_twice_is_one_length() -> None:
    head = parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length: 2", method="POST")

    assert (head.length, head.keeps_alive) == (2, True)


@pytest.mark.parametrize("status", [42, 99, 600, 999])
def test_a_status_out_of_range_is_read_and_left_to_the_outcome(status: int) -> None:
    assert parse_head(b"HTTP/1.1 %03d" % status, method="POST").status == status


@pytest.mark.parametrize("size", [0, 1, 64 * KIB])
@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
def test_a_body_of_up_to_64_kib_is_whole(ends: Any, framing: str, size: int) -> None:
    body = _read(ends, _answer(framing, b"x" * size))

    assert (len(body.data), body.truncated, body.note) == (size, False, None)
    assert body.is_clean == (framing != "end")


@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
def test_one_byte_more_is_cut(ends: Any, framing: str) -> None:
    body = _read(ends, _answer(framing, b"x" * (64 * KIB + 1)))

    assert (len(body.data), body.truncated) == (64 * KIB, True)
    assert body.note == "Only the first 64 KiB of the answer's body were kept."


@pytest.mark.parametrize(
    "rest",
    [
        b"2\r\nokay\r\n0\r\n\r\n",
        b"-2\r\nok",
        b"\r\nok",
        b"0x2\r\nok",
        b"f" * 16 + b"\r\n",
        b"2;" + b"a" * 5000 + b"\r\nok",
    ],
)
def test_a_chunk_that_breaks_the_rules_ends_the_body(ends: Any, rest: bytes) -> None:
    body = _read(ends, CHUNKED + rest)

    assert body.truncated
    assert body.note


@pytest.mark.parametrize("rest", [b"2\r\nok\r\n", b"2\r\no", b"2", b"0\r\nx: y\r\n"])
def test_a_chunked_body_that_stops_is_noted(ends: Any, rest: bytes) -> None:
    body = _read(ends, CHUNKED + rest)

    assert body.note == "The connection was closed before the answer's body was complete."


def test_an_interim_answer_while_we_are_sending_does_not_stop_us(play_fault: Play, attempt: Any) -> None:
    def continue_then_read(caller: Caller, _: Any) -> None:
        caller.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        caller.rest(0.2)
        caller.read_request()
        caller.answer()
        caller.wait_for_hang_up()

    server = play_fault(Fault("", "", continue_then_read))

    result = attempt(server, body=b"x" * (8 * KIB * KIB))

    assert result.outcome == "ok"
    assert len(server.receipts[0].body) == 8 * KIB * KIB


@pytest.mark.parametrize("words", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000])
def test_nonsense_while_we_are_sending_stops_us(play_fault: Play, attempt: Any, words: bytes) -> None:
    def talk(caller: Caller, _: Any) -> None:
        caller.say(words)
        caller.rest(60)

    result = attempt(play_fault(Fault("", "", talk)), body=b"x" * (16 * KIB * KIB), timeout_s=3)

    assert result.outcome == "invalid_http"


def test_nothing_is_read_after_the_deadline(ends: Any) -> None:
    wire, other = ends
    other.sendall(b"x")
    wire.deadline = monotonic()

    with pytest.raises(TimeUp):
        wire.recv(1)
    with pytest.raises(TimeUp):
        wire.send(b"x" * (16 * KIB * KIB), listen=lambda: False)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError(), "connect_timeout"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection_refused"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection_reset"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "connect_error"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "connect_error"),
        (OSError(errno.EACCES, "Permission denied"), "connect_error"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "system_error"),
        (OSError(errno.EMFILE, "Too many open files"), "system_error"),
    ],
    ids=str,
)
def test_a_failed_connection_is_told_by_its_kind(error: OSError, outcome: str) -> None:
    failure = failures.of_connect(error, host="hooks.example.com", port=443, waited_s=5.0)

    assert failure.outcome == outcome
    assert failure.sentence.endswith(".")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TimeoutError(), "timeout"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "tls_error"),
        (ssl.SSLError(1, "[SSL: NO_SHARED_CIPHER] no shared cipher"), "tls_error"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "connection_reset"),
    ],
    ids=str,
)
def test_a_failed_handshake_is_told_by_its_kind(error: OSError, outcome: str) -> None:
    assert failures.of_tls(error, host="hooks.example.com").outcome == outcome


def test_running_out_of_memory_is_our_own_fault() -> None:
    failure = failures.ours(MemoryError())

    assert failure is not None
    assert failure.outcome == "system_error"
    assert failures.ours(LookupError()) is None


def _answer(framing: str, body: bytes) -> bytes:
    if framing == "length":
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    if framing == "chunked":
        chunks = [body[start : start + 1000] for start in range(0, len(body), 1000)]
        return CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return b"HTTP/1.1 200 OK\r\n\r\n" + body
