"""A publisher that costs next to nothing: a request made once, sent again and again over one kept-alive connection."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from benchmarks.product import Product

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length: "


class Publisher:
    """One connection to the API of a product. Any answer but 200 and 202 is an error."""

    def __init__(self, product: Product) -> None:
        place = urlsplit(product.url)
        self._host = place.netloc
        self._authorization = product.session.headers["Authorization"]
        self._socket = socket.create_connection((place.hostname or "", place.port or 80), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, path: str, body: bytes) -> bytes:
        """Write a request down."""
        lines = [
            f"POST /api/v1{path} HTTP/1.1",
            f"Host: {self._host}",
            f"Authorization: {self._authorization!s}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + END_OF_HEAD + body

    def send(self, request: bytes) -> None:
        """Send a request and wait for its answer."""
        self._socket.sendall(request)
        text = self._socket.recv(65536)
        while (end := text.find(END_OF_HEAD)) < 0:
            text += self._more()
        head = text[:end].lower()
        length = int(head[head.index(LENGTH) + len(LENGTH) :].split(b"\r\n", 1)[0])
        while len(text) < end + len(END_OF_HEAD) + length:
            text += self._more()
        if not text.startswith((b"HTTP/1.1 202", b"HTTP/1.1 200")):
            raise SystemExit(f"An event was not accepted: {text[:500]!r}")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _more(self) -> bytes:
        data = self._socket.recv(262144)
        if not data:
            raise SystemExit("The web server hung up.")
        return data
