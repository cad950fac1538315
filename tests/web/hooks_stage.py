"""What tests of hooks' pages arrange: what the engine keeps of a hook, and the end of a test."""

from __future__ import annotations

from console.models import Attempt, Delivery, Hook, HookState

HOSTILE = "<script>alert(1)</script>\u202e{{7*7}}\"'"


def state_of(work, hook: Hook, **values) -> None:
    """Set what the engine keeps of a hook."""
    state = work.session.get(HookState, hook.number)
    for name, value in values.items():
        setattr(state, name, value)
    work.session.commit()


def finish(
    work, delivery: Delivery, *, status: int | None = 200, outcome: str = "ok", body: bytes = b'{"ok": true}'
) -> None:
    """Do what the workers do with a test."""
    delivery.state, delivery.last_status, delivery.last_outcome = (
        "delivered" if outcome == "ok" else "failed",
        status,
        outcome,
    )
    delivery.attempt_count, delivery.finished_at, delivery.next_attempt_at = 1, work.now(), None
    work.session.add(
        Attempt(
            delivery_number=delivery.number,
            number=1,
            chain=1,
            trigger="test",
            started_at=work.now(),
            duration_ms=143.0,
            outcome=outcome,
            status=status,
            timings={"dns": 2.0, "connect": 11.0, "first_byte": 120.0},
            request_headers=[["webhook-id", str(delivery.id)], ["webhook-timestamp", "1795338000"], ["X-Own", HOSTILE]],
            response_headers=[["Server", HOSTILE]] if status else None,
            response_body=body if status else None,
            error=None if status else "Nobody answered.",
        )
    )
    work.session.commit()
