"""Connections in turn: whose share each takes, and how long each may take."""

from __future__ import annotations

import select
import selectors
import socket
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config

from console.cli.connections import Connection, Stage
from console.cli.turns import Turns
from console.cli.web_worker import WebWorker

PEER = ("198.51.100.7", 40000)


@pytest.fixture
def ends() -> Iterator[tuple[Connection, socket.socket]]:
    """A connection, and its client."""
    configuration = Config()
    configuration.set("forwarded_allow_ips", "")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _peer = listener.accept()
    with closing(client), closing(accepted):
        yield Connection(configuration, accepted, PEER), client


@pytest.fixture
def worker() -> Iterator[Any]:
    """A worker behind one proxy whose turns the test takes."""
    worker: Any = WebWorker.__new__(WebWorker)  # without the process that Gunicorn makes of it
    worker.app = SimpleNamespace(proxy_hops=1)
    worker._waiting, worker._unfinished, worker._ready = {}, {}, Turns()
    worker._busy = worker._buffered = 0
    with closing(selectors.DefaultSelector()) as worker._poller:
        yield worker


def test_each_wait_has_a_time_of_its_own_even_when_it_is_for_the_same(ends: tuple[Connection, Any]) -> None:
    """A publisher that sends one large body after the other is not late because of the first."""
    connection, _client = ends
    connection.enter(Stage.BODY)
    connection.since -= 100
    before = connection.deadline

    connection.enter(Stage.BODY)

    assert connection.deadline > before + 99


def test_a_connection_of_a_proxy_takes_the_share_of_whom_it_serves_now(
    ends: tuple[Connection, socket.socket], worker: Any
) -> None:
    connection, client = ends
    worker._wait(connection, Stage.IDLE)

    def send(text: bytes) -> None:
        client.sendall(text)
        select.select([connection.socket], [], [], 5)
        worker._read(connection)

    shares = []
    for who in (b"192.0.2.1", b"192.0.2.2"):
        send(b"POST / HTTP/1.1\r\n")
        send(b"Host: x\r\nX-Forwarded-For: %s\r\nContent-Length: 2\r\n\r\n{" % who)
        shares.append({name: len(share) for name, share in worker._unfinished.items()})
        send(b"}")
        worker._go_on(connection)  # as when a thread has answered
    worker._close(connection)

    assert shares == [{"192.0.2.1": 1}, {"192.0.2.2": 1}]
    assert worker._unfinished == {}
