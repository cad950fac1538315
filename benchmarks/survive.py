"""Does anything get lost? The whole product under load, with processes killed while it works.

``hookyard up`` runs with three hooks: one is answered 200, one 500 twice before 200, one is disabled halfway and
enabled at the end. Events are published in batches over HTTP; meanwhile each kind of process (worker, web, Valkey) is
ended by kill -9. At the end the receiver's own log is held against the database, and every signature is verified.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import requests

PASSWORD = "a password for measurements"  # noqa: S105 of no use to anybody
BATCH = 500
PATIENCE_S = 240
KINDS = ("worker", "web", "valkey")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the run showed. ``lost`` and ``bad_signatures`` must be 0, ``duplicates`` at most ``bound``."""

    events: int
    kills: int
    seconds: float
    states: dict[str, int]
    receipts: int
    lost: int
    duplicates: int
    bound: int
    bad_signatures: int

    @property
    def is_good(self) -> bool:
        """Say whether every promise held."""
        return (
            self.lost == 0
            and self.bad_signatures == 0
            and self.duplicates <= self.bound
            and set(self.states) == {"delivered"}
            and self.states["delivered"] == 3 * self.events
        )


@dataclass
class Receiver:
    """Keeps the id of every request it answered 2xx, by path, and verifies every signature."""

    accepted: dict[str, Counter[str]] = field(default_factory=lambda: {path: Counter() for path in "abc"})
    failures: Counter[str] = field(default_factory=Counter)
    secrets: dict[str, str] = field(default_factory=dict)
    bad_signatures: int = 0
    lock: Lock = field(default_factory=Lock)

    def answer(self, path: str, message_id: str, timestamp: str, signatures: str, body: bytes) -> int:
        """Say which status a request gets: the hook b fails twice before it accepts."""
        good = self._is_signed(path, message_id, timestamp, signatures, body)
        with self.lock:
            self.bad_signatures += not good
            if path == "b" and self.failures[message_id] < 2:  # noqa: PLR2004 twice
                self.failures[message_id] += 1
                return 500
            self.accepted[path][message_id] += 1
            return 200

    def _is_signed(self, path: str, message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
        key = base64.b64decode(self.secrets[path].removeprefix("whsec_"))
        mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
        return f"v1,{base64.b64encode(mac).decode()}" in signatures.split()


@contextmanager
def listening(receiver: Receiver) -> Iterator[int]:
    """Run *receiver* on a free port of loopback; give the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            message_id, timestamp, signatures = (
                self.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
            )
            status = receiver.answer(self.path.strip("/"), message_id, timestamp, signatures, body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the killed hang up
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


class Product:
    """A running ``hookyard up`` and its API."""

    def __init__(self, data: Path, log: Path) -> None:
        self.environment = {
            **os.environ,
            "HOOKYARD_DATA": str(data),
            "HOOKYARD_ALLOW_NETS": "127.0.0.0/8",
            "HOOKYARD_WORKERS": "2",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console.cli", "up", "--port", "0"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=log.open("wb"),
            text=True,
        )
        assert self.process.stdout is not None  # noqa: S101 a pipe was asked for
        self.url = ""
        for line in self.process.stdout:
            if found := re.fullmatch(r"Hookyard is ready at (\S+)\n", line):
                self.url = found[1]
                break
        if not self.url:
            raise SystemExit(f"hookyard up ended: {log.read_text()}")
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {self._token()}"

    def _token(self) -> str:
        who = ["--username", "ada", "--email", "ada@example.com", "--organization", "acme", "--role", "admin"]
        self._command(["users", "create", *who, "--password-stdin"], stdin=PASSWORD)
        what = ["--user", "ada", "--organization", "acme", "--permission", "ADMIN", "--quiet"]
        return self._command(["tokens", "create", *what]).strip()

    def _command(self, words: Sequence[str], *, stdin: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "console.cli", *words],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def call(self, method: str, path: str, **options: object) -> requests.Response:
        """Call the API until it answers: while the web server is down or busy, a client tries again."""
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = self.session.request(method, f"{self.url}/api/v1{path}", timeout=30, **options)  # type: ignore[arg-type]
            except requests.ConnectionError:
                answer = None
            if answer is not None and answer.status_code < 500:  # noqa: PLR2004 server errors
                answer.raise_for_status()
                return answer
            if time.monotonic() > deadline:
                raise SystemExit(f"{method} {path} was not answered for a minute")
            time.sleep(0.2)

    def processes(self, kind: str) -> list[int]:
        """List the process numbers of one kind of child."""
        marks = {"worker": "-m workers", "web": "console.cli.serve", "valkey": "valkey-server"}
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (folder / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if marks[kind] in words and self.environment["HOOKYARD_DATA"] in words + environment:
                found.append(int(folder.name))
        return sorted(found)

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; give the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def run(*, events: int, folder: Path, say: Callable[[str], None] = lambda _line: None) -> Outcome:
    """Play the whole scenario in *folder*."""
    receiver = Receiver()
    with ExitStack() as stack:
        port = stack.enter_context(listening(receiver))
        product = Product(folder / "data", folder / "up.log")
        stack.callback(product.process.kill)
        say(f"running at {product.url}")
        hooks = {path: _make_hook(product, receiver, path, port) for path in "abc"}
        begun = time.monotonic()
        kills = _publish_and_kill(product, events, hooks, say)
        product.call("POST", f"/hooks/{hooks['c']}/enable")
        states = _wait_for_the_end(product, 3 * events)
        seconds = time.monotonic() - begun
        missing = sum(events - len(seen) for seen in receiver.accepted.values())
        outcome = Outcome(
            events=events,
            kills=kills,
            seconds=round(seconds, 1),
            states=states,
            receipts=sum(sum(seen.values()) for seen in receiver.accepted.values()),
            lost=missing,
            duplicates=sum(sum(seen.values()) - len(seen) for seen in receiver.accepted.values()),
            bound=kills * (16 + 64),
            bad_signatures=receiver.bad_signatures,
        )
        product.stop()
    return outcome


def _make_hook(product: Product, receiver: Receiver, path: str, port: int) -> str:
    made = product.call(
        "POST",
        "/hooks",
        json={
            "url": f"http://127.0.0.1:{port}/{path}",
            "all_events": True,
            "retry": {"kind": "fixed", "seconds": 1, "attempts": 20},
        },
    ).json()
    receiver.secrets[path] = made["secret"]
    return str(made["id"])


def _publish_and_kill(product: Product, events: int, hooks: dict[str, str], say: Callable[[str], None]) -> int:
    """Publish in batches; after each sixth of them one kind of process dies, halfway hook c is disabled."""
    batches = -(-events // BATCH)
    kills = 0
    for index in range(batches):
        size = min(BATCH, events - index * BATCH)
        batch = [{"type": "order.paid", "id": f"{index}-{n}", "payload": {"batch": index, "n": n}} for n in range(size)]
        product.call("POST", "/events/batch", json={"events": batch})
        if index == batches // 2:
            product.call("POST", f"/hooks/{hooks['c']}/disable")
        due = (index + 1) * len(KINDS) // batches
        while kills < due:
            victim = product.processes(KINDS[kills])[-1]
            os.kill(victim, signal.SIGKILL)
            say(f"killed {KINDS[kills]} {victim} after {index + 1} of {batches} batches")
            kills += 1
    return kills


def _wait_for_the_end(product: Product, expected: int) -> dict[str, int]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        states = _states(product)
        if states.get("delivered") == expected or time.monotonic() > deadline:
            return states
        time.sleep(0.5)


def _states(product: Product) -> dict[str, int]:
    """Count deliveries by state, from the database's file: the API does not count logs."""
    import sqlite3  # noqa: PLC0415

    with sqlite3.connect(Path(product.environment["HOOKYARD_DATA"]) / "hookyard.sqlite3", timeout=10) as connection:
        return dict(connection.execute("SELECT state, count(*) FROM deliveries GROUP BY state"))


def main(arguments: Sequence[str]) -> int:
    """Run as the command line says; exit 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks survive", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--events", type=int, default=10_000, help="events to publish (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hookyard-survive-"))
    outcome = run(events=options.events, folder=folder, say=lambda line: print(line, file=sys.stderr))
    print(json.dumps({**asdict(outcome), "is_good": outcome.is_good}, indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if outcome.is_good else 1
