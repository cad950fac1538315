"""The web server as a process: kept-alive connections, few threads, many clients, the end."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.cli import commands

pytestmark = pytest.mark.slow

THREADS = 2
ASK = b"GET /healthz HTTP/1.1\r\nHost: hookyard.test\r\n\r\n"


class Server:
    """A web server with one process of two threads."""

    def __init__(self, folder: Path) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        os.set_inheritable(self.listener.fileno(), True)  # noqa: FBT003  the function has no other form
        environment = {"HOOKYARD_DATA": str(folder), "HOOKYARD_SECRET_KEY": "a key for tests that is long enough"}
        self.process = subprocess.Popen(
            commands.serve(self.listener.fileno(), processes=1, threads=THREADS),
            env=os.environ | environment,
            pass_fds=(self.listener.fileno(),),
            stderr=subprocess.DEVNULL,
        )

    def connect(self) -> socket.socket:
        return socket.create_connection(self.listener.getsockname(), timeout=20)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.process.kill()
    server.process.wait(10)
    server.listener.close()


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
