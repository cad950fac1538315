"""What a webhook made through pretix's dialect gets: which events, which bodies, when again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from console.core.outcomes import Outcome
from console.models import Delivery, Event, Turn
from console.services.deliveries import deliveries
from console.services.engine import recipients
from console.services.event_types import catalogue
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import DELIVERIES, DELIVERIES_SLOW, SystemClock, Work
from tests.dialects.drf_stage import row_of
from tests.dialects.pretix_stage import W, make, path_of
from tests.engine import attempts, claim, delivery, hire, put, record, rows_of
from tests.receiver import Receiver
from workers.beat import Beat
from workers.drain import Drain
from workers.equipment import Equipment, open_engine
from workers.sender import Sender

pytestmark = pytest.mark.usefixtures("two_events")

PAID = "pretix.event.order.paid"
DELAYS = [5, 30, 60, 300, 1200, 3600, 14_400, 21_600, 43_200, 43_200, 86_400]


def publish(work: Work, person: Any, type: str = PAID, *, payload: Any = None, **fields: Any) -> list[Delivery]:  # noqa: A002
    """Publish an event; give its deliveries."""
    draft = EventDraft(type=type, payload=json.dumps({} if payload is None else payload).encode(), **fields)
    [published] = publishing.publish_batch(work, organization_number=person.organization.number, drafts=[draft])
    query = (
        select(Delivery)
        .where(Delivery.event_number == published.number)
        .options(joinedload(Delivery.event), joinedload(Delivery.hook))
        .order_by(Delivery.number)
    )
    return list(work.session.scalars(query))


def body_of(work: Work, person: Any, type: str = PAID, **fields: Any) -> dict[str, Any]:  # noqa: A002
    """Publish an event to the one webhook there is; give the body it is sent."""
    [made] = publish(work, person, type, **fields)
    body = deliveries.body_of(made)
    assert (body.content_type, body.headers) == ("application/json", {})
    return json.loads(body.data)


# --- which events ---------------------------------------------------------------------------------------------------

HEARD = [
    ({"all_events": True}, "democon", True),
    ({"all_events": True}, None, True),
    ({"all_events": False, "limit_events": ["democon"]}, "democon", True),
    ({"all_events": False, "limit_events": ["democon"]}, "otherconf", False),
    ({"all_events": False, "limit_events": ["democon"]}, None, True),
    ({"all_events": False, "limit_events": []}, "democon", False),
    ({"all_events": False, "limit_events": []}, None, True),
    ({"limit_events": ["democon"]}, "otherconf", True),
]


@pytest.mark.both_databases
@pytest.mark.parametrize(("scope", "source", "expected"), HEARD)
def test_events_of_the_right_source_are_heard(
    ada_api: Any, ada: Any, work: Work, scope: dict[str, Any], source: str | None, expected: object
) -> None:
    make(ada_api, action_types=[PAID], **scope)

    assert bool(publish(work, ada, source=source)) == expected


TYPES = [
    (PAID, PAID, True),
    (PAID, "pretix.event.order.canceled", False),
    ("pretix.event.order.changed.*", "pretix.event.order.changed.item", True),
    ("pretix.event.order.changed.*", "pretix.event.order.changed.secret.x", True),
    ("pretix.event.order.changed.*", "pretix.event.order.changed", False),
    ("pretix.event.item.*", "pretix.event.item.variation.added", True),
    ("pretix.event.order.placed", "pretix.event.order.placed.require_approval", False),
]


@pytest.mark.parametrize(("action_type", "published", "expected"), TYPES)
def test_action_types_are_heard_by_name_or_by_what_is_above_them(
    ada_api: Any, ada: Any, work: Work, action_type: str, published: str, expected: object
) -> None:
    make(ada_api, action_types=[action_type])

    assert bool(publish(work, ada, published)) == expected


def test_a_webhook_without_action_types_hears_nothing(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, all_events=True)

    assert publish(work, ada) == []


def test_what_comes_while_a_webhook_is_disabled_is_held(ada_api: Any, ada: Any, work: Work) -> None:
    webhook = make(ada_api, action_types=[PAID])
    ada_api.delete(path_of(webhook))
    [made] = publish(work, ada)
    before = made.state

    ada_api.patch(path_of(webhook), json={"enabled": True})

    assert (before, delivery(work, made.number).state) == ("held", "pending")


# --- which body -----------------------------------------------------------------------------------------------------


def test_the_body_of_the_document(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, all_events=False, limit_events=["democon"], action_types=[PAID])

    [made] = publish(work, ada, payload={"code": "ABC23"}, source="democon")

    body = deliveries.body_of(made)
    number = work.session.scalars(select(Event.number)).one()
    assert body.data == (
        b'{"notification_id":%d,"organizer":"acme","event":"democon","code":"ABC23","action":"%s"}'
        % (number, PAID.encode())
    )
    assert body.content_type == "application/json"


KINDS = {
    PAID: "notification_id organizer event code action",
    "pretix.event.order.changed.item": "notification_id organizer event code action",
    "pretix.event.live.activated": "notification_id organizer event action",
    "pretix.event.changed": "notification_id organizer event action",
    "pretix.subevent.added": "notification_id organizer event subevent action",
    "pretix.event.item.changed": "notification_id organizer event item action",
    "pretix.event.orders.waitinglist.added": "notification_id organizer event waitinglistentry action",
    "pretix.event.checkin": (
        "notification_id organizer event code action orderposition_id orderposition_positionid checkin_list type "
        "first_checkin"
    ),
    "pretix.customer.created": "notification_id organizer customer action",
}


@pytest.mark.parametrize("action_type", KINDS)
def test_each_kind_of_action_type_has_its_keys(ada_api: Any, ada: Any, work: Work, action_type: str) -> None:
    wildcards = ["pretix.event.order.changed.*", "pretix.event.item.*"]
    make(
        ada_api,
        action_types=[*wildcards, *KINDS.keys() - {"pretix.event.order.changed.item", "pretix.event.item.changed"}],
    )

    body = body_of(work, ada, action_type)

    assert list(body) == KINDS[action_type].split()
    assert body["action"] == action_type
    assert body["organizer"] == "acme"


def test_values_come_from_the_payload_else_from_the_object(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, action_types=[PAID, "pretix.subevent.added", "pretix.customer.created"])

    from_payload = body_of(work, ada, "pretix.subevent.added", payload={"subevent": 9}, object_pk="7")
    from_object = body_of(work, ada, "pretix.subevent.added", object_pk="7", source="democon")

    assert (from_payload["subevent"], from_payload["event"]) == (9, None)
    assert (from_object["subevent"], from_object["event"]) == (7, "democon")
    assert body_of(work, ada, object_pk="12345")["code"] == "12345"
    assert body_of(work, ada)["code"] is None
    assert body_of(work, ada, "pretix.customer.created", object_pk="77")["customer"] == "77"


def test_every_webhook_gets_the_same_notification_id(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, action_types=[PAID])
    make(ada_api, action_types=[PAID])

    bodies = {deliveries.body_of(made).data for made in publish(work, ada)}

    assert len(bodies) == 1


def test_a_type_of_the_organizations_own_is_told_as_an_event(ada_api: Any, ada: Any, work: Work) -> None:
    catalogue.create(work, organization_number=ada.organization.number, name="plugin.badge.printed")
    make(ada_api, action_types=["plugin.badge.printed"])

    body = body_of(work, ada, "plugin.badge.printed", payload={"badge": 5})

    assert list(body) == ["notification_id", "organizer", "event", "action"]


# --- when again -----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_the_schedule_is_exactly_that_of_pretix(ada_api: Any, ada: Any, work: Work, clock: Any) -> None:
    """Twelve attempts, each after its delay from the end of the one before, although the circuit opens meanwhile."""
    make(ada_api, action_types=[PAID])
    [made] = publish(work, ada)
    number = made.number
    work.session.commit()
    worker = hire(work)
    waits = []

    for _ in range(len(DELAYS) + 1):
        [row] = rows_of(claim(work, worker) + claim(work, worker, lane=DELIVERIES_SLOW))
        record(work, row, Outcome.SERVER_ERROR, status=500, duration_ms=1500.0)
        ended_at = work.now() + timedelta(seconds=1.5)
        found = delivery(work, number)
        if found.state == "pending":
            waits.append((found.next_attempt_at - ended_at).total_seconds())
            clock.moment = found.next_attempt_at - timedelta(seconds=0.001)
            work.session.execute(update(Turn).values(worker_number=None))
            work.session.commit()
            assert not rows_of(claim(work, worker) + claim(work, worker, lane=DELIVERIES_SLOW))
            clock.advance(seconds=0.001)

    assert waits == DELAYS
    assert delivery(work, number).state == "failed"
    assert len(attempts(work, number)) == 12


def test_a_receiver_has_thirty_seconds(ada_api: Any, ada: Any, work: Work) -> None:
    webhook = make(ada_api)

    assert recipients.load(work, numbers=[webhook["id"]])[webhook["id"]].timeout_s == 30.0


def deliver(work: Work) -> None:
    """Send everything that is due, as a worker does."""
    engine = open_engine(work.settings, pool_size=4)
    equipment = Equipment(engine, work.settings, work.keys, ring=work.ring)
    sender = Sender(work.settings.target_policy, user_agent="Hookyard/test", pool_size=4)
    beat = Beat(equipment, lane=DELIVERIES)
    drain = Drain(equipment, lane=DELIVERIES, beat=beat, sender=sender, threads=2)
    work.session.commit()
    beat.start()
    drain.start()
    try:
        drain.run(slice_s=20)
    finally:
        beat.stop()
        drain.close()
        engine.dispose()


def publish_now(work: Work, person: Any) -> int:
    """Publish an event at the time that it really is, which is a worker's; give the number of its delivery."""
    [made] = publish(replace(work, clock=SystemClock()), person, payload={"code": "ABC23"}, source="democon")
    number: int = made.number
    work.session.commit()
    return number


