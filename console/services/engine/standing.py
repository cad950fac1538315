"""How a hook stands with its receiver: what each attempt makes of its counters, lane, circuit and concurrency."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Any
from uuid import UUID

from sqlalchemy import Table, update
from sqlalchemy.sql.selectable import TextualSelect

from console.core import health
from console.core.outcomes import BLOCKED, Outcome
from console.core.verdicts import Verdict
from console.database import dialect_of
from console.models import Hook, HookState
from console.services.hooks.reports import Report, Subject
from console.services.queries import insert_into, listing
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work


@dataclass(slots=True)
class Standing:
    """The engine's columns of a hook, while a batch of results is folded into them."""

    hook_number: int
    lane: str
    consecutive_failures: int
    circuit_failures: int
    consecutive_successes: int
    failing_since: datetime | None
    failed_attempts: int
    last_failure_at: datetime | None
    last_success_at: datetime | None
    last_delivery_at: datetime | None
    last_outcome: str | None
    warned_percent: int
    open_until: datetime | None
    openings: int
    failing_types: list[str] | None
    concurrency: int

    def succeed(self, *, now: datetime, duration_s: float, maximum: int) -> list[Report]:
        """Note a 2xx: nothing that failed before counts any more. Give what is to be reported."""
        reports = [Report.CIRCUIT_CLOSED] if self.openings else []
        reports += [Report.RECOVERED] if self.warned_percent else []
        self.consecutive_failures = self.circuit_failures = self.failed_attempts = 0
        self.warned_percent = self.openings = 0
        self.last_outcome = Outcome.OK.value
        self.failing_since = self.open_until = None
        self.failing_types = []
        self.consecutive_successes = self.consecutive_successes + 1 if duration_s <= health.SLOW_AFTER_S else 0
        self.last_success_at = self.last_delivery_at = now
        self.concurrency = health.next_concurrency(self.concurrency, outcome=Outcome.OK, status=None, maximum=maximum)
        self._choose_lane(Outcome.OK, duration_s=duration_s)
        return reports

    def fail(
        self,
        outcome: Outcome,
        *,
        verdict: Verdict,
        status: int | None,
        event_type: str,
        now: datetime,
        duration_s: float,
        maximum: int,
        random: Random,
    ) -> list[Report]:
        """Note a failure that the receiver is to blame for; several in a row open the circuit.

        Give what is to be reported.
        """
        reports = [Report.BLOCKED] if outcome in BLOCKED and self.last_outcome not in BLOCKED else []
        self.consecutive_failures += 1
        self.circuit_failures = self.circuit_failures + 1 if verdict.opens_circuit else 0
        if verdict.opens_circuit:
            known = self.failing_types or () if self.circuit_failures > 1 else ()
            self.failing_types = health.failing_types_after(known, outcome=outcome, event_type=event_type)
        self.last_outcome = outcome.value
        self.failed_attempts += 1
        self.consecutive_successes = 0
        self.failing_since = self.failing_since or now
        self.last_failure_at = self.last_delivery_at = now
        self.concurrency = health.next_concurrency(self.concurrency, outcome=outcome, status=status, maximum=maximum)
        self._choose_lane(outcome, duration_s=duration_s)
        is_open = self.open_until is not None and self.open_until > now
        if health.opens_circuit(self.circuit_failures) and not is_open:
            self.open_until = now + timedelta(seconds=health.circuit_pause_s(self.openings, random=random))
            reports += [] if self.openings else [Report.CIRCUIT_OPENED]
            self.openings += 1
            self.lane = DELIVERIES_SLOW
        if verdict.hold_hook_s is not None:
            self.open_until = max(self.open_until or now, now + timedelta(seconds=verdict.hold_hook_s))
            self.failing_types = [health.ALL_TYPES]
        return reports

    def _choose_lane(self, outcome: Outcome, *, duration_s: float) -> None:
        slow = health.is_slow_after(
            outcome,
            duration_s=duration_s,
            was_slow=self.lane == DELIVERIES_SLOW,
            successes=self.consecutive_successes,
        )
        self.lane = DELIVERIES_SLOW if slow else DELIVERIES

    def disable_reason(self, now: datetime, *, at_destination: int = 0) -> str | None:
        """Give the sentence to disable the hook with; None while it may go on.

        *at_destination* failures in a row were its destination's, of whichever hook: while hooks wait for one probe
        between them, each has hardly an attempt of its own.
        """
        return health.disable_reason(
            failing_since=self.failing_since,
            failures=max(self.failed_attempts, at_destination),
            last_failure_at=self.last_failure_at,
            now=now,
        )

    def warn(self, now: datetime) -> int | None:
        """Give the percentage of the way to being disabled that is to be warned of now, once; else None."""
        percent = health.warning_due(failing_since=self.failing_since, warned_percent=self.warned_percent, now=now)
        self.warned_percent = percent or self.warned_percent
        return percent


