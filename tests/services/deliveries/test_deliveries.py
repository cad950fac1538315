"""The log of deliveries, and what people do to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from console.core.errors import Conflict, Invalid, NotFound
from console.models import AuditEntry, Delivery, DeliveryState, HookState
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work

pytestmark = pytest.mark.both_databases


@pytest.fixture
def hook(work: Work, ada):
    draft = HookDraft(url="https://example.com/hook", all_events=True)
    return hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft).hook


def publish(work: Work, person, type_: str = "order.paid", **fields: object) -> Delivery:
    published = publishing.publish(
        work,
        organization_number=person.organization.number,
        draft=EventDraft(type=type_, payload=b'{"n":1}', **fields),
    )
    return work.session.scalar(select(Delivery).where(Delivery.event_number == published.number))


def put(work: Work, delivery: Delivery, **values: object) -> Delivery:
    work.session.execute(update(Delivery).where(Delivery.number == delivery.number).values(**values))
    work.session.commit()
    work.session.refresh(delivery)
    return delivery


def listed(work: Work, person, **wanted: object) -> list[int]:
    rows = deliveries.find(work, organization_number=person.organization.number, wanted=DeliveryFilter(**wanted))
    return [row.number for row in rows]


@pytest.mark.parametrize("state", ["pending", "delivered", "failed", "canceled", "held"])
def test_resend_begins_a_new_chain_that_is_due_now(work: Work, ada, hook, ring, clock, state) -> None:
    delivery = put(work, publish(work, ada), state=state, chain_failures=4, attempt_count=4, finished_at=work.now())
    clock.advance(hours=1)
    ring.lanes.clear()

    deliveries.resend(work, delivery=delivery)

    assert (delivery.state, delivery.chain, delivery.chain_failures) == ("pending", 2, 0)
    assert (delivery.attempt_count, delivery.trigger) == (4, "resend")
    assert (delivery.next_attempt_at, delivery.finished_at) == (work.now(), None)
    assert ring.lanes == ["deliveries"]


def test_a_delivery_in_flight_is_not_resent(work: Work, ada, hook) -> None:
    delivery = put(work, publish(work, ada), state="sending")

    with pytest.raises(Conflict):
        deliveries.resend(work, delivery=delivery)


def test_a_delivery_of_a_deleted_hook_is_not_resent(work: Work, ada, hook) -> None:
    delivery = publish(work, ada)
    hooks.delete(work, hook=hook)

    with pytest.raises(Conflict):
        deliveries.resend(work, delivery=delivery)


def test_resending_many_passes_over_what_cannot_be_sent(work: Work, ada, hook, mallory) -> None:
    failed = put(work, publish(work, ada), state="failed")
    sending = put(work, publish(work, ada), state="sending")
    hooks.create(
        work,
        organization_number=mallory.organization.number,
        author_number=None,
        draft=HookDraft(url="https://example.com/other", all_events=True),
    )
    foreign = put(work, publish(work, mallory), state="failed")

    count = deliveries.resend_many(
        work, organization_number=ada.organization.number, ids=[failed.id, sending.id, foreign.id]
    )

    assert count == 1
    for row in (failed, sending, foreign):
        work.session.refresh(row)
    assert [row.state for row in (failed, sending, foreign)] == ["pending", "sending", "failed"]


@pytest.mark.parametrize("state", ["pending", "held"])
def test_a_waiting_delivery_can_be_canceled(work: Work, ada, hook, state) -> None:
    delivery = deliveries.cancel(work, delivery=put(work, publish(work, ada), state=state))

    assert (delivery.state, delivery.next_attempt_at) == ("canceled", None)
    assert delivery.finished_at == work.now()


def test_canceling_a_delivery_in_flight_waits_for_its_outcome(work: Work, ada, hook) -> None:
    delivery = deliveries.cancel(work, delivery=put(work, publish(work, ada), state="sending"))

    assert (delivery.state, delivery.cancel_requested) == ("sending", True)


@pytest.mark.parametrize("state", ["delivered", "failed", "canceled"])
def test_what_has_ended_cannot_be_canceled(work: Work, ada, hook, state) -> None:
    with pytest.raises(Conflict):
        deliveries.cancel(work, delivery=put(work, publish(work, ada), state=state))


def test_send_now_skips_the_wait_within_the_same_chain(work: Work, ada, hook) -> None:
    delivery = put(work, publish(work, ada), next_attempt_at=work.now() + timedelta(hours=1), chain_failures=3)

    deliveries.send_now(work, delivery=delivery)

    assert (delivery.next_attempt_at, delivery.chain, delivery.chain_failures) == (work.now(), 1, 3)


def test_send_now_ends_the_pause_of_an_open_circuit(work: Work, ada, hook) -> None:
    state = work.session.get(HookState, hook.number)
    state.openings, state.open_until = 2, work.now() + timedelta(minutes=50)
    work.session.commit()
    delivery = put(work, publish(work, ada), next_attempt_at=work.now() + timedelta(hours=1))

    deliveries.send_now(work, delivery=delivery)

    work.session.refresh(state)
    assert (state.open_until, state.openings) == (work.now(), 2)


def test_the_log_is_newest_first_and_pages_by_number(work: Work, ada, hook) -> None:
    numbers = [publish(work, ada).number for _ in range(5)]

    first = deliveries.find(work, organization_number=ada.organization.number, wanted=DeliveryFilter(), limit=2)
    rest = deliveries.find(
        work, organization_number=ada.organization.number, wanted=DeliveryFilter(), before=first[-1].number
    )

    assert [row.number for row in [*first, *rest]] == numbers[::-1]


def test_each_filter_finds_what_it_names(work: Work, ada, hook) -> None:
    paid = put(
        work,
        publish(work, ada, "order.paid"),
        state="failed",
        last_status=500,
        last_outcome="server_error",
        attempt_count=1,
    )
    done = put(
        work,
        publish(work, ada, "order.refund.done"),
        state="delivered",
        last_status=204,
        last_outcome="ok",
        attempt_count=1,
    )
    silent = put(work, publish(work, ada, "stock.low"), last_outcome="timeout", attempt_count=1)
    plain = publish(work, ada, "orders", object_model="order", object_pk="A-17")

    assert listed(work, ada, states=(DeliveryState.FAILED,)) == [paid.number]
    assert listed(work, ada, states=(DeliveryState.DELIVERED, DeliveryState.FAILED)) == [done.number, paid.number]
    assert listed(work, ada, event_type="order.*") == [done.number, paid.number]
    assert listed(work, ada, event_type="orders") == [plain.number]
    assert listed(work, ada, status_class="5xx") == [paid.number]
    assert listed(work, ada, status_class="2xx") == [done.number]
    assert listed(work, ada, status_class="none") == [silent.number]
    assert listed(work, ada, outcome="timeout") == [silent.number]
    assert listed(work, ada, q="A-17") == [plain.number]
    assert listed(work, ada, q=str(paid.id)) == [paid.number]
    assert listed(work, ada, q=str(paid.id)[:-2].upper()) != []
    assert listed(work, ada, event_number=done.event_number) == [done.number]
    assert listed(work, ada, hook_number=hook.number + 1) == []
    assert listed(work, ada, until=work.now()) == []
    assert len(listed(work, ada, since=work.now())) == 4


def test_what_is_sent_for_the_first_time_is_not_yet_without_an_answer_however_it_is_looked_for(
    work: Work, ada, hook
) -> None:
    silent = put(work, publish(work, ada, "order.paid"), last_outcome="timeout", attempt_count=1)
    begun = put(
        work,
        publish(work, ada, "order.paid", object_model="order", object_pk="A-17"),
        state="sending",
        attempt_count=1,
    )

    assert listed(work, ada, status_class="none") == [silent.number]
    assert listed(work, ada, status_class="none", q="A-17") == []
    assert listed(work, ada, status_class="none", event_number=begun.event_number) == []


@pytest.mark.parametrize("wrong", [{"status_class": "7xx"}, {"event_type": "a b"}, {"event_type": "*.paid"}])
def test_a_filter_that_cannot_match_is_refused(work: Work, ada, wrong) -> None:
    with pytest.raises(Invalid):
        listed(work, ada, **wrong)


def test_another_organizations_deliveries_do_not_exist(work: Work, ada, mallory, hook) -> None:
    delivery = publish(work, ada)

    assert listed(work, mallory) == []
    with pytest.raises(NotFound):
        deliveries.get(work, organization_number=mallory.organization.number, delivery_id=delivery.id)


def test_planned_attempts_follow_the_policy_from_where_the_chain_is(work: Work, ada, hook) -> None:
    hooks.change(work, hook=hook, draft=HookDraft(retry={"kind": "list", "delays": [10, 60, 300]}))
    delivery = put(work, publish(work, ada), chain_failures=1, next_attempt_at=work.now() + timedelta(seconds=10))

    waits = [(moment - work.now()).total_seconds() for moment in deliveries.planned_attempts(work, delivery)]

    assert waits == [10, 70, 370]


def test_planned_attempts_begin_when_a_pause_ends_and_never_in_the_past(work: Work, ada, hook) -> None:
    late = put(work, publish(work, ada), next_attempt_at=work.now() - timedelta(minutes=5))
    waits = [(moment - work.now()).total_seconds() for moment in deliveries.planned_attempts(work, late)]
    assert (waits[0], waits[1]) == (-300, 10)

    work.session.get(HookState, hook.number).open_until = work.now() + timedelta(minutes=2)
    work.session.commit()

    waits = [(moment - work.now()).total_seconds() for moment in deliveries.planned_attempts(work, late)]
    assert (waits[0], waits[1]) == (120, 130)


def test_who_resent_is_in_the_audit_log(work: Work, ada, hook, as_person) -> None:
    delivery = publish(work, ada)

    deliveries.resend(as_person(ada), delivery=delivery)

    entry = work.session.scalar(select(AuditEntry).where(AuditEntry.action == "delivery.resent"))
    assert (entry.actor, entry.object_id) == ("ada@example.com", str(delivery.id))


def test_a_resend_by_somebody_is_marked_with_them(work: Work, ada, hook, as_person) -> None:
    delivery = deliveries.resend(replace(as_person(ada)), delivery=publish(work, ada))

    assert delivery.triggered_by == ada.user.number
