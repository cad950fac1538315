"""Everything that is known to go wrong at a receiver, by name: for our tests, and for people who test their own alerts.

``hookyard receiver --fault NAME`` plays one of them; ``NAME:ARGUMENT`` sets the number or address it takes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache, reduce
from itertools import count
from typing import Any

from console.core.errors import Refused
from workers.fault_book import FAULTS, answers, fault, repeats, says
from workers.fault_server import Caller, Fault

__all__ = ["FAULTS", "fault_named"]

_LONGER_THAN_ANYONE_WAITS_S = 120.0
_MIB = 1024 * 1024
_HEAD = b"HTTP/1.1 200 OK\r\n"
_GZIP_HEAD = _HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"


def fault_named(name: str) -> Fault:
    """Return the fault called *name*, which may be ``NAME:ARGUMENT``; raise Refused when there is none."""
    name, colon, argument = name.partition(":")
    found = FAULTS.get(name)
    if found is None:
        raise Refused(f"There is no fault named {name!r}; known are: {', '.join(FAULTS)}.", code="fault_unknown")
    return found.with_argument(argument) if colon else found


# Ordinary answers.
answers("ok", "Answers 200.", "200 OK")
answers("empty", "Answers 204 without a body.", "204 No Content", body=b"")
answers("error", "Answers 500.", "500 Internal Server Error", body=b"something broke")
answers("unavailable", "Answers 503 and asks for 5 seconds of rest.", "503 Service Unavailable", "Retry-After: 5")
answers("gone", "Answers 410, so the hook is disabled.", "410 Gone", body=b"gone")
answers("close-after", "Answers 200 and closes the connection every time.", "200 OK", "Connection: close")


@fault("throttled", "Answers 429 and asks for some seconds of rest.", scope="request", argument="5", is_harmless=True)
def _throttled(caller: Caller, seconds: str) -> None:
    caller.answer("429 Too Many Requests", headers=[f"Retry-After: {seconds}"], body=b"")


@fault("status", "Answers with the given status.", scope="request", argument="418", parse=int, is_harmless=True)
def _status(caller: Caller, status: int) -> None:
    caller.answer(f"{status} As Asked", body=b"" if status in {204, 304} else b"as asked")


@fault("slow", "Answers 200 after some seconds.", scope="request", argument="2", parse=float, is_harmless=True)
def _slow(caller: Caller, seconds: float) -> None:
    caller.rest(seconds)
    caller.answer()


@fault(
    "fail-next",
    "Answers 500 to the first requests, then 200.",
    scope="request",
    argument="3",
    parse=int,
    is_harmless=True,
)
def _fail_next(caller: Caller, failures: int) -> None:
    fails = caller.request is not None and caller.request.number <= failures
    caller.answer("500 Internal Server Error" if fails else "200 OK")


@fault(
    "redirect",
    "Answers 302 to another address.",
    scope="request",
    argument="https://example.com/moved",
    is_harmless=True,
)
def _redirect(caller: Caller, location: str) -> None:
    caller.answer("302 Found", headers=[f"Location: {location}"], body=b"")


@fault("redirect-loop", "Answers 308 to its own address.", scope="request", is_harmless=True)
def _redirect_loop(caller: Caller, _: Any) -> None:
    path = caller.request.path if caller.request else "/"
    caller.answer("308 Permanent Redirect", headers=[f"Location: {path}"], body=b"")


# Too slow, or without end.
repeats("drip-status-line", "Sends a status line that never ends, byte by byte.", b"HTTP/1.1 200 ", b"O", every_s=0.05)
repeats("drip-headers", "Sends headers for ever, a few bytes at a time.", _HEAD, b"a: b\r\n", every_s=0.05)
repeats("drip-body", "Sends a body for ever, byte by byte.", _HEAD + b"\r\n", b"x", every_s=0.05)
repeats(
    "drip-continue", "Sends 100 Continue now and then, for ever.", b"", b"HTTP/1.1 100 Continue\r\n\r\n", every_s=0.1
)
repeats("endless-headers", "Sends one header line that never ends.", _HEAD + b"a: ", b"b" * 65536)
repeats("endless-body", "Sends a body that never ends.", _HEAD + b"\r\n", b"x" * 65536)
repeats(
    "endless-chunks",
    "Sends chunks that never end.",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    b"400\r\n" + b"x" * 1024 + b"\r\n",
)
repeats(
    "endless-trailers",
    "Sends trailers that never end after a chunked body.",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    b"a: b\r\n" * 1000,
)
repeats("endless-continue", "Sends 100 Continue as fast as it can.", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4)


@fault("never-answers", "Reads the request and never answers.")
def _never_answers(caller: Caller, _: Any) -> None:
    caller.read_request()
    caller.wait_for_hang_up()


@fault("never-reads", "Takes the connection and never reads from it.")
def _never_reads(caller: Caller, _: Any) -> None:
    caller.rest(_LONGER_THAN_ANYONE_WAITS_S)


@fault("never-accepts", "Lets nobody connect: the queue of connections is full.", scope="none")
def _never_accepts(caller: Caller, _: Any) -> None:
    """Do nothing: there is never a caller."""


# Other than asked.
says("interim-102", "Sends 102 Processing, then answers 200.", b"HTTP/1.1 102 Processing\r\n\r\n" + _HEAD + b"\r\nok")
says(
    "interim-103",
    "Sends 103 Early Hints, then answers 200.",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + _HEAD + b"Content-Length: 2\r\n\r\nok",
)
says("switching", "Answers 101 and wants another protocol.", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
says("status-600", "Answers with a status beyond 599.", b"HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n")
says("status-text", "Answers with the status 2xx.", b"HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n")
says("http-0.9", "Sends a page without status line or headers.", b"<html><body>hello</body></html>")
says("http-1.0", "Answers with HTTP/1.0.", b"HTTP/1.0 200 OK\r\n\r\nok")
says("two-lengths", "Sends two Content-Length values.", _HEAD + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\nok")
says("many-headers", "Sends 5,000 headers.", _HEAD + b"a: b\r\n" * 5000 + b"Content-Length: 2\r\n\r\nok")
says("big-headers", "Sends 300 KiB of headers.", _HEAD + (b"a: " + b"b" * 3000 + b"\r\n") * 100 + b"\r\nok")
says(
    "extra-bytes",
    "Sends more after the end of its answer.",
    _HEAD + b"Content-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n",
)


@fault("ssh", "Speaks SSH.")
def _ssh(caller: Caller, _: Any) -> None:
    caller.say(b"SSH-2.0-OpenSSH_9.6\r\n")
    caller.wait_for_hang_up()


@fault("http-2", "Speaks HTTP/2.")
def _http_2(caller: Caller, _: Any) -> None:
    caller.say(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")  # an empty SETTINGS frame, a server's preface
    caller.wait_for_hang_up()


# Bodies.
@cache
def _bomb() -> bytes:
    piece, times = bytes(8 * _MIB), 8
    press = zlib.compressobj(level=9, wbits=-15)
    packed = press.compress(piece) + press.flush(zlib.Z_FULL_FLUSH)  # refers to nothing before: it can be repeated
    check = reduce(lambda check, _: zlib.crc32(piece, check), range(times), 0)
    end = zlib.compressobj(wbits=-15).flush() + struct.pack("<II", check, len(piece) * times)
    body = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed * times + end  # RFC 1952
    return _GZIP_HEAD % len(body) + body


says("gzip-bomb", "Sends 64 KiB of gzip that unpack to 64 MiB.", _bomb)
says("broken-gzip", "Sends a body that claims to be gzip.", _GZIP_HEAD % 8 + b"not gzip")
says("cut-body", "Announces 1,000 bytes, sends 9 and closes.", _HEAD + b"Content-Length: 1000\r\n\r\nonly this")
says(
    "broken-chunk",
    "Sends a chunk with an impossible size.",
    _HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\nnonsense\r\n",
)
says("big-body", "Sends a body of 1 MiB.", _HEAD + b"Content-Length: %d\r\n\r\n" % _MIB + b"x" * _MIB)


@fault("reset-in-body", "Answers 200 and resets the connection in the middle of the body.")
def _reset_in_body(caller: Caller, _: Any) -> None:
    caller.read_request()
    caller.say(_HEAD + b"Content-Length: 1000\r\n\r\nonly this")
    caller.rest(0.05)
    caller.reset()


# Hanging up.
@fault("reset-at-once", "Resets the connection before it reads anything.")
def _reset_at_once(caller: Caller, _: Any) -> None:
    caller.reset()


@fault("reset-after-request", "Reads the request and resets the connection.")
def _reset_after_request(caller: Caller, _: Any) -> None:
    caller.read_request()
    caller.reset()


@fault("close-after-request", "Reads the request and closes the connection without an answer.")
def _close_after_request(caller: Caller, _: Any) -> None:
    caller.read_request()


@fault("cut-headers", "Closes the connection in the middle of its headers.")
def _cut_headers(caller: Caller, _: Any) -> None:
    caller.read_request()
    caller.say(_HEAD + b"Content-Le")


@fault("close-second", "Answers the first request of a connection, and closes it when it gets a second one.")
def _close_second(caller: Caller, _: Any) -> None:
    caller.read_request()
    caller.answer()
    caller.read_request()


@fault("close-idle", "Answers with keep-alive and closes the connection at once.")
def _close_idle(caller: Caller, _: Any) -> None:
    caller.read_request()
    caller.answer()


# Answers at the wrong time.
@fault("answers-early", "Answers before it reads the request, and never reads it.")
def _answers_early(caller: Caller, _: Any) -> None:
    caller.answer()
    caller.rest(_LONGER_THAN_ANYONE_WAITS_S)


@fault("answers-early-and-resets", "Answers before it reads the request, then resets the connection.")
def _answers_early_and_resets(caller: Caller, _: Any) -> None:
    caller.answer("413 Content Too Large")
    caller.rest(0.1)
    caller.reset()


# TLS.
def _tls(name: str, description: str, kind: str) -> None:
    fault(name, description, scope="request", tls=kind)(lambda caller, _: caller.answer())


_tls("tls-expired", "Has a certificate that has expired.", "expired")
_tls("tls-self-signed", "Has a certificate that it signed itself.", "self-signed")
_tls("tls-wrong-host", "Has a certificate for another host.", "wrong-host")
_tls("tls-1.0", "Speaks TLS 1.0 only.", "1.0")


@fault("tls-stall", "Takes the connection and never answers the TLS handshake; use it with https.")
def _tls_stall(caller: Caller, _: Any) -> None:
    caller.wait_for_hang_up()


@fault("tls-drip", "Answers the TLS handshake byte by byte; use it with https.")
def _tls_drip(caller: Caller, _: Any) -> None:
    # The head of a handshake record of 16,000 bytes, which then never completes.
    caller.drip(_record(), every_s=0.05)


def _record() -> Iterator[bytes]:
    yield b"\x16\x03\x03\x3e\x80\x02\x00\x3e\x7c"
    for _ in count():
        yield b"\x00"
