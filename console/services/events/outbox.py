"""The rows of new deliveries: what publishing leaves for the workers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, select

from console.database import dialect_of
from console.models import Delivery, DeliveryState, Hook, Trigger
from console.services.events.matching import Listener
from console.services.queries import insert_into
from console.services.work import Work

HELD_REASON = "The hook is disabled"
KEPT_REASON = "Kept back when the hook was enabled"


_deliveries: Table = Delivery.__table__  # type: ignore[assignment]  # a Table, as of every mapped class

Handed = tuple[int, str, Listener]
"""What is to be delivered: number and type of an event, and the hook it is for."""


def put(work: Work, handed: Sequence[Handed], *, organization_number: int, **marks: Any) -> int:
    """Write new deliveries inside the caller's transaction: due now, or held while the hook is disabled.

    *marks* are columns that are to be otherwise. Give how many were made: one that is there already stays as it is.
    """
    if not handed:
        return 0
    now = work.now()
    ids = work.new_ids(len(handed))
    rows = [
        _row(hook, now=now)
        | {"id": new, "organization_number": organization_number, "event_number": number, "event_type": type_}
        | marks
        for new, (number, type_, hook) in zip(ids, handed, strict=True)
    ]
    return len(work.session.execute(_insert(dialect_of(work.session)), rows).all())


@lru_cache
def _insert(dialect: str) -> Any:
    """Build the statement that makes deliveries: with RETURNING, SQLAlchemy sends all rows as one statement.

    Row by row, each would give the interpreter's lock away and queue behind all other threads to get it back, with the
    database locked meanwhile.
    """
    return insert_into(dialect, _deliveries).on_conflict_do_nothing().returning(_deliveries.c.number)


def _row(hook: Listener, *, now: datetime) -> dict[str, Any]:
    return {
        "hook_number": hook.number,
        "url": hook.url,
        "payload_format": hook.payload_format,
        "content_type": hook.content_type,
        "trigger": Trigger.AUTOMATIC.value,
        "state": DeliveryState.PENDING.value if hook.is_active else DeliveryState.HELD.value,
        "next_attempt_at": now if hook.is_active else None,
        "waiting_reason": None if hook.is_active else HELD_REASON,
        "expires_at": None if hook.expires_after_s is None else now + timedelta(seconds=hook.expires_after_s),
        "created_at": now,
        "modified_at": now,
    }


def with_settled_switches(work: Work, hooks: list[Listener]) -> list[Listener]:
    """Read the switch of disabled hooks again under a lock, so that a hook enabled right now gets no held delivery.

    All of them are locked, not only those that are enabled by now: who enables one waits, and releases what is held
    here. The other way round (disabled right now) the engine notices. SQLite has one writer and needs no lock.
    """
    disabled = [hook.number for hook in hooks if not hook.is_active]
    if not disabled:
        return hooks
    rows = work.session.execute(
        select(Hook.number, Hook.is_active)
        .where(Hook.number.in_(disabled))
        .order_by(Hook.number)
        .with_for_update(read=True)
    )
    active = {row.number for row in rows if row.is_active}
    return [replace(hook, is_active=hook.is_active or hook.number in active) for hook in hooks]
