"""Which of our own files other accounts of the host may read, and how to close them.

Every command creates files for its own account alone (umask 077 in ``console.cli.main``). This is for what an earlier
version, a backup that was restored, or an administrator's ``mkdir`` left open.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from console.checks import sqlite_file
from console.settings import SECRET_KEY_FILE, Settings

OTHERS = 0o077
"""The permissions of the group and of everybody else: on many systems all people share one group."""
LOCKS = ("up.lock", "parts.lock")


def open_to_others(settings: Settings) -> list[Path]:
    """Return the data directory and those of our files that another account may use."""
    return [path for path in (settings.data, *_files(settings)) if _mode(path) & OTHERS]


def close(settings: Settings) -> None:
    """Take the permissions of other accounts from those of our files that this account owns.

    The data directory itself keeps its permissions: it may hold more than our files.
    """
    for path in _files(settings):
        mode = _mode(path)
        if mode & OTHERS and path.stat().st_uid == os.getuid():
            path.chmod(mode & ~OTHERS)


def remedy(paths: Sequence[Path]) -> str:
    """Return the shell command that closes *paths*."""
    return shlex.join(["chmod", "go-rwx", *map(str, paths)])


def _files(settings: Settings) -> Iterator[Path]:
    data, database = settings.data, sqlite_file(settings)
    yield from (data / name for name in (SECRET_KEY_FILE, *LOCKS))
    if database is not None:
        # SQLite gives the two files beside a database its permissions, but only when it makes them.
        yield from (database, *(database.with_name(database.name + ending) for ending in ("-wal", "-shm")))
    store = data / "valkey"
    if os.access(store, os.X_OK):
        yield from (store, *store.rglob("*"))


def _mode(path: Path) -> int:
    """Return the permission bits; 0 when there is no such file, or none that this account may look at."""
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0
