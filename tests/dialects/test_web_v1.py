"""WebhooksApi web/v1: its six operations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from console.core.redact import MASK
from console.models import Delivery, DeliveryState, Hook
from console.services.deliveries import deliveries
from console.services.event_types import catalogue
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hook_secrets
from console.services.work import Work
from console.settings import Settings
from tests.apps import app_of
from tests.dialects.web_v1_stage import (
    ID,
    KEYS,
    PARMS,
    PRIVATE,
    URL,
    Caller,
    changed,
    native_hook,
    refusal,
    secrets_of,
    stored,
)

# --- create, list, read ---------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_created_webhook_is_answered_listed_and_read_alike(ada_v1: Caller) -> None:
    answer = ada_v1.call("POST", json=PARMS | {"name": "Warehouse", "secret": "a secret"})

    webhook = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert list(webhook) == KEYS
    assert webhook == {
        "id": str(UUID(webhook["id"])),
        "name": "Warehouse",
        "description": None,
        "callbackUrl": URL,
        "events": ["package.created"],
        "enabled": True,
        "headers": {},
        "created": "2026-11-22T09:00:00.000Z",
        "updated": "2026-11-22T09:00:00.000Z",
        "createdBy": "ada",
    }
    assert ada_v1.list() == [webhook]
    assert ada_v1.read(webhook["id"]) == ada_v1.read(webhook["id"].upper()) == webhook


@pytest.mark.parametrize("field", ["name", "description", "enabled", "headers", "secret"])
def test_null_counts_as_omitted(ada_v1: Caller, field: str) -> None:
    webhook = ada_v1.make(**{field: None})

    assert {key: webhook[key] for key in KEYS[1:7]} == {
        "name": None,
        "description": None,
        "callbackUrl": URL,
        "events": ["package.created"],
        "enabled": True,
        "headers": {},
    }


def test_unknown_and_read_only_keys_are_ignored(ada_v1: Caller) -> None:
    webhook = ada_v1.make(id=ID, created="x", createdBy=5, colour="red")

    assert webhook["id"] != ID
    assert webhook["createdBy"] == "ada"


def test_limits_themselves_are_fine(ada_v1: Caller, work: Work) -> None:
    url = "https://example.com/" + "x" * 2028
    webhook = ada_v1.make(name="é" * 100, description="\n" * 255, callbackUrl=url, secret="x" * 255)

    assert (webhook["name"], webhook["description"], webhook["callbackUrl"]) == ("é" * 100, "\n" * 255, url)
    assert secrets_of(work, webhook["id"]) == ["x" * 255]


@pytest.mark.parametrize(
    "url", ["HTTPS://Example.COM:443/a?b=%2f", "https://bücher.example/", "http://127.0.0.1:9000/", "https://a.b"]
)
def test_the_url_comes_back_exactly_as_it_was_sent(ada_v1: Caller, url: str) -> None:
    assert ada_v1.make(callbackUrl=url)["callbackUrl"] == url


def test_a_webhook_is_a_hook_like_any_other(ada_v1: Caller, work: Work) -> None:
    webhook = ada_v1.make(headers={"X-A": "b"}, enabled=False)

    hook = stored(work, webhook["id"])
    assert (hook.dialect, hook.payload_format, hook.content_type, hook.name) == ("web_v1", "standard", "json", "")
    assert (hook.retry, hook.timeout_s, hook.sources, hook.dialect_data) == (None, None, None, {})
    assert (hook.is_active, hook.disabled_reason) == (False, "Created disabled")
    assert secrets_of(work, webhook["id"])[0].startswith("whsec_")


@pytest.mark.parametrize(
    ("given_events", "kept"),
    [
        (["package.*", "shipment.created"], ["package.*", "shipment.created"]),
        (["*"], ["*"]),
        (["*.created"], ["*.created"]),
        (["pretix.event.item.*"], ["pretix.event.item.*"]),
        (["pretix.event.item.changed"], ["pretix.event.item.changed"]),
        (["shipment.created", "package.created", "shipment.created"], ["shipment.created", "package.created"]),
        (["own.type"], ["own.type"]),
    ],
)
def test_events_are_names_of_the_catalogue_or_wildcards_over_it(
    ada_v1: Caller, work: Work, ada, given_events: list[str], kept: list[str]
) -> None:
    catalogue.create(work, organization_number=ada.organization.number, name="own.type")

    assert ada_v1.make(events=given_events)["events"] == kept


def test_events_of_another_organization_are_unknown(ada_v1: Caller, work: Work, mallory) -> None:
    catalogue.create(work, organization_number=mallory.organization.number, name="own.type")

    answer = ada_v1.call("POST", json=PARMS | {"events": ["own.type"]})
    assert refusal(answer) == (400, "events: unknown event own.type")


def test_the_list_is_oldest_first_and_has_no_pages(ada_v1: Caller, work: Work, ada, clock) -> None:
    now = clock.now()
    work.session.add_all(
        Hook(
            id=work.new_id(),
            organization_number=ada.organization.number,
            url=f"https://example.com/{number}",
            event_types=["order.paid"],
            event_groups=[],
            dialect_data={},
            created_at=now + timedelta(milliseconds=number),
            modified_at=now,
        )
        for number in range(501)
    )
    work.session.commit()

    assert [webhook["callbackUrl"] for webhook in ada_v1.list()] == [f"https://example.com/{n}" for n in range(501)]


def test_sensitive_headers_are_masked_and_a_mask_that_comes_back_keeps_the_value(ada_v1: Caller, work: Work) -> None:
    webhook = ada_v1.make(headers={"Authorization": "Bearer abc", "X-Shop": "7"})
    assert webhook["headers"] == {"Authorization": MASK, "X-Shop": "7"}

    answer = ada_v1.call("PUT", f"/{webhook['id']}", json=webhook | {"headers": webhook["headers"] | {"X-Shop": "8"}})

    assert answer.get_json()["headers"] == {"Authorization": MASK, "X-Shop": "8"}
    hook = stored(work, webhook["id"])
    assert hook_secrets.headers_of(work, hook) == {"Authorization": "Bearer abc", "X-Shop": "8"}


# --- visibility -----------------------------------------------------------------------------------------------------


def test_hooks_made_elsewhere_are_seen_when_events_can_say_what_they_hear(ada_v1: Caller, work: Work, ada) -> None:
    plain = native_hook(work, ada, name="Native", payload_format="pretix", event_types=["order.*"])
    quiet = native_hook(work, ada, event_types=[])
    everything = native_hook(work, ada, event_types=[], all_events=True)
    grouped = native_hook(work, ada, event_groups=["hookyard"])

    seen = {webhook["id"]: webhook["events"] for webhook in ada_v1.list()}

    assert seen == {str(plain.id): ["order.*"], str(quiet.id): []}
    for hidden in (everything, grouped):
        for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")):
            assert ada_v1.call(method, f"{path}/{hidden.id}", json=PARMS).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")])
def test_webhooks_of_another_organization_do_not_exist(web_v1, ada_v1, mallory, method: str, path: str) -> None:
    webhook = ada_v1.make()
    stranger = web_v1(mallory)

    assert stranger.list() == []
    assert refusal(stranger.call(method, f"{path}/{webhook['id']}", json=PARMS)) == (404, "Webhook not found")
    assert ada_v1.list() == [webhook]


# --- update ---------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_put_replaces_and_keeps_an_omitted_secret(ada_v1: Caller, work: Work, clock) -> None:
    first = ada_v1.make(name="A", description="B", enabled=False, headers={"X-A": "b"}, secret="first")
    clock.advance(seconds=1.5)

    answer = ada_v1.call("PUT", f"/{first['id']}", json=PARMS | {"events": ["shipment.created"]})

    assert answer.status_code == 200
    assert answer.get_json() == first | {
        "name": None,
        "description": None,
        "events": ["shipment.created"],
        "enabled": True,
        "headers": {},
        "updated": "2026-11-22T09:00:01.500Z",
    }
    assert ada_v1.read(first["id"]) == answer.get_json()
    assert secrets_of(work, first["id"]) == ["first"]


def test_put_sets_a_secret_that_is_given(ada_v1: Caller, work: Work) -> None:
    webhook = ada_v1.make(secret="first")

    assert ada_v1.call("PUT", f"/{webhook['id']}", json=PARMS | {"secret": "second"}).status_code == 200

    assert secrets_of(work, webhook["id"]) == ["second"]


def test_put_leaves_what_this_api_cannot_say(ada_v1: Caller, work: Work, ada) -> None:
    fields = {
        "sources": [],
        "content_type": "form",
        "payload_format": "pretix",
        "retry": {"kind": "fixed", "seconds": 5, "attempts": 3},
        "dialect_data": {"oms": {"config": {}}},
    }
    webhook_id = str(native_hook(work, ada, **fields, timeout=7).id)

    answer = ada_v1.call("PUT", f"/{webhook_id}", json=PARMS)

    assert answer.status_code == 200, answer.text
    after = stored(work, webhook_id)
    assert {name: getattr(after, name) for name in fields} == fields
    assert (after.url, after.timeout_s, after.dialect) == (URL, 7, "native")


def test_put_of_an_unchanged_url_is_taken_though_the_rules_have_tightened(
    settings: Settings, work: Work, token_of, ada
) -> None:
    hook = native_hook(work, ada, url="http://127.0.0.1:9000/")
    with app_of(changed(settings, allow_nets=())) as app:
        api = Caller(app.test_client(), token_of(ada))
        same = api.call("PUT", f"/{hook.id}", json=PARMS | {"callbackUrl": "http://127.0.0.1:9000/"})
        other = api.call("PUT", f"/{hook.id}", json=PARMS | {"callbackUrl": "http://127.0.0.1:9000/x"})

    assert same.status_code == 200
    assert refusal(other) == (400, PRIVATE)


def test_disabling_holds_and_enabling_releases(ada_v1: Caller, work: Work, ada) -> None:
    webhook = ada_v1.make()
    draft = EventDraft(type="package.created", payload=b"{}")
    publishing.publish(work, organization_number=ada.organization.number, draft=draft)

    ada_v1.call("PUT", f"/{webhook['id']}", json=PARMS | {"enabled": False})
    assert states(work) == [DeliveryState.HELD]
    ada_v1.call("PUT", f"/{webhook['id']}", json=PARMS)
    assert states(work) == [DeliveryState.PENDING]


def states(work: Work) -> list[str]:
    found = list(work.session.scalars(select(Delivery.state).order_by(Delivery.number)))
    work.session.rollback()
    return found


# --- conflicts ------------------------------------------------------------------------------------------------------

TAKEN = (409, "Webhook with this callback URL already exists")


@pytest.mark.both_databases
@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html", ""])
def test_whatever_a_client_accepts_it_is_answered(ada_v1: Caller, accept: str) -> None:
    webhook = ada_v1.make()
    headers = {"Accept": accept}

    assert ada_v1.call("GET", f"/{webhook['id']}", headers=headers).get_json() == webhook
    assert refusal(ada_v1.call("GET", f"/{ID}", headers=headers))[0] == 404
    deleted = ada_v1.call("DELETE", f"/{webhook['id']}", headers=headers)
    assert (deleted.status_code, deleted.data) == (200, b"")


def test_a_url_that_is_taken_is_409_and_nothing_is_made(ada_v1: Caller) -> None:
    webhook = ada_v1.make()

    answer = ada_v1.call("POST", json=PARMS)

    assert refusal(answer) == TAKEN
    assert answer.get_json()["error"] == "Conflict"
    assert ada_v1.list() == [webhook]


@pytest.mark.parametrize("fields", [{"is_active": False}, {"event_types": [], "all_events": True}])
def test_hooks_made_elsewhere_take_urls_too_seen_or_not(ada_v1: Caller, work: Work, ada, fields: dict) -> None:
    native_hook(work, ada, url=URL, **fields)

    assert refusal(ada_v1.call("POST", json=PARMS)) == TAKEN


def test_urls_are_compared_as_text(ada_v1: Caller) -> None:
    ada_v1.make()

    for other in ("https://example.com/Hook", "https://EXAMPLE.com/hook", "https://example.com:443/hook", f"{URL}?"):
        ada_v1.make(callbackUrl=other)


def test_a_deleted_webhook_and_those_of_others_take_no_url(web_v1, ada_v1: Caller, mallory) -> None:
    web_v1(mallory).make()
    webhook = ada_v1.make()
    ada_v1.call("DELETE", f"/{webhook['id']}")

    assert ada_v1.make()["callbackUrl"] == URL


@pytest.mark.both_databases
def test_put_conflicts_with_other_hooks_and_never_with_itself(ada_v1: Caller, work: Work, ada) -> None:
    first = ada_v1.make()
    second = ada_v1.make(callbackUrl=f"{URL}/2")
    native_hook(work, ada, url=f"{URL}/2")

    assert refusal(ada_v1.call("PUT", f"/{second['id']}", json=PARMS | {"name": "B"})) == TAKEN
    assert ada_v1.list()[:2] == [first, second]
    answer = ada_v1.call("PUT", f"/{second['id']}", json=PARMS | {"callbackUrl": f"{URL}/2", "name": "B"})
    assert answer.get_json()["name"] == "B"


@pytest.mark.both_databases
def test_of_many_callers_with_one_url_at_once_one_wins(app: Flask, ada_v1: Caller) -> None:
    together = Barrier(4)

    def create(_: int) -> int:
        web_v1 = Caller(app.test_client(), ada_v1.token)
        together.wait()
        return web_v1.call("POST", json=PARMS).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [200, 409, 409, 409]
    assert len(ada_v1.list()) == 1


# --- delete ---------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_delete_is_200_without_a_body_and_then_the_webhook_is_gone(ada_v1: Caller) -> None:
    webhook = ada_v1.make()

    answer = ada_v1.call("DELETE", f"/{webhook['id']}")

    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Type" not in answer.headers
    for method in ("GET", "PUT", "DELETE"):
        assert refusal(ada_v1.call(method, f"/{webhook['id']}", json=PARMS))[0] == 404
    assert ada_v1.list() == []


# --- deliveries -----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_what_is_delivered_has_the_standard_form(ada_v1: Caller, work: Work, ada) -> None:
    ada_v1.make(events=["package.*"])
    for name in ("package.created", "shipment.created", "package.status.packed"):
        draft = EventDraft(type=name, payload=b'{"b": 1.0, "a": [ ]}')
        publishing.publish(work, organization_number=ada.organization.number, draft=draft)

    found = list(work.session.scalars(select(Delivery).order_by(Delivery.number)))
    bodies = [deliveries.body_of(delivery) for delivery in found]

    assert [delivery.event_type for delivery in found] == ["package.created", "package.status.packed"]
    assert bodies[0].content_type == "application/json"
    assert bodies[0].data == (
        b'{"type":"package.created","timestamp":"2026-11-22T09:00:00.000000Z","data":{"b": 1.0, "a": [ ]}}'
    )


def test_a_test_of_a_disabled_webhook_is_409_and_nothing_is_queued(ada_v1: Caller, work: Work) -> None:
    webhook = ada_v1.make(enabled=False)

    assert refusal(ada_v1.call("POST", f"/test/{webhook['id']}")) == (409, "Webhook is disabled")
    assert states(work) == []
