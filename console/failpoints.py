"""Failpoints: places where a test makes a process die, read once from HOOKYARD_FAILPOINTS; otherwise they do nothing.

``sent=kill9@3`` kills the process with SIGKILL the third time the place named *sent* is passed; without a number, the
first time. ``sending:ID=kill9`` counts only what concerns the delivery with that id. Several are separated by commas.
"""

from __future__ import annotations

import os
import re
import signal
from threading import Lock

# In the web process, and wherever else an event is published.
PUBLISHING = "publishing"
"""After the rows of events and deliveries were written, before their commit."""
PUBLISHED = "published"
"""After that commit, before the ring."""

# In a worker.
FANNING = "fanning"
"""After the rows of a large fan-out were written, before their commit."""
CLAIMED = "claimed"
"""After the claim was committed, before anything is sent."""
SENDING = "sending"
"""In a sender thread, right before the request."""
SENT = "sent"
"""After the answer, before it is recorded."""
RECORDED = "recorded"
"""After a batch of results was committed."""

NAMES = (PUBLISHING, PUBLISHED, FANNING, CLAIMED, SENDING, SENT, RECORDED)
_POINT = re.compile(rf"(?P<name>(?:{'|'.join(NAMES)})(?::[0-9a-f-]{{36}})?)=kill9(?:@(?P<count>[1-9][0-9]*))?")


class Failpoints:
    """The failpoints of a process; *spec* is the setting. A malformed one is a ValueError at start-up."""

    def __init__(self, spec: str = "") -> None:
        self._left: dict[str, int] = {}
        self._lock = Lock()
        for part in filter(None, (part.strip() for part in spec.split(","))):
            match = _POINT.fullmatch(part)
            if match is None:
                raise ValueError(f"HOOKYARD_FAILPOINTS: expected name=kill9@3, not {part!r}.")
            self._left[match["name"]] = int(match["count"] or 1)

    def hit(self, name: str, key: object = None) -> None:
        """Pass the place *name* on behalf of *key* (a delivery's id); may not return."""
        if not self._left:
            return
        self._count(name)
        if key is not None:
            self._count(f"{name}:{key}")

    def _count(self, name: str) -> None:
        with self._lock:
            if name not in self._left:
                return
            self._left[name] -= 1
            if self._left[name] <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


NO_FAILPOINTS = Failpoints()
