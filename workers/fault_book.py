"""How a fault is entered among all of them: by name, with what it does in one sentence.

Most of them say one thing, or one thing for ever; the others are functions of their own. ``faults`` has them all.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import Any, Literal

from workers.fault_server import Caller, Fault

FAULTS: dict[str, Fault] = {}
"""All faults by name, harmless ones first; filled by ``faults``."""

_Behaviour = Callable[[Caller, Any], None]


def fault(
    name: str,
    description: str,
    *,
    scope: Literal["request", "connection", "none"] = "connection",
    argument: str = "",
    parse: Callable[[str], Any] = str,
    is_harmless: bool = False,
    tls: str | None = None,
) -> Callable[[_Behaviour], _Behaviour]:
    """Register a behaviour under *name*."""

    def register(behave: _Behaviour) -> _Behaviour:
        FAULTS[name] = Fault(name, description, behave, scope, argument, parse, is_harmless, tls)
        return behave

    return register


def answers(name: str, description: str, status: str, *headers: str, body: bytes = b"ok") -> None:
    """Register a harmless fault that gives one fixed, well-formed answer to every request."""

    def behave(caller: Caller, _: Any) -> None:
        caller.answer(status, body=body, headers=headers)

    fault(name, description, scope="request", is_harmless=True)(behave)


def says(name: str, description: str, data: bytes | Callable[[], bytes]) -> None:
    """Register a fault that reads the request, sends *data* as it is and closes."""

    def behave(caller: Caller, _: Any) -> None:
        caller.read_request()
        caller.say(data() if callable(data) else data)

    fault(name, description)(behave)


def repeats(name: str, description: str, start: bytes, piece: bytes, *, every_s: float = 0.0) -> None:
    """Register a fault that reads the request, sends *start*, and then *piece* for ever."""

    def behave(caller: Caller, _: Any) -> None:
        caller.read_request()
        caller.say(start)
        caller.drip(repeat(piece), every_s=every_s)

    fault(name, description)(behave)
