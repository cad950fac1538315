"""Neighbours: the other workers whose processes this one can see, so that their deaths are noticed at once.

A beat says that a worker lives; its silence says only after seconds that it died. The kernel knows at once.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path


@cache
def pid_space() -> str | None:
    """Return what identifies the processes that a pid names here: this boot of this host and this container.

    None where the kernel does not tell (macOS): host names alone may be shared by containers that do not see each
    other's processes. None too where /proc shows the processes of another container.
    """
    try:
        if Path("/proc/self").readlink() != Path(str(os.getpid())):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()[:100]} {boot} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return None


def ended(pids: Mapping[int, int]) -> list[int]:
    """Return the numbers of those workers in *pids* (by number) whose process is no more."""
    return [number for number, pid in pids.items() if not _exists(pid)]


def _exists(pid: int) -> bool:
    """Return whether a process has that pid: a zombie has ended, and somebody else's is there.

    The kernel is asked, not /proc: that may hide the processes of other accounts (``hidepid``, ``ProtectProc=``), or
    show those of another container. It is only believed about a zombie, which nothing else tells.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}
