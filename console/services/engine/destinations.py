"""Destinations: a host and port that gives no answer to several hooks of an organization is one fault, not many.

While such a circuit is open the hooks behind it wait together; at its end one request, of whichever hook, tries it.
Only silence counts: any answer, a 500 too, is a sign of life. Organizations do not share a destination's circuit, else
one of them could make another's deliveries to the same host wait.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from random import Random
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, bindparam, delete, or_, select, text, tuple_, update

from console.core import health
from console.core.outcomes import ANSWERED, NETWORK, Outcome
from console.database import dialect_of
from console.models import Destination, Hook, HookState
from console.models.base import Moment
from console.services.hooks.reports import Report
from console.services.queries import insert_into
from console.services.work import Work

PROBE_FOR = timedelta(seconds=45)
"""So long a probe has to come to its end: the longest attempt, and time to record it; then another may be made."""

Key = tuple[int, str]
"""The number of an organization, host and port."""

_table: Table = Destination.__table__  # type: ignore[assignment]  # a Table, as of every mapped class


@dataclass(slots=True)
class Reach:
    """How a destination answers, while a batch of results is folded into it; no failures: it answers."""

    failures: int = 0
    first_hook: int = 0
    is_shared: bool = False
    open_until: datetime | None = None
    probe_until: datetime | None = None
    openings: int = 0

    def note(self, outcome: Outcome, *, hook_number: int, now: datetime, random: Random) -> Report | None:
        """Take in how an attempt of a hook ended; failures in a row of several hooks open the circuit.

        Give what is to be reported: that the circuit opened or closed.
        """
        was_open = self.openings > 0
        if outcome in ANSWERED:
            self._answer()
        elif outcome in NETWORK:
            self._fail(hook_number, now=now, random=random)
        if was_open == (self.openings > 0):
            return None
        return Report.CIRCUIT_CLOSED if was_open else Report.CIRCUIT_OPENED

    def _answer(self) -> None:
        self.failures = self.openings = self.first_hook = 0
        self.is_shared = False
        self.open_until = self.probe_until = None

    def _fail(self, hook_number: int, *, now: datetime, random: Random) -> None:
        self.failures += 1
        self.first_hook = self.first_hook or hook_number
        self.is_shared = self.is_shared or hook_number != self.first_hook
        hooks = health.DESTINATION_HOOKS if self.is_shared else 1
        is_open = self.open_until is not None and self.open_until > now
        if health.opens_destination(self.failures, hooks=hooks) and not is_open:
            self.open_until = now + timedelta(seconds=health.circuit_pause_s(self.openings, random=random))
            self.probe_until = None
            self.openings += 1


_COLUMNS = tuple(getattr(_table.c, name) for name in Reach.__dataclass_fields__)
_KEY = tuple_(_table.c.organization_number, _table.c.name)
_LOCK = (
    select(_table.c.organization_number, _table.c.name, *_COLUMNS)
    .where(_KEY.in_(bindparam("keys", expanding=True)))
    .order_by(_table.c.organization_number, _table.c.name)
    .with_for_update()
)
_ANY = text("SELECT 1 FROM destinations LIMIT 1")


def load(work: Work, *, keys: Collection[Key]) -> dict[Key, Reach]:
    """Read and lock destinations, inside the caller's transaction; those that answer are new ones."""
    found = {key: Reach() for key in keys if key[1]}
    connection = work.session.connection()
    if found and connection.execute(_ANY).first() is not None:  # there are none while all receivers answer
        for organization, name, *values in connection.execute(_LOCK, {"keys": list(found)}):
            found[organization, name] = Reach(*values)
    return found


