"""One `hookyard up` a data directory, and never beside processes of an earlier one that still finish.

Two locks (flock, so they end with their holders): the supervisor alone holds the first; its parts inherit the second.
When the first is free and the second is not, a supervisor was killed and its parts are finishing: waiting helps.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from console.core.errors import HookyardError

ORPHANS_END_WITHIN_S = 30.0


class DirectoryTakenError(HookyardError):
    """Another `hookyard up` uses the data directory."""

    code = "directory_taken"


def take(data: Path) -> tuple[int, int]:
    """Lock the data directory; return the descriptors of both locks. Raise DirectoryTakenError."""
    own = _open(data / "up.lock")
    if not _lock(own):
        raise DirectoryTakenError(
            f"Another `hookyard up` uses {data}: stop it first, or choose another directory with --data."
        )
    parts = _open(data / "parts.lock")
    deadline = time.monotonic() + ORPHANS_END_WITHIN_S
    while not _lock(parts):
        if time.monotonic() > deadline:
            raise DirectoryTakenError(f"Processes of an earlier `hookyard up` still use {data}: end them first.")
        time.sleep(0.05)  # flock can wait, but not with a limit
    return own, parts


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
