"""What tests of the engine arrange: hooks, due deliveries, claims, results.

Everything here ends its transaction: on SQLite an open one keeps the workers of a test out of the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select, update

from console.core.outcomes import Outcome
from console.models import Attempt, Delivery, Hook, HookState, Leader, Worker
from console.services.engine import claims, recipients, results
from console.services.engine.claims import Claimed, Grant
from console.services.engine.ended import Ended
from console.services.engine.results import Recorded
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.upkeep import beating
from console.services.work import DELIVERIES, Work

URL = "https://example.com/hook"


def make_hook(work: Work, person: Any, **fields: object) -> Hook:
    draft = HookDraft(**{"url": URL, "all_events": True, **fields})
    return hooks.create(work, organization_number=person.organization.number, author_number=None, draft=draft).hook


def publish(
    work: Work,
    person: Any,
    count: int = 1,
    *,
    type: str = "order.paid",  # noqa: A002
    source: str | None = None,
) -> list[int]:
    """Publish events; give the numbers of the deliveries they made."""
    drafts = [EventDraft(type=type, source=source, payload=b'{"n":%d}' % index) for index in range(count)]
    published = publishing.publish_batch(work, organization_number=person.organization.number, drafts=drafts)
    events = [event.number for event in published]
    query = select(Delivery.number).where(Delivery.event_number.in_(events)).order_by(Delivery.number)
    numbers = list(work.session.scalars(query))
    work.session.commit()
    return numbers


def hire(work: Work, *, lane: str = DELIVERIES, pid: int = 1) -> int:
    return beating.register(work, lane=lane, host="test", pid=pid, version="0")


def bury(work: Work, *, pid: int) -> None:
    """Date the last beat of a worker process back, so that its silence has lasted longer than a living one's may."""
    earlier = work.now() - 2 * beating.DEAD_AFTER
    numbers = select(Worker.number).where(Worker.pid == pid)
    work.session.execute(update(Leader).where(Leader.worker_number.in_(numbers)).values(beat_at=earlier))
    work.session.execute(update(Worker).where(Worker.pid == pid, Worker.stopped_at.is_(None)).values(beat_at=earlier))
    work.session.commit()


def claim(work: Work, worker: int, *, lane: str = DELIVERIES, **options: Any) -> list[Grant]:
    return claims.claim(work, worker=worker, lane=lane, **{"held": {}, **options})


def rows_of(grants: Iterable[Grant]) -> list[Claimed]:
    return [row for grant in grants for row in grant.rows]


def end(work: Work, row: Claimed, outcome: Outcome = Outcome.OK, **fields: Any) -> Ended:
    """Make the result of an attempt: it began and ended now."""
    recipient = recipients.load(work, numbers=[row.hook_number])[row.hook_number]
    work.session.commit()
    defaults = {"status": 200 if outcome is Outcome.OK else None, "started_at": work.now(), "duration_ms": 0.0}
    return Ended(row=row, recipient=recipient, outcome=outcome, **{**defaults, **fields})


def record(work: Work, row: Claimed, outcome: Outcome = Outcome.OK, **fields: Any) -> Recorded:
    return results.record(work, ended=[end(work, row, outcome, **fields)])


def delivery(work: Work, number: int) -> Delivery:
    found = work.session.get(Delivery, number, populate_existing=True)
    work.session.commit()
    assert found is not None
    return found


def attempts(work: Work, number: int) -> list[Attempt]:
    query = select(Attempt).where(Attempt.delivery_number == number).order_by(Attempt.number)
    found = list(work.session.scalars(query, execution_options={"populate_existing": True}))
    work.session.commit()
    return found


def state_of(work: Work, hook: Hook) -> HookState:
    found = work.session.get(HookState, hook.number, populate_existing=True)
    work.session.commit()
    assert found is not None
    return found


def set_state(work: Work, hook: Hook, **values: object) -> None:
    work.session.execute(update(HookState).where(HookState.hook_number == hook.number).values(**values))
    work.session.commit()


def put(work: Work, number: int, **values: object) -> None:
    work.session.execute(update(Delivery).where(Delivery.number == number).values(**values))
    work.session.commit()


def make_due(work: Work) -> None:
    """Let everything that waits for its next attempt be due at once."""
    work.session.execute(update(Delivery).where(Delivery.state == "pending").values(next_attempt_at=work.now()))
    work.session.commit()


def counts(work: Work) -> dict[str, int]:
    """Count the deliveries by state."""
    query = select(Delivery.state, func.count()).group_by(Delivery.state)
    found = {row.state: row.count for row in work.session.execute(query)}
    work.session.commit()
    return found


# --- what is not sent any more --------------------------------------------------------------------------------------


def scalars(work: Work, query: Any) -> list[Any]:
    found = list(work.session.scalars(query))
    work.session.commit()
    return found
