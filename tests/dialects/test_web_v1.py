"""WebhooksApi web/v1: its six operations, their checks in order, and its own error bodies."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from console import api
from console.api.dialects.web_v1 import document
from console.core.errors import Busy
from console.core.permissions import Permission
from console.core.redact import MASK
from console.models import Delivery, DeliveryState, Hook
from console.services import catalogue, deliveries, hooks, publishing, tokens
from console.services.event_drafts import EventDraft
from console.services.hooks import HookDraft
from console.services.work import Work
from console.settings import Settings
from tests.apps import app_of
from tests.dialects.web_v1_stage import ERROR_KEYS, KEYS, PARMS, ROOT, URL, Caller, refusal
from tests.fuzz import through_the_app

ID = "0193a1c2-7b1e-7c55-9d0a-5b8f0f6f2a11"
OPERATIONS = {
    "getWebhooksUsingGET": ("GET", "", "WEBHOOKS:VIEW"),
    "createWebhookUsingPOST": ("POST", "", "WEBHOOKS:ADD"),
    "readWebhookUsingGET": ("GET", f"/{ID}", "WEBHOOKS:VIEW"),
    "updateWebhookUsingPUT": ("PUT", f"/{ID}", "WEBHOOKS:EDIT"),
    "deleteWebhookUsingDELETE": ("DELETE", f"/{ID}", "WEBHOOKS:REMOVE"),
    "testWebhookUsingPOST": ("POST", f"/test/{ID}", "WEBHOOKS:EDIT"),
}
operations = pytest.mark.parametrize(("method", "path", "permission"), OPERATIONS.values(), ids=OPERATIONS)
WITHOUT_ADMIN = [permission.value for permission in Permission if permission is not Permission.ADMIN]


@pytest.fixture
def app(settings: Settings, clock, ring) -> Iterator[Flask]:
    with app_of(settings, clock=clock, ring=ring) as app:
        yield app


@pytest.fixture
def caller(app: Flask, work: Work, token_of: Callable[..., str]) -> Callable[..., Caller]:
    """Make a caller: ``caller(ada)`` with every permission, ``caller(ada, "WEBHOOKS:VIEW")``, ``caller(None)``."""

    def make(person: Any, *permissions: str) -> Caller:
        token = token_of(person, *permissions) if person else None
        return Caller(app.test_client(), token, session=work.session)

    return make


@pytest.fixture
def ada_api(caller: Callable[..., Caller], ada) -> Caller:
    return caller(ada)


def native_hook(work: Work, person, **fields: object) -> Hook:
    draft = HookDraft(**{"url": "https://example.com/native", "event_types": ["order.paid"], **fields})
    number = person.organization.number
    return hooks.create(work, organization_number=number, author_number=person.user.number, draft=draft).hook


def stored(work: Work, webhook_id: str) -> Hook:
    """Give the row of a webhook as it is now."""
    query = select(Hook).where(Hook.id == UUID(webhook_id)).execution_options(populate_existing=True)
    return work.session.scalars(query).one()


def secrets_of(work: Work, webhook_id: str) -> list[str]:
    return [text for _, text in hooks.secrets_of(work, stored(work, webhook_id))]


def changed(settings: Settings, **fields: object) -> Settings:
    """Give other settings; a copy would keep what was computed from the old ones."""
    return Settings(**(settings.model_dump() | fields))


# --- who may call ---------------------------------------------------------------------------------------------------


@operations
def test_without_a_token_every_operation_is_401(caller, method: str, path: str, permission: str) -> None:
    answer = caller(None).call(method, path)

    assert refusal(answer) == (401, "Access denied")
    assert answer.get_json()["error"] == "Unauthorized"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_error_has_the_form_that_spring_boot_gives_it(caller) -> None:
    body = caller(None).call("GET", "?a=b").get_json()

    assert body == {
        "timestamp": "2026-11-22T09:00:00.000+00:00",
        "status": 401,
        "error": "Unauthorized",
        "message": "Access denied",
        "path": ROOT,
    }


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}", "Token {}", "tOKEN {}", "{}", " {} "])
def test_a_token_stands_behind_a_keyword_or_alone(ada_api: Caller, form: str) -> None:
    answer = ada_api.call("GET", headers={"Authorization": form.format(ada_api.token)})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "form", ["", "Bearer", "Token ", "Basic {}", "Bearer {} x", "Bearer Bearer {}", "hy_none", "Bearer {}x", "Bearer é"]
)
def test_anything_else_in_the_header_is_401(ada_api: Caller, form: str) -> None:
    answer = ada_api.call("GET", headers={"Authorization": form.format(ada_api.token)})

    assert refusal(answer) == (401, "Access denied")


def test_a_revoked_token_is_401(work: Work, app: Flask, ada) -> None:
    issued = tokens.issue(work, user=ada.user, organization=ada.organization, permissions=[Permission.ADMIN])
    tokens.revoke(work, token=issued.token)

    assert refusal(Caller(app.test_client(), issued.text, session=work.session).call("GET"))[0] == 401


def test_the_token_is_read_from_the_header_alone(ada_api: Caller) -> None:
    token, ada_api.token = ada_api.token, None

    ada_api.client.set_cookie("hookyard", token)
    assert ada_api.call("GET", f"?token={token}&access_token={token}").status_code == 401


@operations
def test_each_operation_needs_its_own_permission(caller, ada, method: str, path: str, permission: str) -> None:
    others = [name for name in WITHOUT_ADMIN if name != permission]

    assert refusal(caller(ada, *others).call(method, path)) == (403, f"{permission} permission is required")
    assert caller(ada, permission).call(method, path).status_code != 403


def test_a_viewer_lists_and_changes_nothing(caller, ada_api: Caller, vi) -> None:
    webhook = ada_api.make()
    viewer = caller(vi, "WEBHOOKS:VIEW")

    assert viewer.list() == [webhook]
    assert viewer.call("POST", json=PARMS).status_code == 403
    for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/test")):
        assert viewer.call(method, f"{path}/{webhook['id']}", json=PARMS).status_code == 403
    assert viewer.list() == [webhook]


# --- paths and methods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"])
@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/{ID}", f"{ROOT}/test/{ID}", "/v2/api-docs"])
def test_a_slash_at_the_end_leads_to_the_path_without_it(app: Flask, method: str, path: str) -> None:
    answer = app.test_client().open(f"{path}/?a=%2F&b", method=method)

    assert (answer.status_code, answer.headers["Location"]) == (308, f"{path}?a=%2F&b")


def test_a_redirect_cannot_lead_to_another_host(app: Flask) -> None:
    for path in (f"{ROOT}//evil.example/", f"{ROOT}/%0d%0aSet-Cookie:a/", f"{ROOT}/@evil.example/"):
        location = app.test_client().get(path).headers["Location"]
        assert location.removeprefix("http://localhost").startswith("/api/web/v1/")
        assert "\r" not in location


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "", {"GET", "HEAD", "POST"}),
        ("DELETE", "", {"GET", "HEAD", "POST"}),
        ("OPTIONS", "", {"GET", "HEAD", "POST"}),
        ("PATCH", f"/{ID}", {"GET", "HEAD", "PUT", "DELETE"}),
        ("POST", f"/{ID}", {"GET", "HEAD", "PUT", "DELETE"}),
        ("GET", f"/test/{ID}", {"POST"}),
    ],
)
def test_another_method_is_405_and_allow_says_which_there_are(
    ada_api: Caller, method: str, path: str, allowed: set[str]
) -> None:
    answer = ada_api.call(method, path)

    assert refusal(answer) == (405, f"Request method '{method}' is not supported")
    assert answer.get_json()["error"] == "Method Not Allowed"
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_an_unknown_path_below_the_root_is_404_in_the_same_form(ada_api: Caller, caller) -> None:
    assert refusal(ada_api.call("GET", f"/{ID}/more")) == (404, "Webhook not found")
    assert refusal(caller(None).call("GET", f"/{ID}/more"))[0] == 401


def test_doubled_slashes_lead_to_single_ones(app: Flask) -> None:
    answer = app.test_client().post(f"{ROOT}//test/{ID}")

    assert answer.status_code == 308
    assert answer.headers["Location"].endswith(f"{ROOT}/test/{ID}")


def test_what_nobody_expected_is_500_in_the_same_form_and_says_nothing(ada_api: Caller, work: Work) -> None:
    work.session.execute(text("ALTER TABLE hooks RENAME TO lost"))

    assert refusal(ada_api.call("GET")) == (500, "Something broke on our side; it was logged")


def test_a_busy_database_is_503_and_says_when_to_come_back(app: Flask) -> None:
    with app.test_request_context(ROOT):
        busy = sqlite3.OperationalError("database is locked")
        answers = [api.answer_crash(OperationalError("", {}, busy)), api.answer_error(Busy())]

    assert [(answer.status_code, answer.headers["Retry-After"]) for answer in answers] == [(503, "2"), (503, "2")]
    assert list(answers[0].get_json()) == ERROR_KEYS


ORDER = {
    "401 before 405": (None, "PATCH", "", {}, 401),
    "405 before 403": ("EVENTS:VIEW", "PATCH", "", {}, 405),
    "403 before the id": ("WEBHOOKS:VIEW", "PUT", "/nonsense", {"data": "{"}, 403),
    "the id before 415": ("WEBHOOKS:EDIT", "PUT", "/nonsense", {"data": "{", "content_type": "text/plain"}, 400),
    "415 before the body": ("WEBHOOKS:EDIT", "PUT", f"/{ID}", {"data": "{", "content_type": "text/plain"}, 415),
    "the body before 404": ("WEBHOOKS:EDIT", "PUT", f"/{ID}", {"json": {}}, 400),
    "404 at last": ("WEBHOOKS:EDIT", "PUT", f"/{ID}", {"json": PARMS}, 404),
}


@pytest.mark.parametrize(("permission", "method", "path", "body", "status"), ORDER.values(), ids=ORDER)
def test_checks_are_made_in_their_order(
    caller, ada, permission: str | None, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    who = caller(ada, permission) if permission else caller(None)

    assert refusal(who.call(method, path, **body))[0] == status


@pytest.mark.parametrize(
    "webhook_id", ["7", "test", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", ID[:-1], "%00"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")])
def test_an_id_that_is_no_uuid_is_400(ada_api: Caller, method: str, path: str, webhook_id: str) -> None:
    assert refusal(ada_api.call(method, f"{path}/{webhook_id}", json=PARMS)) == (400, "id: must be a UUID")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")])
def test_an_unknown_id_is_404(ada_api: Caller, method: str, path: str) -> None:
    assert refusal(ada_api.call(method, f"{path}/{uuid4()}", json=PARMS)) == (404, "Webhook not found")


# --- bodies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_another_type_of_body_is_415(ada_api: Caller, content_type: str) -> None:
    answer = ada_api.call("POST", data=json.dumps(PARMS), content_type=content_type)

    assert refusal(answer) == (415, f"Content type '{content_type}' is not supported")
    assert answer.get_json()["error"] == "Unsupported Media Type"


def test_a_charset_beside_the_type_is_fine(ada_api: Caller) -> None:
    answer = ada_api.call("POST", data=json.dumps(PARMS), content_type="application/json; charset=UTF-8")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "data", ["", "{", "nonsense", '{"a":1,}', '{"a":NaN}', '{"name":"\\u0000"}', "\ufeff{}", "[" * 100_000, "1" * 5000]
)
def test_what_is_no_json_is_400(ada_api: Caller, data: str) -> None:
    answer = ada_api.call("POST", data=data, content_type="application/json")

    assert refusal(answer) == (400, "Request body is not valid JSON")


def test_no_body_at_all_is_400(ada_api: Caller) -> None:
    assert refusal(ada_api.call("POST")) == (400, "Request body is not valid JSON")


@pytest.mark.parametrize("data", ["[]", "null", '"text"', "5", "true"])
def test_json_that_is_no_object_is_400(ada_api: Caller, data: str) -> None:
    answer = ada_api.call("POST", data=data, content_type="application/json")

    assert refusal(answer) == (400, "Request body must be a JSON object")


def test_a_body_over_a_mebibyte_is_413_in_the_same_form(ada_api: Caller) -> None:
    assert refusal(ada_api.call("POST", json=PARMS | {"name": "x" * 2**20}))[0] == 413


LONG_URL = "https://example.com/" + "x" * 2048
NO_URL = "callbackUrl: must be an http or https URL"
PRIVATE = "callbackUrl: This address is not allowed."
WRONG = [
    ("name", 5, "name: must be a string"),
    ("name", "x" * 101, "name: must be at most 100 characters"),
    ("description", ["x"], "description: must be a string"),
    ("description", "x" * 256, "description: must be at most 255 characters"),
    ("callbackUrl", None, "callbackUrl: must not be blank"),
    ("callbackUrl", "", "callbackUrl: must not be blank"),
    ("callbackUrl", " \t", "callbackUrl: must not be blank"),
    ("callbackUrl", 5, NO_URL),
    ("callbackUrl", "example.com/hook", NO_URL),
    ("callbackUrl", "ftp://example.com/hook", NO_URL),
    ("callbackUrl", "javascript:alert(1)", NO_URL),
    ("callbackUrl", "https://user:secret@example.com/", NO_URL),
    ("callbackUrl", "https://example.com/#part", NO_URL),
    ("callbackUrl", " https://example.com/", NO_URL),
    ("callbackUrl", LONG_URL, "callbackUrl: must be at most 2048 characters"),
    ("callbackUrl", "http://10.1.2.3/", PRIVATE),
    ("callbackUrl", "http://[::1]/", PRIVATE),
    ("callbackUrl", "http://169.254.169.254/", PRIVATE),
    ("callbackUrl", "http://2130706433/", PRIVATE),
    ("callbackUrl", "http://example.com:22/", PRIVATE),
    ("events", None, "events: must not be empty"),
    ("events", [], "events: must not be empty"),
    ("events", "package.created", "events: must be a list of strings"),
    ("events", ["package.created", 5], "events: must be a list of strings"),
    ("events", {}, "events: must be a list of strings"),
    ("events", ["package.created", "foo", "bar"], "events: unknown event foo"),
    ("events", ["foo.*"], "events: unknown event foo.*"),
    ("events", ["package created"], "events: unknown event package created"),
    ("events", [""], "events: unknown event "),
    ("events", ["x" * 5000], "events: unknown event " + "x" * 200),
    ("events", [f"package.{n}" for n in range(1001)], "events: must be at most 1000"),
    ("enabled", "true", "enabled: must be a boolean"),
    ("enabled", 1, "enabled: must be a boolean"),
    ("headers", [], "headers: must be an object of strings"),
    ("headers", {"X-A": 5}, "headers: must be an object of strings"),
    ("headers", {"X-A": None}, "headers: must be an object of strings"),
    ("headers", {"Host": "a"}, "headers: Host may not be set"),
    ("headers", {"content-length": "1"}, "headers: content-length may not be set"),
    ("headers", {"Content-Type": "text/plain"}, "headers: Content-Type may not be set"),
    ("headers", {"Transfer-Encoding": "chunked"}, "headers: Transfer-Encoding may not be set"),
    ("headers", {"Connection": "close"}, "headers: Connection may not be set"),
    ("headers", {"Webhook-Id": "a"}, "headers: Webhook-Id may not be set"),
    ("headers", {"X A": "a"}, "headers: X A may not be set"),
    ("headers", {"X-A": "a\r\nb"}, "headers: X-A may not be set"),
    ("headers", {"X-A": MASK}, "headers: X-A may not be set"),
    ("secret", 5, "secret: must be a string"),
    ("secret", "", "secret: must be 1 to 255 characters"),
    ("secret", "x" * 256, "secret: must be 1 to 255 characters"),
]


@pytest.mark.parametrize(("field", "value", "message"), WRONG)
def test_a_wrong_field_is_400_and_named(ada_api: Caller, field: str, value: object, message: str) -> None:
    assert refusal(ada_api.call("POST", json=PARMS | {field: value})) == (400, message)
    assert ada_api.list() == []


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_empty_object_is_400(ada_api: Caller, method: str) -> None:
    path = f"/{ada_api.make()['id']}" if method == "PUT" else ""

    assert refusal(ada_api.call(method, path, json={})) == (
        400,
        "callbackUrl: must not be blank; events: must not be empty",
    )


def test_all_wrong_fields_are_named_in_the_order_of_the_document(ada_api: Caller) -> None:
    body = {"secret": 1, "headers": 1, "enabled": 1, "events": 1, "callbackUrl": 1, "description": 1, "name": 1}

    assert refusal(ada_api.call("POST", json=body))[1].split("; ") == [
        "name: must be a string",
        "description: must be a string",
        "callbackUrl: must be an http or https URL",
        "events: must be a list of strings",
        "enabled: must be a boolean",
        "headers: must be an object of strings",
        "secret: must be a string",
    ]


def test_where_http_is_switched_off_the_message_says_so(settings: Settings, work: Work, token_of, ada) -> None:
    strict = changed(settings, allow_http=False)
    with app_of(strict) as app:
        answer = Caller(app.test_client(), token_of(ada)).call("POST", json=PARMS | {"callbackUrl": "http://a.com/"})

    assert refusal(answer) == (400, "callbackUrl: must be an https URL")


# --- create, list, read ---------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_created_webhook_is_answered_listed_and_read_alike(ada_api: Caller) -> None:
    answer = ada_api.call("POST", json=PARMS | {"name": "Warehouse", "secret": "a secret"})

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
    assert ada_api.list() == [webhook]
    assert ada_api.read(webhook["id"]) == ada_api.read(webhook["id"].upper()) == webhook


@pytest.mark.parametrize("field", ["name", "description", "enabled", "headers", "secret"])
def test_null_counts_as_omitted(ada_api: Caller, field: str) -> None:
    webhook = ada_api.make(**{field: None})

    assert {key: webhook[key] for key in KEYS[1:7]} == {
        "name": None,
        "description": None,
        "callbackUrl": URL,
        "events": ["package.created"],
        "enabled": True,
        "headers": {},
    }


def test_unknown_and_read_only_keys_are_ignored(ada_api: Caller) -> None:
    webhook = ada_api.make(id=ID, created="x", createdBy=5, colour="red")

    assert webhook["id"] != ID
    assert webhook["createdBy"] == "ada"


def test_limits_themselves_are_fine(ada_api: Caller, work: Work) -> None:
    url = "https://example.com/" + "x" * 2028
    webhook = ada_api.make(name="é" * 100, description="\n" * 255, callbackUrl=url, secret="x" * 255)

    assert (webhook["name"], webhook["description"], webhook["callbackUrl"]) == ("é" * 100, "\n" * 255, url)
    assert secrets_of(work, webhook["id"]) == ["x" * 255]


@pytest.mark.parametrize(
    "url", ["HTTPS://Example.COM:443/a?b=%2f", "https://bücher.example/", "http://127.0.0.1:9000/", "https://a.b"]
)
def test_the_url_comes_back_exactly_as_it_was_sent(ada_api: Caller, url: str) -> None:
    assert ada_api.make(callbackUrl=url)["callbackUrl"] == url


def test_a_webhook_is_a_hook_like_any_other(ada_api: Caller, work: Work) -> None:
    webhook = ada_api.make(headers={"X-A": "b"}, enabled=False)

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
    ada_api: Caller, work: Work, ada, given_events: list[str], kept: list[str]
) -> None:
    catalogue.create(work, organization_number=ada.organization.number, name="own.type")

    assert ada_api.make(events=given_events)["events"] == kept


def test_events_of_another_organization_are_unknown(ada_api: Caller, work: Work, mallory) -> None:
    catalogue.create(work, organization_number=mallory.organization.number, name="own.type")

    answer = ada_api.call("POST", json=PARMS | {"events": ["own.type"]})
    assert refusal(answer) == (400, "events: unknown event own.type")


def test_the_list_is_oldest_first_and_has_no_pages(ada_api: Caller, work: Work, ada, clock) -> None:
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

    assert [webhook["callbackUrl"] for webhook in ada_api.list()] == [f"https://example.com/{n}" for n in range(501)]


def test_sensitive_headers_are_masked_and_a_mask_that_comes_back_keeps_the_value(ada_api: Caller, work: Work) -> None:
    webhook = ada_api.make(headers={"Authorization": "Bearer abc", "X-Shop": "7"})
    assert webhook["headers"] == {"Authorization": MASK, "X-Shop": "7"}

    answer = ada_api.call("PUT", f"/{webhook['id']}", json=webhook | {"headers": webhook["headers"] | {"X-Shop": "8"}})

    assert answer.get_json()["headers"] == {"Authorization": MASK, "X-Shop": "8"}
    hook = stored(work, webhook["id"])
    assert hooks.headers_of(work, hook) == {"Authorization": "Bearer abc", "X-Shop": "8"}


# --- visibility -----------------------------------------------------------------------------------------------------


def test_hooks_made_elsewhere_are_seen_when_events_can_say_what_they_hear(ada_api: Caller, work: Work, ada) -> None:
    plain = native_hook(work, ada, name="Native", payload_format="pretix", event_types=["order.*"])
    quiet = native_hook(work, ada, event_types=[])
    everything = native_hook(work, ada, event_types=[], all_events=True)
    grouped = native_hook(work, ada, event_groups=["hookyard"])

    seen = {webhook["id"]: webhook["events"] for webhook in ada_api.list()}

    assert seen == {str(plain.id): ["order.*"], str(quiet.id): []}
    for hidden in (everything, grouped):
        for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")):
            assert ada_api.call(method, f"{path}/{hidden.id}", json=PARMS).status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")])
def test_webhooks_of_another_organization_do_not_exist(caller, ada_api, mallory, method: str, path: str) -> None:
    webhook = ada_api.make()
    stranger = caller(mallory)

    assert stranger.list() == []
    assert refusal(stranger.call(method, f"{path}/{webhook['id']}", json=PARMS)) == (404, "Webhook not found")
    assert ada_api.list() == [webhook]


# --- update ---------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_put_replaces_and_keeps_an_omitted_secret(ada_api: Caller, work: Work, clock) -> None:
    first = ada_api.make(name="A", description="B", enabled=False, headers={"X-A": "b"}, secret="first")
    clock.advance(seconds=1.5)

    answer = ada_api.call("PUT", f"/{first['id']}", json=PARMS | {"events": ["shipment.created"]})

    assert answer.status_code == 200
    assert answer.get_json() == first | {
        "name": None,
        "description": None,
        "events": ["shipment.created"],
        "enabled": True,
        "headers": {},
        "updated": "2026-11-22T09:00:01.500Z",
    }
    assert ada_api.read(first["id"]) == answer.get_json()
    assert secrets_of(work, first["id"]) == ["first"]


def test_put_sets_a_secret_that_is_given(ada_api: Caller, work: Work) -> None:
    webhook = ada_api.make(secret="first")

    assert ada_api.call("PUT", f"/{webhook['id']}", json=PARMS | {"secret": "second"}).status_code == 200

    assert secrets_of(work, webhook["id"]) == ["second"]


def test_put_leaves_what_this_api_cannot_say(ada_api: Caller, work: Work, ada) -> None:
    fields = {
        "sources": [],
        "content_type": "form",
        "payload_format": "pretix",
        "retry": {"kind": "fixed", "seconds": 5, "attempts": 3},
        "dialect_data": {"oms": {"config": {}}},
    }
    webhook_id = str(native_hook(work, ada, **fields, timeout=7).id)

    answer = ada_api.call("PUT", f"/{webhook_id}", json=PARMS)

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


def test_disabling_holds_and_enabling_releases(ada_api: Caller, work: Work, ada) -> None:
    webhook = ada_api.make()
    draft = EventDraft(type="package.created", payload=b"{}")
    publishing.publish(work, organization_number=ada.organization.number, draft=draft)

    ada_api.call("PUT", f"/{webhook['id']}", json=PARMS | {"enabled": False})
    assert states(work) == [DeliveryState.HELD]
    ada_api.call("PUT", f"/{webhook['id']}", json=PARMS)
    assert states(work) == [DeliveryState.PENDING]


def states(work: Work) -> list[str]:
    found = list(work.session.scalars(select(Delivery.state).order_by(Delivery.number)))
    work.session.rollback()
    return found


# --- conflicts ------------------------------------------------------------------------------------------------------

TAKEN = (409, "Webhook with this callback URL already exists")


@pytest.mark.both_databases
@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/html", ""])
def test_whatever_a_client_accepts_it_is_answered(ada_api: Caller, accept: str) -> None:
    webhook = ada_api.make()
    headers = {"Accept": accept}

    assert ada_api.call("GET", f"/{webhook['id']}", headers=headers).get_json() == webhook
    assert refusal(ada_api.call("GET", f"/{ID}", headers=headers))[0] == 404
    deleted = ada_api.call("DELETE", f"/{webhook['id']}", headers=headers)
    assert (deleted.status_code, deleted.data) == (200, b"")


def test_a_url_that_is_taken_is_409_and_nothing_is_made(ada_api: Caller) -> None:
    webhook = ada_api.make()

    answer = ada_api.call("POST", json=PARMS)

    assert refusal(answer) == TAKEN
    assert answer.get_json()["error"] == "Conflict"
    assert ada_api.list() == [webhook]


@pytest.mark.parametrize("fields", [{"is_active": False}, {"event_types": [], "all_events": True}])
def test_hooks_made_elsewhere_take_urls_too_seen_or_not(ada_api: Caller, work: Work, ada, fields: dict) -> None:
    native_hook(work, ada, url=URL, **fields)

    assert refusal(ada_api.call("POST", json=PARMS)) == TAKEN


def test_urls_are_compared_as_text(ada_api: Caller) -> None:
    ada_api.make()

    for other in ("https://example.com/Hook", "https://EXAMPLE.com/hook", "https://example.com:443/hook", f"{URL}?"):
        ada_api.make(callbackUrl=other)


def test_a_deleted_webhook_and_those_of_others_take_no_url(caller, ada_api: Caller, mallory) -> None:
    caller(mallory).make()
    webhook = ada_api.make()
    ada_api.call("DELETE", f"/{webhook['id']}")

    assert ada_api.make()["callbackUrl"] == URL


@pytest.mark.both_databases
def test_put_conflicts_with_other_hooks_and_never_with_itself(ada_api: Caller, work: Work, ada) -> None:
    first = ada_api.make()
    second = ada_api.make(callbackUrl=f"{URL}/2")
    native_hook(work, ada, url=f"{URL}/2")

    assert refusal(ada_api.call("PUT", f"/{second['id']}", json=PARMS | {"name": "B"})) == TAKEN
    assert ada_api.list()[:2] == [first, second]
    answer = ada_api.call("PUT", f"/{second['id']}", json=PARMS | {"callbackUrl": f"{URL}/2", "name": "B"})
    assert answer.get_json()["name"] == "B"


@pytest.mark.both_databases
def test_of_many_callers_with_one_url_at_once_one_wins(app: Flask, ada_api: Caller) -> None:
    together = Barrier(4)

    def create(_: int) -> int:
        caller = Caller(app.test_client(), ada_api.token)
        together.wait()
        return caller.call("POST", json=PARMS).status_code

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(create, range(4))) == [200, 409, 409, 409]
    assert len(ada_api.list()) == 1


# --- delete ---------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_delete_is_200_without_a_body_and_then_the_webhook_is_gone(ada_api: Caller) -> None:
    webhook = ada_api.make()

    answer = ada_api.call("DELETE", f"/{webhook['id']}")

    assert (answer.status_code, answer.data) == (200, b"")
    assert "Content-Type" not in answer.headers
    for method in ("GET", "PUT", "DELETE"):
        assert refusal(ada_api.call(method, f"/{webhook['id']}", json=PARMS))[0] == 404
    assert ada_api.list() == []


# --- deliveries -----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_what_is_delivered_has_the_standard_form(ada_api: Caller, work: Work, ada) -> None:
    ada_api.make(events=["package.*"])
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


def test_a_test_of_a_disabled_webhook_is_409_and_nothing_is_queued(ada_api: Caller, work: Work) -> None:
    webhook = ada_api.make(enabled=False)

    assert refusal(ada_api.call("POST", f"/test/{webhook['id']}")) == (409, "Webhook is disabled")
    assert states(work) == []


# --- the document ---------------------------------------------------------------------------------------------------


def test_the_document_is_served_to_anyone_with_the_address_of_this_installation(app: Flask) -> None:
    answer = app.test_client().get("/v2/api-docs")

    served = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert (served["host"], served["schemes"], served["basePath"]) == ("hookyard.test", ["http"], "/")
    assert list(served) == [
        "swagger",
        "info",
        "host",
        "basePath",
        "schemes",
        "tags",
        "securityDefinitions",
        "paths",
        "definitions",
    ]


def test_the_document_names_the_operations_that_there_are(app: Flask) -> None:
    served = app.test_client().get("/v2/api-docs").get_json()

    described = {
        (method.upper(), path, operation["operationId"]): operation
        for path, item in served["paths"].items()
        for method, operation in item.items()
    }
    expected = {
        (method, f"{ROOT}{path}".replace(ID, "{id}"), name) for name, (method, path, _permission) in OPERATIONS.items()
    }
    assert set(described) == expected
    for (_, _, name), operation in described.items():
        assert f"required to have {OPERATIONS[name][2]} permission" in operation["description"]
        assert list(operation["responses"]) == ["200", "400", "401", "403", "404", "409"]
    assert list(served["definitions"]["Webhook"]["properties"]) == KEYS


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        ("https://hooks.example.com", ("hooks.example.com", ["https"], "/")),
        ("http://127.0.0.1:8000/", ("127.0.0.1:8000", ["http"], "/")),
        ("https://example.com/hooks", ("example.com", ["https"], "/hooks")),
    ],
)
def test_the_address_in_the_document_is_the_base_url(base_url: str, address: tuple[str, list[str], str]) -> None:
    served = document.addressed(base_url)

    assert (served["host"], served["schemes"], served["basePath"]) == address


def test_without_a_base_url_the_document_has_the_address_it_was_asked_at(settings: Settings) -> None:
    with app_of(changed(settings, base_url="")) as app:
        assert app.test_client().get("/v2/api-docs").get_json()["host"] == "localhost"


def test_another_method_at_the_document_is_405(app: Flask) -> None:
    assert refusal(app.test_client().post("/v2/api-docs"))[0] == 405


# --- anything at all ------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=8,
)
URLS = st.sampled_from([URL, f"{URL}/2", "http://10.0.0.1/", "HTTP://EXAMPLE.com", "http://[::1%25a]/", LONG_URL])
EVENTS = st.lists(st.sampled_from(["package.created", "package.*", "*", "nothing", "a..b", "*.*.*"]), max_size=4)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=110) | JSON,
        "description": st.text(max_size=260) | JSON,
        "callbackUrl": URLS | st.text(max_size=60) | JSON,
        "events": EVENTS | JSON,
        "enabled": st.booleans() | JSON,
        "headers": st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3) | JSON,
        "secret": st.text(max_size=260) | JSON,
        "id": JSON,
    },
)
CALLS = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]),
    st.sampled_from(["", "/", "/MINE", "/test/NONE", "/NONE"]) | st.text(max_size=12).map(lambda text: f"/{text}"),
    BODIES | JSON,
)
anything = through_the_app()


@anything
@given(CALLS)
def test_no_call_whatever_is_a_500(ada_api: Caller, call: tuple[str, str, Any]) -> None:
    method, path, body = call
    mine = next(iter(ada_api.list()), {"id": ID})["id"]

    answer = ada_api.call(method, path.replace("MINE", mine).replace("NONE", ID), data=as_json(body), **AS_JSON)

    assert answer.status_code in {200, 308, 400, 404, 405, 409, 415}
    if answer.status_code >= 400 and method != "HEAD":
        assert list(answer.get_json()) == ERROR_KEYS


@anything
@given(BODIES)
def test_what_is_taken_is_what_is_shown(ada_api: Caller, body: dict[str, Any]) -> None:
    answer = ada_api.call("POST", data=as_json(PARMS | body), **AS_JSON)

    if answer.status_code == 200:
        webhook = answer.get_json()
        assert ada_api.read(webhook["id"]) == webhook
        assert webhook["callbackUrl"] == body.get("callbackUrl", URL)
        assert ada_api.call("PUT", f"/{webhook['id']}", json=webhook).get_json() == webhook
        assert ada_api.call("DELETE", f"/{webhook['id']}").status_code == 200
    else:
        assert refusal(answer)[0] == 400


@anything
@given(st.binary(max_size=60), st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30))
def test_no_bytes_and_no_type_of_a_body_are_a_500(ada_api: Caller, data: bytes, content_type: str) -> None:
    assert refusal(ada_api.call("POST", data=data, content_type=content_type))[0] in {400, 415}
    assert refusal(ada_api.call("POST", data=data, **AS_JSON))[0] == 400


@anything
@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60))
def test_no_authorization_header_is_a_500(ada_api: Caller, header: str) -> None:
    assert refusal(ada_api.call("GET", headers={"Authorization": header}))[0] == 401


AS_JSON: dict[str, Any] = {"content_type": "application/json"}


def as_json(value: object) -> str:
    return json.dumps(value)
