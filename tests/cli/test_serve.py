"""The web server as a process: kept-alive connections, few threads, many clients, the end."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest

from console.cli import commands
from console.cli.connections import HEAD_S, IDLE_S, SLOW_S
from console.cli.web_worker import MOST_UNFINISHED

pytestmark = pytest.mark.slow

THREADS = 2
ASK = b"GET /healthz HTTP/1.1\r\nHost: hookyard.test\r\n\r\n"


class Server:
    """A web server with one process of two threads."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        os.set_inheritable(self.listener.fileno(), True)  # noqa: FBT003  the function has no other form
        environment = {"HOOKYARD_DATA": str(folder), "HOOKYARD_SECRET_KEY": "a key for tests that is long enough"}
        self.process = subprocess.Popen(
            commands.serve(self.listener.fileno(), processes=1, threads=THREADS),
            env=os.environ | environment | settings,
            pass_fds=(self.listener.fileno(),),
            stderr=subprocess.DEVNULL,
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname(), timeout=20)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(Server(tmp_path)) as server:
        yield server


@pytest.fixture
def behind_proxy(tmp_path: Path) -> Iterator[Server]:
    with running(Server(tmp_path, HOOKYARD_PROXY_HOPS="1")) as server:
        yield server


@contextmanager
def running(server: Server) -> Iterator[Server]:
    assert_is_read(server)
    yield server
    server.process.kill()
    server.process.wait(10)
    server.listener.close()


def asked_for(who: str, *, path: str = "/healthz") -> bytes:
    """Return a request that a proxy forwards."""
    lines = [f"GET {path} HTTP/1.1", "Host: hookyard.test", "Content-Length: 0", f"X-Forwarded-For: {who}"]
    return "\r\n".join([*lines, "", ""]).encode()


def answers(connection: socket.socket, count: int) -> bytes:
    """Read so many answers."""
    text = b""
    while text.count(b'{"status":"ok"}') < count:
        data = connection.recv(65536)
        assert data, f"the connection was closed after {text!r}"
        text += data
    return text


def test_a_connection_is_answered_again_and_again(server: Server) -> None:
    with closing(server.connect()) as connection:
        for _ in range(20):
            connection.sendall(ASK)
            assert answers(connection, 1).startswith(b"HTTP/1.1 200")


def test_requests_sent_together_are_all_answered(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(ASK * 5)

        assert answers(connection, 5).count(b"HTTP/1.1 200") == 5


def test_more_open_connections_than_threads_hold_up_nobody(server: Server) -> None:
    open_ones = [server.connect() for _ in range(6)]
    for connection in open_ones:
        connection.sendall(ASK)
    for connection in open_ones:
        answers(connection, 1)

    for connection in (*open_ones, server.connect()):
        connection.sendall(ASK)
        answers(connection, 1)
        connection.close()


def test_a_client_that_stays_connected_does_not_hold_up_the_end(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(ASK)
        answers(connection, 1)
        begun = time.monotonic()

        server.process.terminate()

        assert server.process.wait(10) == 0
        assert time.monotonic() - begun < 8


def everything(connection: socket.socket) -> bytes:
    """Read until the server hangs up."""
    text = b""
    while data := connection.recv(65536):
        text += data
    return text


POST = b"POST /api/v1/events HTTP/1.1\r\nHost: hookyard.test\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"GARBAGE \x00\xff\r\n\r\n", 400, b"no HTTP request"),
        (b"GET /healthz HTTP/1.1\nHost: x\n\n", 400, b"no HTTP request"),
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400, b"no HTTP request"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nmany\r\n", 400, b"no HTTP request"),
        (POST + b"Content-Length: 99999999\r\n\r\n", 413, b"16 MiB at most"),
        (b"GET /" + b"a" * 9000, 414, b"8190 bytes at most"),
        (POST + b"Expect: miracles\r\n\r\n", 417, b"100-continue"),
        (POST + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431, b"head"),
        (POST + b"Transfer-Encoding: zip, chunked\r\n\r\n", 501, b"chunked"),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501, b"chunked"),
        (POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", 501, b"chunked"),
    ],
)
def test_what_cannot_be_read_is_refused_in_plain_words(server: Server, sent: bytes, status: int, words: bytes) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(ASK + sent)
        text = everything(connection)

    answers_ = text.split(b"HTTP/1.1 ")
    assert [int(one[:3]) for one in answers_[1:]] == [200, status]
    assert words in answers_[2]
    assert b"Connection: close" in answers_[2]


def test_a_client_that_asks_whether_to_continue_is_told_to_and_then_answered(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        text = everything(connection)

    assert text.startswith(b"HTTP/1.1 401 ")
    assert b"100 Continue" not in text


def test_a_body_that_the_app_does_not_read_is_not_taken_for_the_next_request(server: Server) -> None:
    inner = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
    with closing(server.connect()) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner + ASK)

        assert answers(connection, 2).count(b"HTTP/1.1 ") == 2


