"""What waits for one hook, all of it at once: sent now, or given up."""

from __future__ import annotations

from sqlalchemy import func, select, update

from console.models import Delivery, DeliveryState, Hook, HookState
from console.services import audit, hooks
from console.services.work import LANES, Work


def send_now(work: Work, *, hook: Hook) -> int:
    """Make every pending delivery of a hook due now, within its present chain; say how many there were.

    The pause of an open circuit ends too: one delivery tries the receiver at once, and the others follow its success.
    A pause that the receiver asked for, no circuit being open, is kept.
    """
    now = work.now()
    with work.transaction():
        # Before the deliveries, as everybody locks them: in another order two could wait for each other.
        work.session.execute(
            update(HookState)
            .where(HookState.hook_number == hook.number, HookState.openings > 0, HookState.open_until > now)
            .values(open_until=now)
        )
        result = work.session.execute(
            update(Delivery)
            .where(Delivery.hook_number == hook.number, Delivery.state == DeliveryState.PENDING)
            .values(next_attempt_at=now, waiting_reason=None, modified_at=now)
        )
        count = int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as an UPDATE gives
        _audit(work, hook, "hook.waiting_hurried", count)
    for lane in LANES[:2]:
        work.ring.ring(lane)
    return count


def cancel(work: Work, *, hook: Hook) -> int:
    """Give up on every pending delivery of a hook; say how many there were. What is held stays."""
    with work.transaction():
        pending = (Delivery.hook_number == hook.number, Delivery.state == DeliveryState.PENDING)
        count = work.session.scalar(select(func.count()).select_from(Delivery).where(*pending)) or 0
        hooks.cancel_waiting(work, hook.number, states=[DeliveryState.PENDING])
        _audit(work, hook, "hook.waiting_canceled", count)
    return count


def _audit(work: Work, hook: Hook, action: str, count: int) -> None:
    audit.record(
        work,
        action=action,
        organization_number=hook.organization_number,
        object_type="hook",
        object_id=str(hook.id),
        object_name=hook.name or hook.url,
        changes={"deliveries": [None, count]},
    )