@pytest.mark.both_databases
def test_what_is_sent_is_the_body_and_the_headers_of_standard_webhooks(
    ada_api: Any, ada: Any, work: Work, receiver: Receiver
) -> None:
    make(ada_api, target_url=receiver.url, action_types=[PAID])
    number = publish_now(work, ada)

    deliver(work)

    [receipt] = receiver.receipts
    assert (receipt.method, receipt.headers["content-type"]) == ("POST", "application/json")
    assert list(json.loads(receipt.body)) == ["notification_id", "organizer", "event", "code", "action"]
    assert {"webhook-id", "webhook-timestamp", "webhook-signature"} <= receipt.headers.keys()
    assert delivery(work, number).state == "delivered"


@pytest.mark.both_databases
def test_a_receiver_that_is_gone_disables_the_webhook(ada_api: Any, ada: Any, work: Work, receiver: Receiver) -> None:
    receiver.answer = (410, {}, b"gone")
    webhook = make(ada_api, target_url=receiver.url, action_types=[PAID])
    number = publish_now(work, ada)

    deliver(work)

    assert len(receiver.receipts) == 1
    assert delivery(work, number).state == "failed"
    assert ada_api.get(path_of(webhook)).get_json()["enabled"] is False


def test_a_redirect_is_a_failed_attempt(ada_api: Any, ada: Any, work: Work, receiver: Receiver) -> None:
    receiver.answer = (302, {"Location": f"{receiver.url}/other"}, b"")
    make(ada_api, target_url=receiver.url, action_types=[PAID])
    number = publish_now(work, ada)

    deliver(work)

    found = delivery(work, number)
    assert (len(receiver.receipts), found.state, found.last_outcome) == (1, "pending", "redirect")


def test_a_resend_has_the_same_body(ada_api: Any, ada: Any, work: Work, receiver: Receiver) -> None:
    webhook = make(ada_api, target_url=receiver.url, action_types=[PAID])
    number = publish_now(work, ada)
    deliver(work)

    now = replace(work, clock=SystemClock())
    deliveries.resend(now, delivery=delivery(work, number))
    put(work, number, next_attempt_at=now.now())
    deliver(work)

    first, second = receiver.receipts
    assert (first.id, first.body) == (second.id, second.body)
    assert row_of(work, webhook).is_active
    assert ada_api.get(W).status_code == 200
