"""A receiver on a real socket: keeps every request, answers as told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, Self

OK = (200, {}, b"ok")
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Receipt:
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """*answer* may be an answer, or a function from a receipt to one; *gate* holds answers back while it is closed."""

    answer: Answer | Callable[[Receipt], Answer] = OK
    receipts: list[Receipt] = field(default_factory=list)
    gate: Event = field(default_factory=Event)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> Self:
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                receiver._handle(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # workers that die hang up
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def ids(self) -> list[str]:
        return [receipt.id for receipt in list(self.receipts)]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        receipt = Receipt(handler.command, handler.path, headers, body)
        with self._lock:
            self.receipts.append(receipt)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.gate.wait(30)
            status, extra, content = self.answer(receipt) if callable(self.answer) else self.answer
            with suppress(OSError):
                handler.send_response(status)
                for name, value in {**extra, "Content-Length": str(len(content))}.items():
                    handler.send_header(name, value)
                handler.end_headers()
                handler.wfile.write(content)
        finally:
            with self._lock:
                self._at_once -= 1