def test_head_has_the_head_of_get_and_no_body(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.sendall(ASK.replace(b"GET", b"HEAD") + ASK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        head, _, rest = everything(connection).partition(b"\r\n\r\n")

    assert b"Content-Length: 16" in head
    assert b"\r\nDate: " in head
    assert rest.startswith(b"HTTP/1.1 200 ")


def test_whoever_sends_half_a_request_or_reads_no_answer_holds_no_thread(server: Server) -> None:
    halves = [ASK[:-2], POST + b"Content-Length: 9\r\n\r\n{", POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nh", b""]
    large = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 60
    strangers = [server.connect() for _ in range(4 * THREADS)]
    for index, connection in enumerate(strangers):
        connection.sendall(halves[index % len(halves)])
    readers = [server.connect() for _ in range(2 * THREADS)]
    for connection in readers:
        connection.sendall(large)

    with closing(server.connect()) as connection:
        for _ in range(20):
            connection.sendall(ASK)
            answers(connection, 1)
    for connection in (*strangers, *readers):
        connection.close()


def test_a_slow_reader_gets_all_of_its_answers_in_the_end(server: Server) -> None:
    ask = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with closing(server.connect()) as connection:
        connection.sendall(ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        one = everything(connection)
    with closing(server.connect()) as connection:
        connection.sendall(ask * 80 + ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert_is_read(server)
        text = everything(connection)

    assert text.count(b"HTTP/1.1 200") == 81
    assert text.count(one.partition(b"\r\n\r\n")[2]) == 81


def test_a_request_that_does_not_come_has_a_deadline(server: Server) -> None:
    cases = [
        (ASK[:-2], HEAD_S, b"HTTP/1.1 408 "),
        (b"", IDLE_S, b""),
        (POST + b"Content-Length: 9\r\n\r\n{", SLOW_S, b"HTTP/1.1 408 "),
    ]
    begun = time.monotonic()
    with ExitStack() as stack:
        connections = [stack.enter_context(closing(server.connect())) for _ in cases]
        for connection, (sent, _, _) in zip(connections, cases, strict=True):
            connection.settimeout(60)
            connection.sendall(sent)
        for connection, (_, within_s, status) in zip(connections, cases, strict=True):
            text = everything(connection)

            assert text.startswith(status)
            assert bool(text) == bool(status)
            assert within_s - 1 < time.monotonic() - begun < within_s + 5


def test_a_request_that_trickles_in_does_not_put_its_deadline_off(server: Server) -> None:
    with closing(server.connect()) as connection:
        connection.settimeout(1)
        begun = time.monotonic()
        connection.sendall(ASK[:-2])
        text = b""
        while not text and time.monotonic() < begun + 30:
            with suppress(TimeoutError):
                text = connection.recv(65536)
            connection.sendall(b"X: 1\r\n")

    assert text.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - begun < 15


def test_one_address_has_a_share_of_unfinished_requests_and_the_oldest_go_first(server: Server) -> None:
    strangers = [server.connect() for _ in range(MOST_UNFINISHED + 10)]
    for connection in strangers:
        connection.sendall(ASK[:-2])
        assert_is_read(server)

    for connection in strangers[:10]:
        assert everything(connection).startswith(b"HTTP/1.1 408 ")
        connection.close()
    for connection in strangers[10:]:
        connection.sendall(b"\r\n")
        answers(connection, 1)
        connection.close()


def assert_is_read(server: Server) -> None:
    """Ask for something else: its answer comes after what was sent before has been read."""
    with closing(server.connect()) as connection:
        connection.sendall(ASK)
        answers(connection, 1)


def test_what_is_under_way_at_the_end_is_answered_and_halves_are_not_waited_for(server: Server) -> None:
    half, whole = server.connect(), server.connect()
    whole.sendall(ASK)
    answers(whole, 1)
    half.sendall(ASK[:-2])
    assert_is_read(server)
    begun = time.monotonic()

    server.process.terminate()
    whole.sendall(ASK)

    assert b"Connection: close" in everything(whole)
    assert server.process.wait(10) == 0
    assert time.monotonic() - begun < 5
    half.close()
    whole.close()


def test_who_asks_once_does_not_wait_behind_a_flood_of_somebody_else(behind_proxy: Server) -> None:
    flood = [behind_proxy.connect() for _ in range(100)]
    for connection in flood:
        connection.sendall(asked_for("203.0.113.7", path="/api/v1/openapi.json") * 5)
    with closing(behind_proxy.connect()) as connection:
        connection.sendall(asked_for("198.51.100.1"))
        answers(connection, 1)

    assert sum(is_answered(connection) for connection in flood) < len(flood) / 2
    for connection in flood:
        connection.close()


def is_answered(connection: socket.socket) -> bool:
    connection.setblocking(False)  # noqa: FBT003  the function has no other form
    try:
        return bool(connection.recv(1))
    except BlockingIOError:
        return False


def test_a_connection_of_a_proxy_counts_for_nobody_who_had_it_before(behind_proxy: Server) -> None:
    """A proxy sends the requests of many on one connection: who sends the next one is not known before its head."""
    connections = [behind_proxy.connect() for _ in range(MOST_UNFINISHED + 5)]
    for connection in connections:
        head = asked_for("203.0.113.7").replace(b"Length: 0", b"Length: 1\r\nExpect: 100-continue")
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b".")
        answers(connection, 1)
    for connection in connections:
        connection.sendall(ASK[:-2])
    for _ in range(2):
        assert_is_read(behind_proxy)

    for connection in connections:
        connection.sendall(b"\r\n")
        answers(connection, 1)
        connection.close()
