"""Claimed rows that have not begun: a look whether they are still wanted, and giving them back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Table, TextClause, update

from console.core.verdicts import state_after
from console.database import dialect_of
from console.models import Delivery, DeliveryState, Trigger
from console.services.engine.claims import Claimed
from console.services.engine.due import GONE, LANE, WITH_DESTINATION
from console.services.engine.turns import Key, free
from console.services.events.outbox import HELD_REASON
from console.services.queries import listing
from console.services.work import Work

_deliveries: Table = Delivery.__table__  # type: ignore[assignment]  # a Table, as of every mapped class


class Fate(Enum):
    """What becomes of a claimed row that has not begun."""

    WANTED = "wanted"
    UNWANTED = "unwanted"  # canceled, or its hook was disabled, deleted or moved to the other lane
    LOST = "lost"  # the claim is somebody else's now


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of a look at a claimed row; *hook_version* is its hook's now."""

    fate: Fate
    hook_version: int


_LOOK = f"""
SELECT d.number, d.state, d.claimed_by, d.claim_no, d.cancel_requested, d.trigger,
       h.version, h.is_active, {GONE} AS is_deleted, {LANE} AS lane
FROM deliveries AS d JOIN hooks AS h ON h.number = d.hook_number JOIN hook_states AS s ON s.hook_number = h.number
{WITH_DESTINATION}
WHERE d.number IN :numbers"""  # noqa: S608 constants


def look_again(work: Work, *, rows: Collection[Claimed], lane: str) -> dict[int, Check]:
    """Look whether claimed rows are still ours and wanted, by number; opens a transaction that the caller ends."""
    found = {
        row.number: row
        for row in work.session.execute(
            listing(dialect_of(work.session), _LOOK), {"numbers": [row.number for row in rows]}
        ).all()
    }
    return {row.number: _checked(row, found.get(row.number), lane=lane) for row in rows}


def _checked(row: Claimed, now: Row[Any] | None, *, lane: str) -> Check:
    if (
        now is None
        or now.state != DeliveryState.SENDING
        or (now.claimed_by, now.claim_no) != (row.worker, row.claim_no)
    ):
        return Check(Fate.LOST, 0)
    is_wanted = _state_of(now) == "pending" and (now.lane == lane or now.trigger == Trigger.TEST)
    return Check(Fate.WANTED if is_wanted else Fate.UNWANTED, now.version)


def _state_of(row: Row[Any]) -> str:
    """Say what becomes of a row when it is not sent now."""
    return state_after(
        "pending",
        is_canceled=row.cancel_requested,
        is_hook_deleted=row.is_deleted,
        is_hook_active=row.is_active,
        is_automatic=row.trigger == Trigger.AUTOMATIC,
    )


@lru_cache
def _ours(dialect: str) -> TextClause:
    lock = "FOR UPDATE OF d" if dialect == "postgresql" else ""
    return listing(
        dialect,
        f"""
    SELECT d.number, d.cancel_requested, d.trigger, h.is_active, {GONE} AS is_deleted
    FROM deliveries AS d JOIN hooks AS h ON h.number = d.hook_number
    WHERE d.number IN :numbers AND d.claimed_by = :worker AND d.state = 'sending'
    ORDER BY d.number {lock}""",  # noqa: S608 a constant
    )


_FORGET = """
DELETE FROM attempts WHERE delivery_number IN :numbers AND worker_number = :worker AND outcome IS NULL"""
_CLOSE = """
UPDATE attempts SET outcome = 'interrupted', error = :error
WHERE delivery_number IN :numbers AND worker_number = :worker AND outcome IS NULL"""
NEVER_BEGUN_WORDS = "Nothing was sent: the delivery came to its end before this attempt began."


def give_back(work: Work, *, worker: int, rows: Collection[Claimed], turns: Collection[Key] = ()) -> int:
    """Give back rows that were not begun, and *turns*; give how many rows were still ours.

    A row becomes pending as it was, canceled when that was asked for or its hook is deleted, held when its hook is
    disabled; its attempt row is removed. A row that was lost keeps its attempt, else the numbers would have a gap.
    """
    with work.transaction():
        count = _return(work, worker=worker, numbers=[row.number for row in rows]) if rows else 0
        if turns:
            free(work, worker=worker, turns=turns)
    return count


def _return(work: Work, *, worker: int, numbers: Sequence[int]) -> int:
    by_state: dict[str, list[int]] = defaultdict(list)
    for row in work.session.execute(_ours(dialect_of(work.session)), {"worker": worker, "numbers": numbers}):
        by_state[_state_of(row)].append(row.number)
    for state, members in by_state.items():
        values: dict[str, Any] = {} if state == "pending" else {"next_attempt_at": None}
        values["waiting_reason"] = HELD_REASON if state == "held" else None
        values["finished_at"] = work.now() if state == "canceled" else None
        work.session.execute(
            update(_deliveries)
            .where(_deliveries.c.number.in_(members))
            .values(claimed_by=None, attempt_count=_deliveries.c.attempt_count - 1, modified_at=work.now())
            .values(state=state, **values)
        )
    returned = {number for members in by_state.values() for number in members}
    work.session.execute(listing(dialect_of(work.session), _FORGET), {"worker": worker, "numbers": sorted(returned)})
    lost = [number for number in numbers if number not in returned]
    if lost:
        work.session.execute(
            listing(dialect_of(work.session), _CLOSE), {"worker": worker, "numbers": lost, "error": NEVER_BEGUN_WORDS}
        )
    return len(returned)
