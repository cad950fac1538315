"""A receiver that keeps the books: every request that it read whole, in order, with its signature verified."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Receipt:
    """One request: *path* is its hook, *id* the ``webhook-id``, *n* the number in its payload, *at* monotonic seconds.

    *is_signed*: the signature holds for the very bytes that came, with the hook's secret. *status* is the answer.
    """

    path: str
    id: str
    n: int | None
    is_signed: bool
    status: int
    at: float
    timestamp: int


class Ledger:
    """Listens on *host*; answers what *answer* says (200), after *delay* seconds and not before its *gate* is open.

    *secrets* has the signing secret of each hook by path; a request of a path without one counts as unsigned.
    """

    def __init__(
        self,
        answer: Callable[[str, str], int] = lambda _path, _id: 200,
        *,
        delay: Callable[[], float] = float,
        host: str = "127.0.0.1",
    ) -> None:
        self.answer = answer
        self.delay = delay
        self.secrets: dict[str, str] = {}
        self.receipts: list[Receipt] = []
        self.gate = Event()
        self.gate.set()
        self._lock = Lock()
        self._server = _Server(self, host=host)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def url(self, path: str) -> str:
        """Give the URL of a hook."""
        return f"http://{self._server.server_address[0]!s}:{self._server.server_port}/{path}"

    def ids(self, path: str | None = None) -> list[str]:
        """Give the ids that came, in order, repetitions included."""
        return [one.id for one in list(self.receipts) if path is None or one.path == path]

    def read(self, path: str, headers: Any, body: bytes) -> int:
        """Enter a request and give the status that it is to be answered."""
        message_id, timestamp = headers["webhook-id"] or "", headers["webhook-timestamp"] or "0"
        signatures, secret = headers["webhook-signature"], self.secrets.get(path, "")
        is_signed = is_signed_with(secret, message_id, timestamp, signatures, body)
        status = self.answer(path, message_id)
        receipt = Receipt(path, message_id, _number_in(body), is_signed, status, time.monotonic(), int(timestamp))
        with self._lock:
            self.receipts.append(receipt)
        return status


def is_signed_with(secret: str, message_id: str, timestamp: str, signatures: str | None, body: bytes) -> bool:
    """Verify as Standard Webhooks says, with nothing of the sender's own code."""
    if not secret:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode()}" in (signatures or "").split()


def _number_in(body: bytes) -> int | None:
    try:
        return int(json.loads(body)["data"]["n"])
    except (ValueError, KeyError, TypeError):
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, ledger: Ledger, *, host: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = ledger.read(self.path.strip("/"), self.headers, body)
                ledger.gate.wait(60)
                time.sleep(ledger.delay())
                with suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 %d Answer\r\nContent-Length: 0\r\n\r\n" % status)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__((host, 0), Handler)

    def handle_error(self, *_: object) -> None:
        """Say nothing: those that are killed hang up."""
