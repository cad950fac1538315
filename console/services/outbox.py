"""The rows of new deliveries: what publishing leaves for the workers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from console.models import DeliveryState, Hook, Trigger
from console.services.matching import Listener
from console.services.work import Work

HELD_REASON = "The hook is disabled"
KEPT_REASON = "Kept back when the hook was enabled"


def delivery_row(work: Work, *, event: dict[str, Any], hook: Listener, now: datetime) -> dict[str, Any]:
    """Make the row of a new delivery: due now, or held while the hook is disabled."""
    return {
        "id": work.new_id(),
        "organization_number": event["organization_number"],
        "event_number": event["number"],
        "hook_number": hook.number,
        "event_type": event["type"],
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
