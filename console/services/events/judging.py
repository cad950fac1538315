"""What filters and schemas say of payloads. That may take long, so it is found out between transactions.

SQLite has one writer: whoever applies an expression with its lock taken keeps all others waiting. So inside the
transaction that stores events the answers are only looked up; where one is missing the transaction is given up, the
missing ones are found, and it begins again. Without filters and schemas nothing of this happens.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from console.core.errors import FieldError, Refused
from console.core.filters import Reading, read
from console.core.schemas import Schema

T = TypeVar("T")

ROUNDS = 3
"""After so many beginnings, because hooks were changed meanwhile, what is still missing is found out on the spot."""

_UNKNOWN = Reading(passes=False)


class Undecided(Exception):
    """An answer is missing: let the judgements ``decide`` outside of the transaction, and begin again."""


class Judgement:
    """The answers for one payload; each is found once."""

    __slots__ = ("_faults", "_payload", "_read", "_readings", "_rounds")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._read = reader_of(payload)
        self._readings: dict[str, Reading | None] = {}
        self._faults: list[tuple[dict[str, Any], list[FieldError] | None]] = []  # at most one
        self._rounds = 0

    def read(self, expression: str) -> Reading:
        """Say what a filter makes of the payload; an answer that is missing is noted, and does not pass."""
        known = self._readings.setdefault(expression)
        if known is None and self._rounds >= ROUNDS:
            known = self._readings[expression] = self._read(expression)
        return known or _UNKNOWN

    def faults(self, schema: dict[str, Any]) -> list[FieldError]:
        """Say what of the payload breaks the schema of its type; an answer that is missing is noted, as no fault."""
        if not self._faults or self._faults[0][0] != schema:
            self._faults = [(schema, faults_of(self._payload, schema) if self._rounds >= ROUNDS else None)]
        return self._faults[0][1] or []

    @property
    def is_open(self) -> bool:
        """Whether an answer that was asked for is missing."""
        return None in self._readings.values() or any(found is None for _, found in self._faults)

    def decide(self) -> None:
        """Find what is missing."""
        self._rounds += 1
        for expression, known in self._readings.items():
            if known is None:
                self._readings[expression] = self._read(expression)
        self._faults = [
            (schema, faults_of(self._payload, schema) if found is None else found) for schema, found in self._faults
        ]


class Judgements:
    """The judgements of a batch of payloads, by their places in it; nothing is made for those nobody asks about."""

    def __init__(self, payloads: Sequence[bytes]) -> None:
        self._payloads = payloads
        self._made: dict[int, Judgement] = {}

    def of(self, place: int) -> Judgement:
        """Give the judgement of one payload."""
        made = self._made.get(place)
        if made is None:
            made = self._made[place] = Judgement(self._payloads[place])
        return made

    def require(self) -> None:
        """Raise Undecided unless all answers that were asked for are known."""
        if any(made.is_open for made in self._made.values()):
            raise Undecided

    def judged(self, commit: Callable[[], T]) -> T:
        """Store in one transaction; when filters or schemas have to be asked, that is done before another begins."""
        while True:
            try:
                return commit()
            except Undecided:
                for made in self._made.values():
                    made.decide()


def reader_of(payload: bytes) -> Callable[[str], Reading]:
    """Give what applies a filter to *payload*, which is parsed when the first filter asks."""
    parsed: list[Any] = []

    def read_it(expression: str) -> Reading:
        if not parsed:
            try:
                parsed.append(json.loads(payload))
            except (ValueError, RecursionError):
                return Reading(passes=False, problem="The payload has a number that is too large to read.")
        return read(expression, parsed[0])

    return read_it


def faults_of(payload: bytes, schema: dict[str, Any]) -> list[FieldError]:
    """Give what of *payload* breaks *schema*."""
    try:
        return Schema(schema, is_known_good=True).faults(json.loads(payload))
    except (ValueError, RecursionError):
        return [FieldError("", "schema_unchecked", "The payload has a number that is too large to check.")]
    except Refused as error:
        return [FieldError("", "schema_unchecked", error.message)]
