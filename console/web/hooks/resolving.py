"""Whether a host name is known to the DNS right now: a hint for whoever saves a hook, no condition."""

from __future__ import annotations

import socket
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Thread

from console.core.targets import Target
from console.extensions import collaborators

PATIENCE_S = 1.0
"""So long somebody who saves a hook may be kept waiting; getaddrinfo has no limit of its own."""
_UNKNOWN = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
MOST_AT_A_TIME = 4
"""Lookups that hang keep a thread each until the system's resolver lets go."""
_asking = BoundedSemaphore(MOST_AT_A_TIME)

lookup = socket.getaddrinfo


def is_unknown(target: Target) -> bool:
    """Say whether the DNS knows no such name; what cannot be found out in a moment counts as known."""
    if target.is_bin:
        return False
    if not _asking.acquire(blocking=False):
        return False
    answers: SimpleQueue[bool] = SimpleQueue()
    try:
        Thread(target=lambda: answers.put(_ask(target)), daemon=True).start()
    except RuntimeError:  # the system gives no more threads
        _asking.release()
        return False
    with collaborators().waits.one() as may_wait:
        try:
            return answers.get(timeout=PATIENCE_S if may_wait else 0)
        except Empty:
            return False


def _ask(target: Target) -> bool:
    try:
        lookup(target.host.strip("[]"), target.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        return error.errno in _UNKNOWN
    except (OSError, UnicodeError):
        return False
    else:
        return False
    finally:
        _asking.release()
