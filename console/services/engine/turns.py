"""Turns: a hook's right to be served, a slot at a time; whoever holds one may send for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from console.database import dialect_of
from console.services.queries import listing
from console.services.work import Work

Key = tuple[int, int]
"""A turn: number of the hook, slot."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What a worker holds of a turn already: rows that wait and requests in flight."""

    waiting: int
    in_flight: int


_HOLD = """
UPDATE turns SET worker_number = :worker, served_at = :now WHERE slot = :slot AND hook_number IN :hooks"""
_FREE = """
UPDATE turns SET worker_number = NULL
WHERE worker_number = :worker AND slot = :slot AND hook_number IN :hooks"""


def hold(work: Work, *, worker: int, turns: Iterable[Key]) -> None:
    """Take turns that were found free or the worker's own, inside the caller's transaction."""
    for slot, hooks in _by_slot(turns).items():
        statement = listing(dialect_of(work.session), _HOLD)
        work.session.execute(statement, {"worker": worker, "now": work.now(), "slot": slot, "hooks": hooks})


def free(work: Work, *, worker: int, turns: Iterable[Key]) -> None:
    """Let go of turns, inside the caller's transaction."""
    for slot, hooks in _by_slot(turns).items():
        statement = listing(dialect_of(work.session), _FREE)
        work.session.execute(statement, {"worker": worker, "slot": slot, "hooks": hooks})


def _by_slot(turns: Iterable[Key]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for hook, slot in turns:
        found[slot].append(hook)
    return found
