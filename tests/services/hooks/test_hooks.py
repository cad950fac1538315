"""Hooks as people configure them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text, update

from console.core.errors import Conflict, Invalid, NotFound
from console.core.health import Health
from console.core.rollups import hour_of
from console.models import AuditEntry, Delivery, DeliveryState, Hook, HookHour, Turn
from console.services.deliveries import deliveries
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hook_health, hook_secrets, hook_tests, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.hooks.hooks import HookFilter
from console.services.work import Work

pytestmark = pytest.mark.both_databases
URL = "https://example.com/hook"


def make(work: Work, person, **fields: object) -> hooks.Made:
    draft = HookDraft(**{"url": URL, "all_events": True, **fields})
    return hooks.create(
        work, organization_number=person.organization.number, author_number=person.user.number, draft=draft
    )


def publish(work: Work, person, type_: str = "order.paid") -> publishing.Published:
    return publishing.publish(
        work, organization_number=person.organization.number, draft=EventDraft(type=type_, payload=b"{}")
    )


def states(work: Work) -> list[str]:
    work.session.expire_all()
    return list(work.session.scalars(select(Delivery.state).order_by(Delivery.number)))


def test_a_new_hook_has_a_secret_of_its_own_that_is_stored_encrypted(work: Work, ada) -> None:
    made = make(work, ada)

    assert made.secret.startswith("whsec_")
    assert [text for _, text in hook_secrets.secrets_of(work, made.hook)] == [made.secret]
    assert made.secret.encode() not in work.session.scalar(text("SELECT sealed FROM hook_secrets"))


def test_a_new_hook_takes_the_defaults_of_the_fields_it_does_not_name(work: Work, ada) -> None:
    hook = hooks.create(
        work, organization_number=ada.organization.number, author_number=None, draft=HookDraft(url=URL)
    ).hook

    assert (hook.is_active, hook.all_events, hook.event_types, hook.sources) == (True, False, [], None)
    assert (hook.content_type, hook.payload_format, hook.max_in_flight) == ("json", "standard", 16)


def test_the_number_of_turns_follows_the_in_flight_cap(work: Work, ada) -> None:
    hook = make(work, ada, max_in_flight=20).hook
    assert len(work.session.scalars(select(Turn).where(Turn.hook_number == hook.number)).all()) == 3

    hooks.change(work, hook=hook, draft=HookDraft(max_in_flight=1))
    assert len(work.session.scalars(select(Turn).where(Turn.hook_number == hook.number)).all()) == 1


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"url": "http://169.254.169.254/"}, "/url"),
        ({"url": 5}, "/url"),
        ({"event_types": ["ok.type", "b@d type"]}, "/event_types/1"),
        ({"event_types": "order.paid"}, "/event_types"),
        ({"event_groups": ["no such group"]}, "/event_groups/0"),
        ({"sources": ["nowhere"]}, "/sources/0"),
        ({"headers": {"Host": "x"}}, "/headers"),
        ({"headers": {"X-A": 1}}, "/headers"),
        ({"timeout": 31}, "/timeout"),
        ({"timeout": True}, "/timeout"),
        ({"max_in_flight": 0}, "/max_in_flight"),
        ({"rate_limit": {"count": 0, "seconds": 1}}, "/rate_limit/count"),
        ({"rate_limit": {"count": 1}}, "/rate_limit"),
        ({"content_type": "xml"}, "/content_type"),
        ({"is_active": "yes"}, "/is_active"),
        ({"name": "n" * 201}, "/name"),
        ({"secret": ""}, "/secret"),
    ],
)
def test_a_bad_field_is_named_by_its_pointer(work: Work, ada, fields, pointer) -> None:
    with pytest.raises(Invalid) as refused:
        make(work, ada, **fields)

    assert [error.pointer for error in refused.value.fields] == [pointer]
    assert work.session.scalar(select(Hook)) is None


def test_several_bad_fields_are_named_together(work: Work, ada) -> None:
    with pytest.raises(Invalid) as refused:
        make(work, ada, url="ftp://example.com/", timeout=99)

    assert {error.pointer for error in refused.value.fields} == {"/url", "/timeout"}


def test_a_change_keeps_what_it_does_not_name_and_counts_the_version(work: Work, ada) -> None:
    hook = make(work, ada, name="Warehouse", headers={"X-Team": "blue"}).hook

    hooks.change(work, hook=hook, draft=HookDraft(description="New"))

    assert (hook.name, hook.description, hook.version) == ("Warehouse", "New", 2)
    assert hook_secrets.headers_of(work, hook) == {"X-Team": "blue"}


def test_a_change_based_on_an_old_version_is_refused(work: Work, ada) -> None:
    hook = make(work, ada).hook
    hooks.change(work, hook=hook, draft=HookDraft(name="First"))

    with pytest.raises(Conflict):
        hooks.change(work, hook=hook, draft=HookDraft(name="Second"), version=1)

    assert hook.name == "First"


def test_disabling_holds_what_is_pending_and_what_comes(work: Work, ada) -> None:
    hook = make(work, ada).hook
    publish(work, ada)

    hooks.disable(work, hook=hook)
    publish(work, ada)

    assert states(work) == ["held", "held"]
    assert hook.disabled_reason == "Disabled by Hookyard"


@pytest.mark.parametrize("trigger", ["test", "resend", "replay"])
def test_disabling_lets_go_out_what_was_asked_for(work: Work, ada, trigger) -> None:
    hook = make(work, ada).hook
    publish(work, ada)
    work.session.execute(update(Delivery).values(trigger=trigger))
    work.session.commit()

    hooks.disable(work, hook=hook)

    assert states(work) == ["pending"]


def test_enabling_releases_what_was_held_and_rings(work: Work, ada, ring) -> None:
    hook = make(work, ada, is_active=False).hook
    publish(work, ada)
    ring.lanes.clear()

    hooks.enable(work, hook=hook)

    assert states(work) == ["pending"]
    assert work.session.scalar(select(Delivery.next_attempt_at)) == work.now()
    assert ring.lanes == ["deliveries"]


@pytest.mark.parametrize(("held", "state"), [("keep", "held"), ("cancel", "canceled")])
def test_enabling_may_keep_or_cancel_what_was_held(work: Work, ada, held, state) -> None:
    hook = make(work, ada, is_active=False).hook
    publish(work, ada)

    hooks.enable(work, hook=hook, held=held)

    assert states(work) == [state]


def test_deleting_cancels_what_waits_and_keeps_the_log(work: Work, ada) -> None:
    made = make(work, ada)
    publish(work, ada)

    hooks.delete(work, hook=made.hook)

    assert states(work) == ["canceled"]
    assert work.session.scalar(select(Delivery.url)) == URL
    assert work.session.scalar(text("SELECT count(*) FROM hook_secrets")) == 0
    with pytest.raises(NotFound):
        hooks.get(work, organization_number=ada.organization.number, hook_id=made.hook.id)


def test_a_deleted_hook_gets_no_new_events(work: Work, ada) -> None:
    hooks.delete(work, hook=make(work, ada).hook)

    assert publish(work, ada).deliveries == 0


def test_after_a_rotation_both_secrets_sign_until_the_overlap_ends(work: Work, ada, clock) -> None:
    made = make(work, ada)

    rotated = hook_secrets.rotate(work, hook=made.hook, overlap_s=3600)

    assert [text for _, text in hook_secrets.secrets_of(work, made.hook)] == [rotated.secret, made.secret]
    clock.advance(seconds=3600)
    assert [text for _, text in hook_secrets.secrets_of(work, made.hook)] == [rotated.secret]


def test_the_overlap_can_be_ended_at_once(work: Work, ada) -> None:
    made = make(work, ada)
    rotated = hook_secrets.rotate(work, hook=made.hook)

    hook_secrets.end_overlap(work, hook=made.hook)

    assert [text for _, text in hook_secrets.secrets_of(work, made.hook)] == [rotated.secret]


def test_a_second_rotation_does_not_lengthen_the_first_overlap(work: Work, ada, clock) -> None:
    made = make(work, ada)
    hook_secrets.rotate(work, hook=made.hook, overlap_s=60)

    third = hook_secrets.rotate(work, hook=made.hook, overlap_s=3600)
    clock.advance(seconds=61)

    assert len(hook_secrets.secrets_of(work, made.hook)) == 2
    assert hook_secrets.secrets_of(work, made.hook)[0][1] == third.secret


def test_lists_are_newest_first_and_filtered(work: Work, ada, mallory) -> None:
    one = make(work, ada, name="Orders", all_events=False, event_types=["order.*"]).hook
    two = make(work, ada, name="100% stock", is_active=False).hook
    make(work, mallory, name="Not yours")

    def listed(**wanted: object) -> list[int]:
        found = hooks.find(work, organization_number=ada.organization.number, wanted=HookFilter(**wanted))
        return [hook.number for hook in found]

    assert listed() == [two.number, one.number]
    assert listed(active=True) == [one.number]
    assert listed(q="ORD") == [one.number]
    assert listed(q="%") == [two.number]
    assert listed(event_type="order.paid") == [two.number, one.number]
    assert listed(event_type="stock.low") == [two.number]
    assert listed(health=Health.DISABLED) == [two.number]
    assert listed(health=Health.HEALTHY) == [one.number]


def test_every_change_is_in_the_audit_log_without_secrets(work: Work, ada) -> None:
    made = make(work, ada, headers={"Authorization": "Bearer swordfish"}, secret="swordfish and more of it")

    hook_secrets.rotate(work, hook=made.hook)
    hooks.delete(work, hook=made.hook)

    entries = work.session.scalars(select(AuditEntry).where(AuditEntry.object_id == str(made.hook.id))).all()
    assert [entry.action for entry in entries] == ["hook.created", "hook.secret_rotated", "hook.deleted"]
    assert "swordfish" not in str([entry.changes for entry in entries])


def test_a_test_send_is_one_delivery_to_that_hook_only(work: Work, ada, ring) -> None:
    hook = make(work, ada).hook
    make(work, ada)
    ring.lanes.clear()

    delivery = hook_tests.send(work, hook=hook, event_type="order.paid", payload=b'{"n": 1.10}')

    assert states(work) == [DeliveryState.PENDING]
    assert (delivery.is_test, delivery.trigger, delivery.event_type) == (True, "test", "order.paid")
    assert deliveries.body_of(delivery).data.endswith(b'"data":{"n": 1.10}}')
    assert ring.lanes == ["deliveries"]
    assert delivery.next_attempt_at - work.now() == timedelta(0)


def test_canceling_what_was_held_lets_be_what_is_being_sent(work: Work, ada) -> None:
    hook = make(work, ada, is_active=False).hook
    publish(work, ada)
    hook_tests.send(work, hook=hook)
    held, sending = work.session.scalars(select(Delivery).order_by(Delivery.number))
    sending.state = DeliveryState.SENDING
    work.session.commit()

    hooks.enable(work, hook=hook, held="cancel")

    assert states(work) == ["canceled", "sending"]
    assert (held.cancel_requested, sending.cancel_requested) == (False, False)


def test_the_health_of_a_hook_counts_what_happened_in_the_last_day(work: Work, ada, clock) -> None:
    hook = make(work, ada).hook
    for status_class, count in (("2xx", 80), ("5xx", 20)):
        work.session.add(
            HookHour(
                hook_number=hook.number,
                hour=hour_of(work.now()),
                status_class=status_class,
                bucket=1,
                organization_number=hook.organization_number,
                count=count,
            )
        )
    work.session.commit()

    found = hook_health.condition(work, hook).health

    assert (found.health, found.words) == (
        Health.DEGRADED,
        "20 of 100 attempts in 24 hours failed; the last one succeeded.",
    )
    degraded = HookFilter(health=Health.DEGRADED)
    assert hooks.find(work, organization_number=ada.organization.number, wanted=degraded) == [hook]
    clock.advance(days=2)
    assert hook_health.condition(work, hook).health.health is Health.HEALTHY


def test_a_hook_says_that_its_retry_policy_can_no_longer_be_read(work: Work, ada) -> None:
    hook = make(work, ada).hook
    work.session.execute(update(Hook).where(Hook.number == hook.number).values(retry={"kind": "lunar"}))
    work.session.commit()
    work.session.refresh(hook)

    found = hook_health.condition(work, hook).health

    assert found.health is Health.DEGRADED
    assert "retry policy cannot be read" in found.words
