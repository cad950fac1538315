"""Claimed rows that have not begun: a look whether they are still wanted, and giving them back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Any

from sqlalchemy import Row, bindparam, text

from console.models import DeliveryState, Trigger
from console.models.base import Moment
from console.services.claims import Claimed, Key, free_turns
from console.services.publishing import HELD_REASON
from console.services.work import Work


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


_LOOK = text("""
SELECT d.number, d.state, d.claimed_by, d.claim_no, d.cancel_requested, d.trigger,
       h.version, h.is_active, h.deleted_at IS NOT NULL AS is_deleted, s.lane
FROM deliveries AS d JOIN hooks AS h ON h.number = d.hook_number JOIN hook_states AS s ON s.hook_number = h.number
WHERE d.number IN :numbers""").bindparams(bindparam("numbers", expanding=True))


def look_again(work: Work, *, rows: Collection[Claimed], lane: str) -> dict[int, Check]:
    """Look whether claimed rows are still ours and wanted, by number; opens a transaction that the caller ends."""
    found = {row.number: row for row in work.session.execute(_LOOK, {"numbers": [row.number for row in rows]})}
    return {row.number: _checked(row, found.get(row.number), lane=lane) for row in rows}


def _checked(row: Claimed, now: Row[Any] | None, *, lane: str) -> Check:
    if (
        now is None
        or now.state != DeliveryState.SENDING
        or (now.claimed_by, now.claim_no) != (row.worker, row.claim_no)
    ):
        return Check(Fate.LOST, 0)
    is_off = now.is_deleted or (not now.is_active and now.trigger == Trigger.AUTOMATIC)
    wanted = not (now.cancel_requested or is_off) and now.lane == lane
    return Check(Fate.WANTED if wanted else Fate.UNWANTED, now.version)


_OFF = """EXISTS (SELECT 1 FROM hooks AS h WHERE h.number = deliveries.hook_number AND {0})"""
_CANCELED = f"(cancel_requested OR {_OFF.format('h.deleted_at IS NOT NULL')})"
_HELD = f"(trigger = 'automatic' AND {_OFF.format('NOT h.is_active')})"

_RETURN = text(f"""
UPDATE deliveries SET
    claimed_by = NULL, attempt_count = attempt_count - 1, modified_at = :now,
    state = CASE WHEN {_CANCELED} THEN 'canceled' WHEN {_HELD} THEN 'held' ELSE 'pending' END,
    next_attempt_at = CASE WHEN {_CANCELED} OR {_HELD} THEN NULL ELSE next_attempt_at END,
    waiting_reason = CASE WHEN NOT {_CANCELED} AND {_HELD} THEN :held_reason END,
    finished_at = CASE WHEN {_CANCELED} THEN :now END
WHERE number IN :numbers AND claimed_by = :worker AND state = 'sending'
RETURNING number""").bindparams(  # noqa: S608 constants
    bindparam("numbers", expanding=True), bindparam("now", type_=Moment())
)

_FORGET = text("""
DELETE FROM attempts WHERE delivery_number IN :numbers AND worker_number = :worker AND outcome IS NULL""").bindparams(
    bindparam("numbers", expanding=True)
)
_CLOSE = text("""
UPDATE attempts SET outcome = 'interrupted', error = :error
WHERE delivery_number IN :numbers AND worker_number = :worker AND outcome IS NULL""").bindparams(
    bindparam("numbers", expanding=True)
)
NEVER_BEGUN_WORDS = "Nothing was sent: the delivery came to its end before this attempt began."


def give_back(work: Work, *, worker: int, rows: Collection[Claimed], turns: Collection[Key] = ()) -> int:
    """Give back rows that were not begun, and *turns*; give how many rows were still ours.

    A row becomes pending as it was, canceled when that was asked for or its hook is deleted, held when its hook is
    disabled; its attempt row is removed. A row that was lost keeps its attempt, else the numbers would have a gap.
    """
    numbers = [row.number for row in rows]
    with work.transaction():
        returned: list[int] = []
        if numbers:
            parameters = {"worker": worker, "numbers": numbers, "now": work.now(), "held_reason": HELD_REASON}
            returned = list(work.session.scalars(_RETURN, parameters))
            work.session.execute(_FORGET, {"worker": worker, "numbers": returned})
            lost = [number for number in numbers if number not in returned]
            if lost:
                work.session.execute(_CLOSE, {"worker": worker, "numbers": lost, "error": NEVER_BEGUN_WORDS})
        if turns:
            free_turns(work, worker=worker, turns=turns)
    return len(returned)