def store(work: Work, *, before: dict[Key, Reach], after: dict[Key, Reach]) -> None:
    """Write what changed of destinations, inside the caller's transaction: one that answers has no row.

    A row that is not there yet cannot be locked, so new ones are made in one order by everybody.
    """
    answering = [key for key, reach in after.items() if not reach.failures and before[key].failures]
    if answering:
        work.session.execute(delete(_table).where(_KEY.in_(answering)))
    rows: list[dict[str, Any]] = [
        {"organization_number": organization, "name": name}
        | {field: getattr(reach, field) for field in Reach.__dataclass_fields__}
        for (organization, name), reach in sorted(after.items(), key=itemgetter(0))
        if reach.failures and reach != before[organization, name]
    ]
    if rows:
        statement = insert_into(dialect_of(work.session), _table)
        columns = {column.name: statement.excluded[column.name] for column in _COLUMNS}
        work.session.connection().execute(
            statement.on_conflict_do_update(index_elements=list(_table.primary_key.columns), set_=columns), rows
        )


def _of(organization_number: int, name: str) -> ColumnElement[bool]:
    return and_(_table.c.organization_number == organization_number, _table.c.name == name)


def begin_probe(work: Work, *, organization_number: int, name: str) -> bool:
    """Take the one probe of a destination whose pause is over, inside the caller's transaction; False: it is taken."""
    now = work.now()
    result = work.session.execute(
        update(_table)
        .where(
            _of(organization_number, name),
            *(or_(column.is_(None), column <= now) for column in (_table.c.open_until, _table.c.probe_until)),
        )
        .values(probe_until=now + PROBE_FOR)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives


def end_pause(work: Work, *, organization_number: int, name: str) -> None:
    """Let a destination, if it does not answer, be tried now, by whichever hook's turn it is.

    Inside the caller's transaction and before it locks anything else: everybody locks destinations first. A probe that
    is under way is waited for.
    """
    now = work.now()
    work.session.execute(
        update(_table)
        .where(_of(organization_number, name), _table.c.openings > 0, _table.c.open_until > now)
        .values(open_until=now)
    )


def rests_until(work: Work, hook: Hook) -> datetime | None:
    """Say until when the circuit of a hook, or of its destination, keeps everything back; None: neither is open."""
    state = work.session.get(HookState, hook.number)
    place = of(work, keys={(hook.organization_number, hook.destination)} if has_failed(state) else ())
    ends = [one.open_until for one in (state, *place.values()) if one is not None and one.open_until is not None]
    return max((end for end in ends if end > work.now()), default=None)


def has_failed(state: Any) -> bool:
    """Return whether the circuit of a hook's destination concerns the hook, given its row of the engine's.

    It stops hooks that failed there themselves since their last 2xx (``due.WITH_DESTINATION`` says so in SQL).
    """
    return state is not None and bool(state.consecutive_failures)


def of(work: Work, *, keys: Collection[Key]) -> dict[Key, Destination]:
    """Give the destinations, of those asked for, that do not answer."""
    names = [name for _, name in keys if name]
    if not names:
        return {}
    organizations = {organization for organization, _ in keys}
    query = select(Destination).where(
        and_(Destination.organization_number.in_(organizations), Destination.name.in_(names))
    )
    rows = work.session.scalars(query, execution_options={"populate_existing": True})
    return {(row.organization_number, row.name): row for row in rows}


_FORSAKEN = text("""
DELETE FROM destinations WHERE NOT EXISTS (
    SELECT 1 FROM hooks AS h WHERE h.organization_number = destinations.organization_number
      AND h.destination = destinations.name AND h.deleted_at IS NULL)""")
_CLAMP = text("UPDATE destinations SET open_until = :longest WHERE open_until > :longest").bindparams(
    bindparam("longest", type_=Moment())
)


def tidy(work: Work) -> None:
    """Forget destinations that no hook sends to any more, inside the caller's transaction."""
    work.session.execute(_FORSAKEN)


def clamp(work: Work, *, longest: datetime) -> None:
    """Move back the end of pauses that a stepped clock made too long, inside the caller's transaction."""
    work.session.execute(_CLAMP, {"longest": longest})
