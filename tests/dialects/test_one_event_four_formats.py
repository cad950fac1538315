"""One published event reaches hooks of all dialects, each in the format of its system."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from console.models import Delivery
from console.services.deliveries import deliveries
from console.services.event_types import catalogue
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import Work

pytestmark = pytest.mark.both_databases
TYPE = "customer_update_succeeded"


@pytest.fixture
def hooks_of_all_dialects(ada_api: Any, work: Work, ada: Any) -> None:
    number = ada.organization.number
    countdown = {"choice": "fixed", "kwargs": {"seconds": 1}}
    # pretix and OMS offer their own types and those that the organization added itself.
    catalogue.create(work, organization_number=number, name="shop.sold", groups=["shop"])
    posts = {
        "/api/v1/organizers/acme/webhooks/": {
            "target_url": "https://example.com/pretix",
            "limit_events": [],
            "action_types": ["shop.sold"],
        },
        "/api/v1/oms/oms_hooks/": {
            "target_url": "https://example.com/oms",
            "event_type": "shop.sold",
            "retry_countdown_config": countdown,
        },
        "/api/web/v1/webhooks": {"callbackUrl": "https://example.com/web-v1", "events": ["shop.sold"]},
        "/api/hooks-web/": {"destination_url": "https://example.com/waldur", "event_types": [TYPE]},
    }
    for path, body in posts.items():
        answer = ada_api.post(path, json=body)
        assert answer.status_code in {200, 201}, (path, answer.text)


def bodies(work: Work, ada: Any, type_: str) -> dict[str, Any]:
    draft = EventDraft(type=type_, payload=b'{"code": "A1"}', message="Sold.")
    published = publishing.publish(work, organization_number=ada.organization.number, draft=draft)
    work.session.expire_all()
    rows = work.session.scalars(select(Delivery).where(Delivery.event_number == published.number))
    return {row.url.rsplit("/", 1)[1]: json.loads(deliveries.body_of(row).data) for row in rows}


@pytest.mark.usefixtures("hooks_of_all_dialects")
def test_each_hook_gets_the_body_that_its_system_sends(work: Work, ada: Any) -> None:
    sold = bodies(work, ada, "shop.sold")

    assert sorted(sold) == ["oms", "pretix", "web-v1"]
    assert list(sold["web-v1"]) == ["type", "timestamp", "data"]
    assert list(sold["pretix"]) == ["notification_id", "organizer", "event", "action"]
    assert sold["oms"]["event"]["type"] == "shop.sold"
    assert sold["oms"]["payload"] == {"code": "A1"}


@pytest.mark.usefixtures("hooks_of_all_dialects")
def test_the_waldur_hook_gets_its_five_keys(work: Work, ada: Any) -> None:
    body = bodies(work, ada, TYPE)["waldur"]

    assert list(body) == ["timestamp", "message", "type", "context", "levelname"]
    assert (body["message"], body["context"]) == ("Sold.", {"code": "A1"})


@pytest.mark.usefixtures("hooks_of_all_dialects")
def test_all_of_them_are_in_the_native_api(ada_api: Any) -> None:
    answer = ada_api.get("/api/v1/hooks")

    assert sorted(hook["url"].rsplit("/", 1)[1] for hook in answer.json["data"]) == [
        "oms",
        "pretix",
        "waldur",
        "web-v1",
    ]
