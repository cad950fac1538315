"""What an organization sets for hooks that say nothing of their own, and for itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from console.core.errors import Invalid
from console.core.outcomes import Outcome
from console.models import AuditEntry, Event
from console.services.engine import recipients
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.organizations import defaults
from console.services.organizations.defaults import Choice
from console.services.upkeep import pruning, retention, stepped_clocks
from console.services.work import Work
from tests.engine import claim, delivery, hire, make_hook, publish, record, rows_of

pytestmark = pytest.mark.both_databases

KIB = 1024


def choose(work: Work, person, **fields: object) -> None:
    defaults.change(work, organization=person.organization, choice=Choice(**fields))


def event_count(work: Work) -> int:
    return work.session.scalar(select(func.count()).select_from(Event)) or 0


def test_hooks_that_say_nothing_follow_the_defaults_and_others_do_not(work: Work, ada) -> None:
    follower = make_hook(work, ada)
    own = make_hook(work, ada, retry={"kind": "fixed", "seconds": 7}, timeout=3)

    choose(work, ada, retry_schedule="5,50", timeout_s=9)
    found = recipients.load(work, numbers=[follower.number, own.number])

    assert (found[follower.number].timeout_s, found[follower.number].policy.planned()) == (9.0, [5.0, 50.0])
    assert (found[own.number].timeout_s, found[own.number].policy.planned()[0]) == (3.0, 7.0)


def test_the_waits_are_varied_and_put_off_as_those_of_the_installation(work: Work, ada) -> None:
    usual = defaults.retry_of(work.settings, None)

    chosen = defaults.retry_of(work.settings, "5,50")

    assert (chosen.jitter, chosen.is_exact, chosen.attempts) == (usual.jitter, usual.is_exact, 3)


def test_workers_notice_a_change_at_once(work: Work, ada) -> None:
    follower = make_hook(work, ada)
    own = make_hook(work, ada, retry={"kind": "fixed", "seconds": 7}, timeout=3)
    before = recipients.load(work, numbers=[follower.number, own.number])

    choose(work, ada, timeout_s=9)
    after = recipients.load(work, numbers=[follower.number, own.number])

    assert after[follower.number].version > before[follower.number].version
    assert after[own.number].version == before[own.number].version


def test_a_failed_attempt_waits_as_the_default_says(work: Work, ada) -> None:
    make_hook(work, ada)
    choose(work, ada, retry_schedule="300,3000")
    [number] = publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))

    record(work, row, Outcome.SERVER_ERROR, status=500)

    wait = delivery(work, number).next_attempt_at - work.now()
    assert timedelta(seconds=240) <= wait <= timedelta(seconds=360)


def test_long_waits_of_a_default_are_not_taken_for_a_wrong_clock(work: Work, ada) -> None:
    make_hook(work, ada)
    choose(work, ada, retry_schedule="864000")
    [number] = publish(work, ada)
    found = delivery(work, number)
    found.next_attempt_at = work.now() + timedelta(days=9)
    work.session.commit()

    stepped_clocks.clamp(work)

    assert delivery(work, number).next_attempt_at > work.now() + timedelta(days=8)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"retry_schedule": "soon"}, "/retry_schedule"),
        ({"timeout_s": 0}, "/timeout_s"),
        ({"timeout_s": 31}, "/timeout_s"),
        ({"retention_days": 0}, "/retention_days"),
        ({"retention_days": 31}, "/retention_days"),
        ({"largest_payload": 1024}, "/largest_payload"),
        ({"largest_payload": 257 * KIB}, "/largest_payload"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_changes(work: Work, ada, fields, pointer) -> None:
    with pytest.raises(Invalid) as caught:
        choose(work, ada, **{"timeout_s": 9, **fields})

    assert [one.pointer for one in caught.value.fields] == [pointer]
    assert ada.organization.timeout_s is None


def test_a_change_stands_in_the_audit_log_and_no_change_does_not(work: Work, ada) -> None:
    choose(work, ada, timeout_s=9, retention_days=7)
    choose(work, ada, timeout_s=9, retention_days=7)
    choose(work, ada, retention_days=7)

    entries = work.session.scalars(select(AuditEntry).where(AuditEntry.action == "organization.changed")).all()
    assert [one.changes for one in entries] == [
        {"timeout_s": [None, 9], "retention_days": [None, 7]},
        {"timeout_s": [9, None]},
    ]


def test_an_organization_may_keep_its_events_for_less_time_than_others(work: Work, ada, mallory, clock) -> None:
    choose(work, ada, retention_days=7)
    for person in (ada, mallory):
        publish(work, person, 3)
    clock.advance(days=8)
    publish(work, ada)

    pruned = retention.prune_events(work)

    kept = dict(
        work.session.execute(select(Event.organization_number, func.count()).group_by(Event.organization_number)).all()
    )
    assert (pruned.events, pruned.place) == (3, None)
    assert kept == {ada.organization.number: 1, mallory.organization.number: 3}


def test_what_is_unfinished_stays_and_does_not_keep_the_rest(work: Work, ada, clock, monkeypatch) -> None:
    monkeypatch.setattr(pruning, "WINDOW", 2)
    choose(work, ada, retention_days=7)
    make_hook(work, ada, event_types=["order.paid"], all_events=False)
    publish(work, ada, 3)
    publish(work, ada, 3, type="order.seen")
    clock.advance(days=8)

    first = retention.prune_events(work, most_s=0)
    assert (first.events, first.place is not None) == (0, True)
    events, place = 0, first.place
    while place is not None:
        some = retention.prune_events(work, most_s=0, place=place)
        events, place = events + some.events, some.place

    assert events == 3
    assert event_count(work) == 3


def test_no_organization_keeps_anything_longer_than_the_operator(work: Work, ada, clock) -> None:
    ada.organization.retention_days = 90
    work.session.commit()
    publish(work, ada)
    clock.advance(days=31)

    assert defaults.retention_for(work, ada.organization) == 30
    assert retention.prune(work).events == 1


def test_a_payload_that_is_larger_than_the_organization_takes_is_refused(work: Work, ada, mallory) -> None:
    choose(work, ada, largest_payload=32 * KIB)
    draft = EventDraft(type="order.paid", payload=b'"' + b"x" * (40 * KIB) + b'"')

    with pytest.raises(Invalid) as caught:
        publishing.publish_batch(work, organization_number=ada.organization.number, drafts=[draft])
    publishing.publish(work, organization_number=mallory.organization.number, draft=draft)

    assert [(one.pointer, one.message) for one in caught.value.fields] == [
        ("/events/0/payload", "A payload is at most 32 KiB.")
    ]
