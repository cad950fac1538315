"""Requests that come in pieces: what is one, where it ends, and what is refused."""

from __future__ import annotations

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidHeader,
    InvalidHeaderName,
    InvalidRequestLine,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)

from console.cli import incoming
from console.cli.incoming import BodyTooLarge, Incoming

ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


def coming() -> Incoming:
    configuration = Config()
    configuration.set("forwarded_allow_ips", "")
    return Incoming(configuration, ("198.51.100.7", 40000))


def taken(data: bytes) -> list[tuple[str, str, bytes]]:
    """Return method, path and body of all requests in *data*."""
    one = coming()
    one.add(data)
    found = []
    while (request := one.take()) is not None:
        found.append((request.method, request.path, request.body.read()))
    return found


@pytest.mark.parametrize("data", [ASK, POST, CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"\r\n" + ASK])
def test_a_request_that_comes_byte_by_byte_is_the_one_that_comes_at_once(data: bytes) -> None:
    one = coming()
    for index in range(len(data) - 1):
        one.add(data[index : index + 1])
        assert one.take() is None
    one.add(data[-1:])
    request = one.take()

    assert request is not None
    assert [(request.method, request.path, request.body.read())] == taken(data)
    assert not one.has_begun


def test_requests_sent_together_are_told_apart() -> None:
    chunked = CHUNKED + b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"

    assert taken(ASK + POST + chunked + ASK) == [
        ("GET", "/healthz", b""),
        ("POST", "/api/v1/events", b"hello"),
        ("POST", "/api/v1/events", b"hello world"),
        ("GET", "/healthz", b""),
    ]


def test_joined_chunks_are_announced_like_a_body_in_one_piece() -> None:
    one = coming()
    one.add(CHUNKED + b"5\r\nhello\r\n0\r\n\r\n")
    request = one.take()

    assert request is not None
    assert request.headers == [("HOST", "x"), ("CONTENT-LENGTH", "5")]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"GARBAGE \x00\xff\r\n\r\n", InvalidRequestLine),
        (b"GET / HTTP/1.1\nHost: x\n\n", InvalidHeader),
        (b"\r\n\r\n", InvalidRequestLine),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", InvalidHeader),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", InvalidHeader),
        (HEAD + b"Content-Length: +5\r\n\r\nhello", InvalidHeader),
        (HEAD + b"Content-Length: -5\r\n\r\nhello", InvalidHeader),
        (HEAD + b"Content-Length : 5\r\n\r\nhello", InvalidHeaderName),
        (HEAD + b" folded: 1\r\n\r\n", ParseException),
        (HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n", InvalidHeader),
        (HEAD + b"Transfer-Encoding: xchunked\r\n\r\n", ParseException),
        (HEAD + b"Host: y\r\n\r\n", InvalidHeader),
        (CHUNKED + b"5\r\nhelloXX0\r\n\r\n", ChunkMissingTerminator),
        (CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", InvalidChunkSize),
        (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", InvalidChunkSize),
        (CHUNKED + b"5\nhello\r\n0\r\n\r\n", InvalidChunkSize),
        (CHUNKED + b"5;\x00\r\nhello\r\n0\r\n\r\n", InvalidChunkSize),
        (CHUNKED + b"0" * 300, InvalidChunkSize),
        (CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n", InvalidHeaderName),
        (CHUNKED + b"0\r\nX: " + b"a" * incoming.LARGEST_TRAILER, LimitRequestHeaders),
        (b"GET /" + b"a" * 9000, LimitRequestLine),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", LimitRequestLine),
        (HEAD + b"X: " + b"a" * incoming.LARGEST_HEAD, LimitRequestHeaders),
        (HEAD + b"X: 1\r\n" * 101 + b"\r\n", LimitRequestHeaders),
        (HEAD + b"Content-Length: 16777217\r\n\r\n", BodyTooLarge),
        (HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n", BodyTooLarge),
        (CHUNKED + b"1000001\r\n", BodyTooLarge),
    ],
)
def test_what_is_no_request_is_refused_and_so_is_all_that_follows(data: bytes, error: type[Exception]) -> None:
    one = coming()
    one.add(data)
    with pytest.raises(error):
        one.take()
    one.add(ASK)
    with pytest.raises(error):
        one.take()


def test_a_body_of_countless_small_chunks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incoming, "MOST_CHUNKS", 10)
    assert len(taken(CHUNKED + b"1\r\na\r\n" * 9 + b"0\r\n\r\n")) == 1
    with pytest.raises(BodyTooLarge):
        taken(CHUNKED + b"1\r\na\r\n" * 10 + b"0\r\n\r\n")


@pytest.mark.parametrize(("sent", "waits"), [(b"", True), (b"hel", True), (b"hello", False)])
def test_only_who_waits_for_it_is_told_to_continue(sent: bytes, waits: bool) -> None:  # noqa: FBT001  a parameter
    one = coming()
    one.add(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n" + sent)
    one.take()

    assert [one.take_expectation(), one.take_expectation()] == [waits, False]
