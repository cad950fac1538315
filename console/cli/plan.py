"""What the supervisor is to run, as it goes through the pipe from ``hookyard up`` to the program that replaces it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Part:
    """A process to keep running. *is_vital*: without it nothing can be served, so failing to start ends everything."""

    name: str
    command: tuple[str, ...]
    is_vital: bool = False
    hint: str = ""  # what may help when it does not start
    pass_fds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, and what to print once ``/healthz`` is answered at *address*.

    *store* is the embedded Valkey: the first to start and the last to stop, awake when *store_socket* says PONG.
    *host* is the Host header for asking.
    """

    parts: tuple[Part, ...]
    address: tuple[str, int]
    host: str
    announcements: tuple[str, ...] = ()
    store: Part | None = None
    store_socket: str = ""

    def to_json(self) -> bytes:
        """Write the plan as it goes through the pipe."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Plan:
        """Read a plan that ``to_json`` wrote."""
        value = json.loads(data)
        host, port = value["address"]
        return cls(
            parts=tuple(_part(part) for part in value["parts"]),
            address=(host, port),
            host=value["host"],
            announcements=tuple(value["announcements"]),
            store=_part(value["store"]) if value["store"] else None,
            store_socket=value["store_socket"],
        )


def _part(value: dict[str, Any]) -> Part:
    return Part(**{**value, "command": tuple(value["command"]), "pass_fds": tuple(value["pass_fds"])})
