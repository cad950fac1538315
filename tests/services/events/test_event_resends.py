"""Sending a stored event again: to all hooks that want it now, or to one."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.core.errors import Conflict
from console.models import AuditEntry, Delivery, Event, Hook
from console.services.events import event_resends, explaining, publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work
from tests.engine import claim, hire

pytestmark = pytest.mark.both_databases


def make_hook(work: Work, person, **fields: object) -> Hook:
    draft = HookDraft(**{"url": "https://example.com/hook", "all_events": True, **fields})
    return hooks.create(work, organization_number=person.organization.number, author_number=None, draft=draft).hook


def publish(work: Work, person, **fields: object) -> Event:
    draft = EventDraft(**{"type": "order.paid", "payload": b'{"n": 1}', **fields})
    made = publishing.publish(work, organization_number=person.organization.number, draft=draft)
    return work.session.get_one(Event, made.number)


def log(work: Work) -> dict[int, tuple[str, int, str]]:
    query = select(Delivery.hook_number, Delivery.state, Delivery.chain, Delivery.trigger).order_by(Delivery.number)
    return {row.hook_number: (row.state, row.chain, row.trigger) for row in work.session.execute(query)}


def test_all_that_want_it_now_get_it_those_included_that_came_later(work: Work, ada, ring) -> None:
    first = make_hook(work, ada)
    event = publish(work, ada)
    late = make_hook(work, ada)
    make_hook(work, ada, filter="n > `1`")
    make_hook(work, ada, all_events=False, event_types=["other"])
    ring.lanes.clear()

    count = event_resends.to_wanting(work, event=event)

    assert count == 2
    assert log(work) == {first.number: ("pending", 2, "resend"), late.number: ("pending", 1, "resend")}
    assert ring.lanes == ["deliveries"]
    assert work.session.scalar(select(AuditEntry.action).order_by(AuditEntry.number.desc()).limit(1)) == "event.resent"


def test_all_are_more_than_a_page_explains(work: Work, ada, monkeypatch) -> None:
    monkeypatch.setattr(explaining, "MOST_HOOKS", 1)
    for _ in range(3):
        make_hook(work, ada)
    event = publish(work, ada)

    assert event_resends.to_wanting(work, event=event) == 3


def test_one_hook_gets_it_whether_it_wants_it_or_is_on(work: Work, ada) -> None:
    event = publish(work, ada)
    off = make_hook(work, ada, all_events=False, event_types=["other"], is_active=False)

    event_resends.to_hook(work, event=event, hook=off)

    assert log(work) == {off.number: ("pending", 1, "resend")}


def test_what_is_being_sent_is_not_sent_twice(work: Work, ada) -> None:
    hook = make_hook(work, ada)
    event = publish(work, ada)
    work.session.commit()
    claim(work, hire(work))

    with pytest.raises(Conflict):
        event_resends.to_hook(work, event=event, hook=hook)
    assert event_resends.to_wanting(work, event=event) == 0


def test_publishers_are_told_the_same_as_before(work: Work, ada) -> None:
    event = publish(work, ada, key="k")
    make_hook(work, ada)

    event_resends.to_wanting(work, event=event)

    draft = EventDraft(type="order.paid", payload=b'{"n": 1}', key="k")
    again = publishing.publish(work, organization_number=ada.organization.number, draft=draft)
    assert (again.number, again.deliveries) == (event.number, 0)


def test_nothing_of_another_organization_is_sent(work: Work, ada, mallory) -> None:
    event = publish(work, ada)
    make_hook(work, mallory)

    assert event_resends.to_wanting(work, event=event) == 0
