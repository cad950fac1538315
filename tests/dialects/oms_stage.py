"""What tests of the oms dialect arrange: webhooks, events, and a worker that sends them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import update

from console.core.outcomes import Outcome
from console.models import Delivery, Hook, Turn
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import DELIVERIES, DELIVERIES_SLOW, SystemClock, Work
from tests.dialects import drf_stage
from tests.dialects.drf_stage import PAGE_KEYS, URL, are_sentences, is_of_the_framework
from tests.engine import claim, hire, put, record, rows_of
from tests.receiver import Receipt, Receiver
from workers.beat import Beat
from workers.drain import Drain
from workers.equipment import Equipment, open_engine
from workers.sender import Sender

H = "/api/v1/oms/oms_hooks/"
W = "/whisperer/hooks/"
E = "/api/v1/oms/oms_hook_events/"
PUBLISH = f"{E}publish-event/"
RESEND = f"{E}resend-event/"
OTHER = "https://receiver.example.com/other"
SECRET = "esGmJGCSbxJUsYqsPFEeMiSpPqcqABPIGxFLNPDuFmKKQEVyecoHRTUAWyaphTep"
AUTH = {"auth": {"auth_type": "basic", "username": "erp", "password": "hunter2"}}
FIXED = {"choice": "fixed", "kwargs": {"seconds": 1}}
LEAST = {"retry_countdown_config": FIXED, "target_url": URL, "event_type": "package.created"}
PACKAGE = {"pk": 1, "model": "package"}
HOOK_KEYS = [
    "id",
    "retry_countdown_config",
    "created_date",
    "modified_date",
    "target_url",
    "is_active",
    "secret_key",
    "event_type",
    "callback",
    "additional_headers",
    "config",
]
EVENT_KEYS = [
    "id",
    "webhook",
    "created_date",
    "modified_date",
    "uuid",
    "request_payload",
    "response_content",
    "response_http_status",
    "delivered",
    "request_datetimes",
    "retry_count",
    "object_id",
    "content_type",
]
TYPES = [
    "package.created",
    "package.status.transitioned",
    "package.status.packed",
    "package.status.cancelled",
    "package.status.shipped",
    "package.status.packed_for_refund",
    "package.shipment.awb_number",
    "shipment.created",
    "shipment.status.updated",
    "shipment.cancelled",
    "transfer.status.created",
]
REQUIRED = ["This field is required."]
NULL = ["This field may not be null."]
NO_WEBHOOK = {"code": "webhook_100_1", "en": "Webhook does not exist"}
REGISTERED = {"code": "webhook_100_2", "en": "Webhook already registered"}
INACTIVE = {"code": "webhook_100_3", "en": "Webhook is not active"}
NO_EVENT = {"code": "event_100_1", "en": "WebhookEvent does not exist"}
UNKNOWN_TYPE = {"code": "event_100_2", "en": "Unknown event type"}


def make(api: Any, **fields: Any) -> dict[str, Any]:
    """Subscribe to ``package.created``, unless told."""
    answer = api.post(H, json=LEAST | fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.get_json()
    return made


def path_of(webhook: dict[str, Any]) -> str:
    return f"{H}{webhook['id']}/"


def make_native(work: Work, person: Any, **fields: Any) -> Hook:
    """Make a hook of that person's elsewhere: one that oms can say, unless told."""
    countdown = {"event_types": ["package.created"], "retry": {"kind": "fixed", "seconds": 60}}
    return drf_stage.make_native(work, person, author_number=person.user.number, **{**countdown, **fields})


def publish(api: Any, webhook: dict[str, Any], instance: Any = None) -> None:
    answer = api.post(PUBLISH, json={"hook": webhook["id"], "instance": PACKAGE if instance is None else instance})
    assert (answer.status_code, answer.data) == (202, b""), answer.text


def events_of(api: Any, **query: Any) -> list[dict[str, Any]]:
    """Give what the list of events says, newest first."""
    answer = api.get(E, query_string=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["results"]
    return found


def attempt(work: Work, event: dict[str, Any], outcome: Outcome = Outcome.OK, **fields: Any) -> None:
    """Make the next attempt for an event and let it end so, without a receiver."""
    work.session.execute(update(Turn).values(worker_number=None))
    put(work, event["id"], next_attempt_at=work.now())
    [row] = rows_of(claim(work, hire(work)) + claim(work, hire(work), lane=DELIVERIES_SLOW))
    assert row.number == event["id"]
    record(work, row, outcome, **fields)


def at_present(work: Work) -> Work:
    """Give a Work at the time that it really is, which is a worker's."""
    return replace(work, clock=SystemClock())


def deliver(work: Work) -> None:
    """Send everything that waits, as a worker does, and let the callbacks of it end."""
    now = at_present(work).now()
    work.session.execute(update(Delivery).where(Delivery.state == "pending").values(next_attempt_at=now))
    work.session.commit()
    engine = open_engine(work.settings, pool_size=4)
    equipment = Equipment(engine, work.settings, work.keys, ring=work.ring)
    sender = Sender(work.settings.target_policy, user_agent="Hookyard/test", pool_size=4)
    beat = Beat(equipment, lane=DELIVERIES)
    drain = Drain(equipment, lane=DELIVERIES, beat=beat, sender=sender, threads=2)
    beat.start()
    drain.start()
    try:
        drain.run(slice_s=20)
    finally:
        drain.close()
        beat.stop()
        engine.dispose()


def is_of_oms(answer: Any) -> bool:
    """Say whether an answer has one of the shapes that the contract knows."""
    if answer.status_code == 406 and answer.mimetype == "application/json" and "code" in answer.get_json():
        return list(answer.get_json()) == ["code", "en"]
    if answer.status_code == 202 or (answer.status_code == 200 and not answer.data):
        return not answer.data
    return is_of_the_framework(answer, shown=_is_shown, errors=_are_errors)


def _is_shown(body: Any) -> bool:
    return isinstance(body, list) or list(body) in (HOOK_KEYS, EVENT_KEYS, PAGE_KEYS)


def _are_errors(words: Any) -> bool:
    """Say whether *words* are sentences, or an object of such by key."""
    if isinstance(words, dict):
        return bool(words) and all(map(_are_errors, words.values()))
    return are_sentences(words)


def published_natively(work: Work, person: Any, payload: bytes = b"{}", **fields: Any) -> None:
    """Publish an event through the core, not the dialect."""
    draft = EventDraft(**{"type": "package.created", "payload": payload, **fields})
    publishing.publish(work, organization_number=person.organization.number, draft=draft)


def sent(api: Any, work: Work, receiver: Receiver, **fields: Any) -> Receipt:
    """Subscribe with these fields and publish an event; give the request that comes of it."""
    publish(api, make(api, target_url=receiver.url, **fields))
    deliver(work)
    return receiver.receipts[-1]
