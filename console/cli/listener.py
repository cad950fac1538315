"""The web server's listening socket, bound before anything starts, and the question whether it is answered.

The supervisor holds the socket for as long as it lives: a port in use is noticed at once, and while a killed web server
is replaced, connections wait in the backlog instead of being refused.
"""

from __future__ import annotations

import errno
import socket

from console.core.errors import HookyardError

BACKLOG = 512


class PortError(HookyardError):
    """The address cannot be listened on."""

    code = "port"


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen on *host* (a name or an IP address) and *port* (0: any free one); raise PortError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PortError(f"{host} is no address to listen on: {error.strerror or error}.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortError(_why(error, host=host, port=port)) from error
    return listener


def _why(error: OSError, *, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is in use: stop what listens there, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this account: choose one from 1024 with --port."
    return f"{host}, port {port}, cannot be listened on: {error.strerror}."


def url_of(listener: socket.socket) -> str:
    """Give the URL at which a browser on this machine reaches *listener*."""
    host, port = reachable(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reachable(listener: socket.socket) -> tuple[str, int]:
    """Give the address to dial; for "all addresses" that is loopback."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104  compared, not bound


class Question:
    """A GET that has been asked and not been answered yet; ``select`` can wait for it."""

    def __init__(self, address: tuple[str, int], *, path: str, host: str) -> None:
        """Ask for *path*; *host* is the Host header. Raise OSError when nobody listens."""
        self._socket = socket.create_connection(address, timeout=1.0)
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        self._socket.settimeout(0)

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when there is an answer."""
        return self._socket.fileno()

    def is_ok(self) -> bool:
        """Say whether the answer is a 200, and hang up; a closed connection is none."""
        with self._socket:
            try:
                status_line = self._socket.recv(4096).split(b"\r\n", 1)[0]
            except OSError:
                return False
        return status_line.split(b" ")[1:2] == [b"200"]

    def close(self) -> None:
        """Hang up without waiting for the answer."""
        self._socket.close()


def is_awake(path: str) -> bool:
    """Say whether a Redis behind the Unix socket *path* answers PING with PONG (it does not while it loads)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(0.5)
        try:
            connection.connect(path)
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
