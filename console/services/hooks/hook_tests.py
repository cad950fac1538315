"""Tests of a hook: one delivery of a sample or of a payload that somebody wrote."""

from __future__ import annotations

import hashlib

from console.core.envelopes import json_text
from console.core.errors import Invalid, Refused
from console.core.patterns import check_event_type
from console.models import Delivery, DeliveryState, Event, Hook, Trigger
from console.services.deliveries import deliveries
from console.services.event_types import catalogue
from console.services.hooks import rate_of_tests
from console.services.work import DELIVERIES, Work

TEST_TYPE = "webhook.test"


def send(work: Work, *, hook: Hook, event_type: str | None = None, payload: bytes | None = None) -> Delivery:
    """Send one test to a hook, through queue, guard and log like any delivery: one attempt, never retried.

    Without *payload* the catalogue's sample of *event_type* is sent; without either, a short ``webhook.test``. Raise
    Invalid, or TooMany when the hook was tested too often.
    """
    name = event_type or TEST_TYPE
    rate_of_tests.check(work, hook=hook)
    try:
        check_event_type(name)
    except Refused as error:
        raise Invalid.field("event_type", error.message, code=error.code) from error
    if payload is None:
        payload = sample(work, hook=hook, event_type=name)
    now = work.now()
    event = Event(
        id=work.new_id(),
        organization_number=hook.organization_number,
        type=name,
        occurred_at=now,
        created_at=now,
        request_sha256=hashlib.sha256(payload).digest(),
        payload=payload,
        payload_sha256=hashlib.sha256(payload).digest(),
        delivery_count=1,
        is_test=True,
    )
    with work.transaction():
        work.session.add(event)
        work.session.flush()
        delivery = Delivery(
            id=work.new_id(),
            organization_number=hook.organization_number,
            event_number=event.number,
            hook_number=hook.number,
            event_type=name,
            url=hook.url,
            payload_format=hook.payload_format,
            content_type=hook.content_type,
            is_test=True,
            trigger=Trigger.TEST,
            triggered_by=work.actor.user_number,
            state=DeliveryState.PENDING,
            next_attempt_at=now,
            created_at=now,
            modified_at=now,
        )
        work.session.add(delivery)
        work.session.flush()
        deliveries.note(work, delivery, "hook.tested")
    work.ring.ring(DELIVERIES)
    return delivery


def sample(work: Work, *, hook: Hook, event_type: str) -> bytes:
    """Write what a test of *event_type* sends to a hook when nothing else is given."""
    known = catalogue.sample_of(work, organization_number=hook.organization_number, name=event_type)
    return json_text(known if known is not None else {"message": f"Test of webhook {hook.id}"})
