"""The volume of event types: rolled up behind the publishers, whole at any time for whoever looks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import pytest
from sqlalchemy import select

from console.models import Progress, TypeHour
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.figures import type_hours
from console.services.hooks import hook_tests, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work

pytestmark = pytest.mark.both_databases


def publish(work: Work, person, *names: str) -> None:
    for name in names:
        draft = EventDraft(type=name, payload=b"{}")
        publishing.publish(work, organization_number=person.organization.number, draft=draft)


def totals(work: Work, person, *, names: Collection[str] | None = None) -> dict[str, int]:
    number = person.organization.number
    found = (
        type_hours.activity(work, organization_number=number).volumes
        if names is None
        else type_hours.volumes(work, organization_number=number, names=names)
    )
    return {name: volume.total for name, volume in found.items()}


def stored(work: Work) -> dict[str, int]:
    return {row.type: row.count for row in work.session.scalars(select(TypeHour).order_by(TypeHour.hour))}


def test_events_are_added_once_when_they_are_old_enough(work: Work, ada, clock) -> None:
    publish(work, ada, "a", "a", "b")

    assert type_hours.roll_up(work) == 0
    clock.advance(minutes=1)
    publish(work, ada, "a")
    assert (type_hours.roll_up(work), stored(work)) == (3, {"a": 2, "b": 1})
    clock.advance(minutes=1)
    assert (type_hours.roll_up(work), stored(work)) == (1, {"a": 3, "b": 1})
    assert type_hours.roll_up(work) == 0


def test_what_is_read_is_whole_whether_it_is_rolled_up_or_not(work: Work, ada, mallory, clock) -> None:
    publish(work, ada, "a", "a", "b")
    publish(work, mallory, "a")
    before = totals(work, ada)
    clock.advance(minutes=1)
    type_hours.roll_up(work)
    publish(work, ada, "b")

    assert before == {"a": 2, "b": 1}
    assert totals(work, ada) == {"a": 2, "b": 2}
    assert totals(work, ada, names=["b"]) == {"b": 2}


def test_a_figure_stands_in_the_column_of_its_hours(work: Work, ada, clock) -> None:
    publish(work, ada, "a")
    clock.advance(hours=13)
    publish(work, ada, "a", "a")
    clock.advance(minutes=1)
    type_hours.roll_up(work)

    volume = type_hours.volumes(work, organization_number=ada.organization.number, names=["a"])["a"]

    assert (len(volume.figures), volume.hours, volume.figures[-3:]) == (28, 6, (1, 0, 2))


def test_what_is_older_than_the_period_is_not_counted(work: Work, ada, clock) -> None:
    publish(work, ada, "a")
    clock.advance(days=8)

    assert totals(work, ada) == {}
    assert set(type_hours.last_seen(work, organization_number=ada.organization.number)) == {"a"}


def test_tests_are_no_volume(work: Work, ada, clock) -> None:
    draft = HookDraft(url="https://example.com/x")
    made = hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft)
    hook_tests.send(work, hook=made.hook)
    clock.advance(minutes=1)

    assert type_hours.roll_up(work) == 1
    assert totals(work, ada) == {}
    assert work.session.scalar(select(Progress.number)) == 1


def test_many_batches_are_done_in_one_go(work: Work, ada, clock, monkeypatch) -> None:
    monkeypatch.setattr(type_hours, "BATCH", 2)
    publish(work, ada, "a", "b", "a", "b", "a")
    clock.advance(minutes=1)

    assert type_hours.roll_up(work) == 5
    assert stored(work) == {"a": 3, "b": 2}


def test_types_stay_known_after_their_events_are_gone(work: Work, ada, clock) -> None:
    from console.services.upkeep import retention

    publish(work, ada, "once.seen")
    clock.advance(minutes=1)
    type_hours.roll_up(work)
    clock.advance(days=40)
    retention.prune(work)

    seen = type_hours.last_seen(work, organization_number=ada.organization.number)
    assert list(seen) == ["once.seen"]
    assert work.now() - seen["once.seen"] == timedelta(days=40, minutes=1)


def test_a_hundred_thousand_types_do_not_make_a_statement_too_long(work: Work, ada, monkeypatch) -> None:
    monkeypatch.setattr(type_hours, "MOST_NAMED", 2)
    publish(work, ada, "a.made", "b.made", "c.made", "d.made")

    wanted = ["a.made", "b.made", "c.made"]
    found = type_hours.volumes(work, organization_number=ada.organization.number, names=wanted)

    assert {name: volume.total for name, volume in found.items()} == dict.fromkeys(wanted, 1)
