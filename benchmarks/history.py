"""Did every promise hold? Three accounts of one run are held against each other.

They are what publishers were answered (202), what receivers got, and what the database says in the end. Tests of faults
and the runs under fire (``survive``, ``soak``) all end with this.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select

from benchmarks.ledger import Receipt
from console.database import read_only
from console.models import Attempt, Delivery, Event, Hook, Worker
from workers.board import Room

FINAL = frozenset({"delivered", "failed", "canceled"})
MOST_SHOWN = 20
PATIENCE_S = 300
SUCCESS = range(200, 300)


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt as the database has it; *outcome* None: it never ended."""

    number: int
    outcome: str | None
    started_at: datetime
    is_resent: bool


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as the database has it, with its attempts in order."""

    number: int
    id: str
    event: str
    hook: str
    is_serial: bool
    state: str
    reason: str | None
    attempt_count: int
    has_living_owner: bool
    attempts: tuple[AttemptRow, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What the comparison found: *violations* are sentences, and there must be none."""

    answered: int
    deliveries: int
    states: dict[str, int]
    receipts: int
    lost: int
    duplicates: int
    bound: int
    bad_signatures: int
    unfinished: int
    violations: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Say whether every promise held."""
        return not self.violations


def read_rows(engine: Engine) -> list[DeliveryRow]:
    """Read all deliveries with their attempts."""
    with read_only(), engine.connect() as connection:
        attempts: dict[int, list[AttemptRow]] = defaultdict(list)
        for row in connection.execute(_ATTEMPTS):
            attempts[row.delivery_number].append(AttemptRow(row.number, row.outcome, row.started_at, row.is_resent))
        living = set(connection.execute(select(Worker.number).where(Worker.stopped_at.is_(None))).scalars())
        return [
            DeliveryRow(
                number=row.number,
                id=str(row.id),
                event=str(row.event),
                hook=str(row.hook),
                is_serial=row.max_in_flight == 1,
                state=row.state,
                reason=row.waiting_reason,
                attempt_count=row.attempt_count,
                has_living_owner=row.claimed_by in living,
                attempts=tuple(attempts[row.number]),
            )
            for row in connection.execute(_DELIVERIES)
        ]


_ATTEMPTS = select(
    Attempt.delivery_number, Attempt.number, Attempt.outcome, Attempt.started_at, Attempt.is_resent
).order_by(Attempt.delivery_number, Attempt.number)
_DELIVERIES = (
    select(
        Delivery.number,
        Delivery.id,
        Event.id.label("event"),
        Hook.id.label("hook"),
        Hook.max_in_flight,
        Delivery.state,
        Delivery.waiting_reason,
        Delivery.attempt_count,
        Delivery.claimed_by,
    )
    .join(Event, Event.number == Delivery.event_number)
    .join(Hook, Hook.number == Delivery.hook_number)
    .order_by(Delivery.number)
)


def wait_for_the_end(engine: Engine, *, say: Callable[[str], None] = lambda _line: None) -> None:
    """Wait until every delivery has come to its end, or patience is at its own."""
    query = select(Delivery.state, func.count()).group_by(Delivery.state)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with read_only(), engine.connect() as connection:
            states = {state: count for state, count in connection.execute(query)}  # noqa: C416 rows are no pairs to mypy
        if set(states) <= FINAL:
            return
        say(f"waiting: {states}")
        time.sleep(1)


def compare(
    *,
    answered: Mapping[str, int],
    receipts: Sequence[Receipt],
    rows: Sequence[DeliveryRow],
    kills: int = 0,
    threads: int = 16,
    is_over: bool = True,
) -> Report:
    """Hold the three accounts against each other.

    *answered* has the number of deliveries that each 202 named, by the event's id; *kills* and *threads* (requests
    that a worker makes at a time) bound the duplicates, as ``Room.unwritten`` does in the worker; *is_over*: every
    delivery must have come to its end.
    """
    by_id: dict[str, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        by_id[receipt.id].append(receipt)
    accepted = Counter(receipt.id for receipt in receipts if receipt.status in SUCCESS)
    duplicates, bound = sum(accepted.values()) - len(accepted), kills * Room(threads).unwritten
    lost = _lost(answered, rows, accepted)
    unfinished = [row for row in rows if row.state not in FINAL]
    unsigned = [receipt.id for receipt in receipts if not receipt.is_signed]
    violations = [
        *lost,
        *_of_each(rows, by_id, accepted),
        *_out_of_order(rows, receipts),
        *(f"a request of {message_id} has no valid signature" for message_id in unsigned),
        *(f"a request came with the unknown id {message_id}" for message_id in by_id.keys() - {row.id for row in rows}),
    ]
    if duplicates > bound:
        violations.append(f"{duplicates} requests were accepted again, which is more than {bound}")
    if is_over:
        violations += [f"delivery {row.id} is still {row.state} ({row.reason})" for row in unfinished]
    return Report(
        answered=len(answered),
        deliveries=len(rows),
        states=dict(Counter(row.state for row in rows)),
        receipts=len(receipts),
        lost=len(lost),
        duplicates=duplicates,
        bound=bound,
        bad_signatures=len(unsigned),
        unfinished=len(unfinished),
        violations=tuple(violations[:MOST_SHOWN]),
    )


def _lost(answered: Mapping[str, int], rows: Iterable[DeliveryRow], accepted: Mapping[str, int]) -> list[str]:
    """Find what a 202 promised and nobody got: neither received, nor ended with a reason, nor still waiting."""
    made = Counter(row.event for row in rows)
    lost = [
        f"event {event} was answered with {count} deliveries and has {made[event]}"
        for event, count in answered.items()
        if made[event] != count
    ]
    return lost + [
        f"delivery {row.id} is {row.state} and its receiver never accepted it"
        for row in rows
        if row.id not in accepted and (row.state == "delivered" or (row.state == "failed" and not row.reason))
    ]


def _of_each(
    rows: Iterable[DeliveryRow], by_id: Mapping[str, Sequence[Receipt]], accepted: Mapping[str, int]
) -> Iterable[str]:
    for row in rows:
        numbers = [attempt.number for attempt in row.attempts]
        got = len(by_id.get(row.id, ()))
        most = sum(1 + attempt.is_resent for attempt in row.attempts if attempt.outcome != "blocked_address")
        if numbers != list(range(1, row.attempt_count + 1)):
            yield f"delivery {row.id} counts {row.attempt_count} attempts and has the numbers {numbers}"
        if got > most:
            yield f"delivery {row.id} was received {got} times in {most} attempts"
        if row.state == "sending" and not row.has_living_owner:
            yield f"delivery {row.id} is being sent by nobody"
        if row.state in FINAL and any(attempt.outcome is None for attempt in row.attempts):
            yield f"delivery {row.id} is {row.state} with an attempt that never ended"
        if row.state == "failed" and row.id in accepted and not _was_failed_after(row):
            yield f"delivery {row.id} is failed although its receiver accepted it"


def _was_failed_after(row: DeliveryRow) -> bool:
    """Say whether an acceptance may have been lost: the worker died before it could be recorded."""
    return any(attempt.outcome == "interrupted" for attempt in row.attempts)


def _out_of_order(rows: Iterable[DeliveryRow], receipts: Iterable[Receipt]) -> Iterable[str]:
    """Find first attempts of serial hooks that began before that of an older delivery.

    What was interrupted before it was sent has had its first attempt; only those that came are compared by arrival.
    """
    arrived: dict[str, int] = {}
    for index, receipt in enumerate(receipts):
        arrived.setdefault(receipt.id, index)
    began: dict[str, tuple[datetime, str]] = {}
    came: dict[str, tuple[int, str]] = {}
    for row in rows:
        if not row.is_serial or not row.attempts:
            continue
        first = row.attempts[0]
        before = began.get(row.hook)
        if before is not None and first.started_at < before[0]:
            yield f"the first attempt of {row.id} began before that of the older {before[1]}"
        began[row.hook] = (first.started_at, row.id)
        if row.id in arrived and first.outcome != "interrupted":
            last = came.get(row.hook)
            if last is not None and arrived[row.id] < last[0]:
                yield f"{row.id} came before the older {last[1]}"
            came[row.hook] = (arrived[row.id], row.id)
