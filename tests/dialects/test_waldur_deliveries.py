"""What Waldur's hooks receive."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from sqlalchemy import select

from console.models import Delivery
from console.services.deliveries import deliveries
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import Work
from tests.dialects.waldur_stage import CUSTOMER, SSH, URL, make, path_of


def publish(work: Work, ada: Any, event_type: str = CUSTOMER, payload: bytes = b"{}", **fields: Any) -> list[Delivery]:
    """Publish an event and give its deliveries."""
    work.session.commit()
    draft = EventDraft(type=event_type, payload=payload, **fields)
    published = publishing.publish(work, organization_number=ada.organization.number, draft=draft)
    query = select(Delivery).where(Delivery.event_number == published.number)
    return list(work.session.scalars(query))


@pytest.mark.both_databases
def test_an_event_is_one_delivery_with_the_five_keys_of_the_document(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, event_types=[CUSTOMER])
    make(ada_api, event_groups=["ssh"])

    (delivery,) = publish(work, ada, message="Customer Example was renamed.", context=b'{"customer_name": "Example"}')

    body = deliveries.body_of(delivery)
    assert body.content_type == "application/json"
    assert list(json.loads(body.data).items()) == [
        ("timestamp", "2026-11-22T09:00:00.000000"),
        ("message", "Customer Example was renamed."),
        ("type", CUSTOMER),
        ("context", {"customer_name": "Example"}),
        ("levelname", "INFO"),
    ]


@pytest.mark.parametrize(
    ("payload", "context", "expected"),
    [
        (b'{"a": 1}', None, {"a": 1}),
        (b'{"a": 1}', b'{"b": 2}', {"b": 2}),
        (b"[1]", None, {"payload": [1]}),
        (b"null", None, {"payload": None}),
    ],
)
def test_the_context_of_a_delivery(
    ada_api: Any, ada: Any, work: Work, payload: bytes, context: bytes | None, expected: object
) -> None:
    make(ada_api, event_types=[CUSTOMER])

    (delivery,) = publish(work, ada, payload=payload, context=context)

    body = json.loads(deliveries.body_of(delivery).data)
    assert (body["context"], body["message"]) == (expected, "")


def test_a_form_has_the_same_five_fields(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, event_types=[CUSTOMER], content_type="form")

    (delivery,) = publish(work, ada, payload=b'{"a": "b c"}', message="Hello & welcome")

    body = deliveries.body_of(delivery)
    assert body.content_type == "application/x-www-form-urlencoded"
    assert parse_qs(body.data.decode(), strict_parsing=True) == {
        "timestamp": ["2026-11-22T09:00:00.000000"],
        "message": ["Hello & welcome"],
        "type": [CUSTOMER],
        "context": ['{"a": "b c"}'],
        "levelname": ["INFO"],
    }


def test_labels_alone_subscribe_to_nothing(ada_api: Any, ada: Any, work: Work) -> None:
    hook = make(ada_api, event_groups=["ssh"])
    ada_api.patch(path_of(hook), json={"event_types": []})

    assert publish(work, ada, SSH[0]) == []


def test_a_hook_without_types_hears_nothing(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api)

    assert publish(work, ada) == []


def test_a_disabled_hooks_delivery_is_held_and_released(ada_api: Any, ada: Any, work: Work) -> None:
    hook = make(ada_api, event_types=[CUSTOMER], is_active=False)
    (delivery,) = publish(work, ada)
    assert delivery.state == "held"

    ada_api.patch(path_of(hook), json={"is_active": True})

    work.session.refresh(delivery)
    assert delivery.state == "pending"


def test_deleting_a_hook_cancels_what_waits_and_keeps_the_log(ada_api: Any, ada: Any, work: Work) -> None:
    hook = make(ada_api, event_types=[CUSTOMER])
    (delivery,) = publish(work, ada)

    ada_api.delete(path_of(hook))

    work.session.refresh(delivery)
    assert (delivery.state, delivery.url) == ("canceled", URL)


def test_hooks_of_every_member_of_the_organization_hear_an_event(
    ada_api: Any, ed_api: Any, mallory_api: Any, ada: Any, work: Work
) -> None:
    for api in (ada_api, ed_api, mallory_api):
        make(api, event_types=[CUSTOMER])

    assert len(publish(work, ada)) == 2
