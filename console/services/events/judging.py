"""What filters and schemas say of payloads. That may take long, so it is found out between transactions.

SQLite has one writer: whoever applies an expression with its lock taken keeps all others waiting. So inside the
transaction that stores events the answers are only looked up; where one is missing the transaction is given up, the
missing ones are found, and it begins again. Without filters and schemas nothing of this happens.

All answers of one request share a ``Budget`` of processor time. When it is spent, the schemas that were not checked
refuse their payloads. The filters that were not applied are left to the workers, so nothing is lost.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from console.core.errors import FieldError, Refused
from console.core.filters import Reading, read, values_read
from console.core.schema_bounds import LONGEST_S
from console.core.schemas import Schema

T = TypeVar("T")

ROUNDS = 3
"""After so many beginnings, because hooks were changed meanwhile, what is still missing is found out on the spot."""

REQUEST_S = 3.0
"""Seconds of processor time that the filters and schemas of one request to publish may take together."""

PAGE_S = 1.0
"""The same for a page that tries filters, and for a step of a replay."""

_UNKNOWN = Reading(passes=True)  # until it is applied, the hook may get the event
_NOT_CHECKED = (
    f"This payload was not checked: the schemas and filters of one request may take {REQUEST_S:g} seconds of processor "
    "time together. Send fewer events in a batch."
)


class Undecided(Exception):
    """An answer is missing: let the judgements ``decide`` outside of the transaction, and begin again."""


class Budget:
    """Seconds of processor time that filters and schemas may take together, whichever thread spends them.

    The last one to begin may exceed it: by 50 ms for a filter, by the time that is needed to read a schema.
    """

    __slots__ = ("_left",)

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    @property
    def left(self) -> float:
        """Return how many seconds are left, 0 or less when it is spent."""
        return self._left

    @property
    def is_spent(self) -> bool:
        """Return whether nothing is left."""
        return self._left <= 0

    def refill(self, seconds: float) -> None:
        """Begin again with *seconds*."""
        self._left = seconds

    @contextmanager
    def spending(self) -> Iterator[None]:
        """Charge the processor time of this thread within."""
        began = time.thread_time()
        try:
            yield
        finally:
            self._left -= time.thread_time() - began


class Reader:
    """Applies filters to one payload, which is parsed when the first one asks; each filter is applied once."""

    __slots__ = ("_parsed", "_payload", "_readings")

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._parsed: list[Any] = []  # at most one
        self._readings: dict[str, Reading] = {}

    def __call__(self, expression: str) -> Reading:
        """Return what a filter makes of the payload; what cannot be read does not pass, with a problem."""
        known = self._readings.get(expression)
        if known is None:
            known = self._readings[expression] = self._read(expression)
        return known

    def _read(self, expression: str) -> Reading:
        try:
            payload = self._payload_read()
        except (ValueError, RecursionError):
            return Reading(passes=False, problem="The payload has a number that is too large to read.")
        return read(expression, payload)

    def values(self, expression: str) -> list[tuple[str, str]]:
        """Return the paths of a filter with their values, as ``filters.values_read`` does."""
        try:
            return values_read(expression, self._payload_read())
        except (ValueError, RecursionError):
            return []

    def _payload_read(self) -> Any:
        if not self._parsed:
            self._parsed.append(json.loads(self._payload))
        return self._parsed[0]


class Judgement:
    """The answers for one payload; each is found once."""

    __slots__ = ("_budget", "_faults", "_payload", "_reader", "_readings", "_rounds")

    def __init__(self, payload: bytes, budget: Budget) -> None:
        self._payload = payload
        self._budget = budget
        self._reader = Reader(payload)
        self._readings: dict[str, Reading | None] = {}
        self._faults: list[tuple[dict[str, Any], list[FieldError] | None]] = []  # at most one
        self._rounds = 0

    def read(self, expression: str) -> Reading:
        """Return what a filter makes of the payload; an answer that is missing is noted, and passes."""
        known = self._readings.setdefault(expression)
        if known is None and self._rounds >= ROUNDS:
            known = self._apply(expression)
        return known or _UNKNOWN

    def faults(self, schema: dict[str, Any]) -> list[FieldError]:
        """Return what of the payload breaks the schema of its type; an answer that is missing is noted, as no fault."""
        if not self._faults or self._faults[0][0] != schema:
            is_late = self._rounds >= ROUNDS or self._budget.is_spent
            self._faults = [(schema, faults_of(self._payload, schema, self._budget) if is_late else None)]
        return self._faults[0][1] or []

    @property
    def is_open(self) -> bool:
        """Whether an answer that was asked for is missing."""
        return None in self._readings.values() or any(found is None for _, found in self._faults)

    def check_schemas(self) -> None:
        """Find the faults that are missing."""
        self._faults = [
            (schema, faults_of(self._payload, schema, self._budget) if found is None else found)
            for schema, found in self._faults
        ]

    def apply_filters(self) -> None:
        """Find the readings that are missing, as many as the budget allows."""
        self._rounds += 1
        for expression, known in self._readings.items():
            if known is None:
                self._apply(expression)

    def _apply(self, expression: str) -> Reading | None:
        if self._budget.is_spent:
            return None
        with self._budget.spending():
            found = self._readings[expression] = self._reader(expression)
        return found


class Judgements:
    """The judgements of a batch of payloads, by their places in it; nothing is made for those nobody asks about."""

    def __init__(self, payloads: Sequence[bytes], budget: Budget) -> None:
        self._payloads = payloads
        self._budget = budget
        self._made: dict[int, Judgement] = {}

    def of(self, place: int) -> Judgement:
        """Return the judgement of one payload."""
        made = self._made.get(place)
        if made is None:
            made = self._made[place] = Judgement(self._payloads[place], self._budget)
        return made

    def require(self) -> None:
        """Raise Undecided unless all answers that were asked for are known, or the budget is spent."""
        if not self._budget.is_spent and any(made.is_open for made in self._made.values()):
            raise Undecided

    def is_open(self, place: int) -> bool:
        """Return whether filters were not applied to a payload because the budget is spent."""
        made = self._made.get(place)
        return made is not None and made.is_open

    def judged(self, commit: Callable[[], T]) -> T:
        """Store in one transaction; when filters or schemas have to be asked, that is done before another begins.

        Schemas come first: what they do not allow is refused, and what filters do not decide can wait.
        """
        while True:
            try:
                return commit()
            except Undecided:
                for made in self._made.values():
                    made.check_schemas()
                for made in self._made.values():
                    made.apply_filters()


def faults_of(payload: bytes, schema: dict[str, Any], budget: Budget) -> list[FieldError]:
    """Return what of *payload* breaks *schema*: ``schema_unchecked`` if *budget* leaves no time to find out."""
    if budget.is_spent:
        return [FieldError("", "schema_unchecked", _NOT_CHECKED)]
    with budget.spending():
        try:
            seconds = min(budget.left, LONGEST_S)
            found = _schema_of(json.dumps(schema)).faults(json.loads(payload), most_s=seconds)
        except (ValueError, RecursionError):
            return [FieldError("", "schema_unchecked", "The payload has a number that is too large to check.")]
        except Refused as error:
            return [FieldError("", "schema_unchecked", error.message)]
    if seconds < LONGEST_S and any(one.code == "schema_unchecked" for one in found):
        return [FieldError("", "schema_unchecked", _NOT_CHECKED)]
    return found


@lru_cache(maxsize=32)
def _schema_of(text: str) -> Schema:
    """Return a stored schema, made once for all payloads that are checked against it."""
    return Schema(json.loads(text), is_known_good=True)