@dataclass(frozen=True, slots=True)
class Served:
    """A hook whose results are being recorded, and what it may be told."""

    number: int
    id: UUID
    organization_number: int
    name: str
    url: str
    is_active: bool
    is_deleted: bool
    standing: Standing

    @property
    def subject(self) -> Subject:
        """The hook as reports speak of it."""
        return Subject(self.organization_number, self.number, self.id, self.name, self.url)


_states: Table = HookState.__table__  # type: ignore[assignment]  # a Table, as of every mapped class
_STATE_COLUMNS = tuple(_states.c[name] for name in Standing.__dataclass_fields__)
_hooks: Table = Hook.__table__  # type: ignore[assignment]  # as above
_HOOK_COLUMNS = tuple(
    _hooks.c[name]
    for name in ("number", "id", "organization_number", "name", "url", "is_active", "deleted_at", "is_trial")
)


@lru_cache
def _lock(dialect: str) -> TextualSelect:
    """Select and lock standings, always in this order, else two workers could wait for each other."""
    lock = "FOR UPDATE" if dialect == "postgresql" else ""
    names = ", ".join(column.name for column in _STATE_COLUMNS)
    return listing(
        dialect,
        f"SELECT {names} FROM hook_states WHERE hook_number IN :hooks ORDER BY hook_number {lock}",  # noqa: S608 constants
    ).columns(*_STATE_COLUMNS)


@lru_cache
def _served(dialect: str) -> TextualSelect:
    """Select hooks, in a statement of its own.

    Joined to the locked rows, PostgreSQL would give the switch as it was before the wait for them, and what fails while
    its hook is being enabled would be held for ever.
    """
    names = ", ".join(column.name for column in _HOOK_COLUMNS)
    return listing(dialect, f"SELECT {names} FROM hooks WHERE number IN :hooks").columns(*_HOOK_COLUMNS)  # noqa: S608 constants


def load(work: Work, *, numbers: Collection[int]) -> dict[int, Served]:
    """Read and lock the standing of hooks, by number, inside the caller's transaction."""
    connection, dialect, wanted = work.session.connection(), dialect_of(work.session), {"hooks": sorted(numbers)}
    standings = {row.hook_number: Standing(*row) for row in connection.execute(_lock(dialect), wanted)}
    return {
        row.number: Served(
            row.number,
            row.id,
            row.organization_number,
            row.name,
            row.url,
            row.is_active,
            row.deleted_at is not None and not row.is_trial,
            standings[row.number],
        )
        for row in connection.execute(_served(dialect), wanted)
        if row.number in standings
    }


@lru_cache
def _store(dialect: str) -> Any:
    """Build the statement that writes standings: their rows are there, so it always updates.

    RETURNING makes SQLAlchemy send all of them as one statement, so that the database is locked for less.
    """
    insert = insert_into(dialect, _states)
    changed = {name: insert.excluded[name] for name in Standing.__dataclass_fields__ if name != "hook_number"}
    return insert.on_conflict_do_update(index_elements=[_states.c.hook_number], set_=changed).returning(
        _states.c.hook_number
    )


def store(work: Work, standings: Collection[Standing]) -> None:
    """Write standings back, inside the caller's transaction that has locked them."""
    if standings:
        rows = [{name: getattr(one, name) for name in Standing.__dataclass_fields__} for one in standings]
        work.session.connection().execute(_store(dialect_of(work.session)), rows)


def end_pause(work: Work, *, hook_number: int) -> None:
    """Let the circuit of a hook try its receiver now, inside the caller's transaction and before it locks deliveries.

    Everybody locks standings first: in another order two could wait for each other. A pause that the receiver asked
    for, no circuit being open, is kept.
    """
    now = work.now()
    work.session.execute(
        update(HookState)
        .where(HookState.hook_number == hook_number, HookState.openings > 0, HookState.open_until > now)
        .values(open_until=now)
    )


def begin_afresh(work: Work, *, hook_number: int) -> None:
    """Forget how a hook's receiver was doing, inside the caller's transaction and before it locks anything but this.

    For a receiver that is another one now, or that somebody says is well again.
    """
    work.session.execute(
        update(HookState)
        .where(HookState.hook_number == hook_number)
        .values(
            lane=DELIVERIES,
            consecutive_failures=0,
            circuit_failures=0,
            consecutive_successes=0,
            failing_since=None,
            failed_attempts=0,
            warned_percent=0,
            open_until=None,
            openings=0,
            failing_types=[],
            concurrency=1,
        )
    )
