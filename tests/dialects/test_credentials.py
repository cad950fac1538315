"""Stored credentials through every API: who sees them, and that a new URL does not take them along."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from console.core.redact import MASK
from console.models import Attempt, Hook
from console.services.deliveries import deliveries
from console.services.dialects import oms_hooks
from console.services.hooks import hook_secrets
from tests.dialects import oms_stage, pretix_stage, waldur_stage
from tests.dialects.drf_stage import row_of
from tests.dialects.oms_stage import AUTH, E, make, make_native, path_of

OLD = "https://receiver.example.com/hook"
NEW = "https://evil.example.com/hook"
SECRETS = {"Authorization": "Bearer canary", "X-Shop": "acme", "X-Password": "canary"}
MASKED = {"Authorization": MASK, "X-Shop": "acme", "X-Password": MASK}


def stored(work: Any) -> Hook:
    work.session.commit()
    work.session.expire_all()
    return work.session.query(Hook).order_by(Hook.number.desc()).first()


@pytest.fixture
def native(work: Any, ada: Any) -> Hook:
    """A hook that every API can say, with secret headers that an admin gave."""
    fields = {"url": OLD, "headers": SECRETS, "event_types": ["package.created"]}
    return make_native(work, ada, retry={"kind": "fixed", "seconds": 1}, **fields)


# --- who sees what --------------------------------------------------------------------------------------------------


def test_every_api_shows_the_same_headers_to_the_same_people(
    ada_api: Any, vi_api: Any, web_v1: Any, ada: Any, vi: Any, native: Hook
) -> None:
    viewed = dict.fromkeys(SECRETS, MASK)

    for api, expected in ((ada_api, MASKED), (vi_api, viewed)):
        assert api.get(f"/api/v1/hooks/{native.id}").get_json()["headers"] == expected
    for person, permission, expected in ((ada, "WEBHOOKS:EDIT", MASKED), (vi, "WEBHOOKS:VIEW", viewed)):
        answer = web_v1(person, "WEBHOOKS:VIEW", permission).get(f"/{native.id}")
        assert answer.get_json()["headers"] == expected


def test_oms_shows_no_value_of_a_header_that_is_secret_elsewhere(
    ada_api: Any, caller: Any, token_of: Any, ada: Any, native: Hook
) -> None:
    viewer = caller(token_of(ada, "WEBHOOKS:VIEW"))

    assert ada_api.get(path_of({"id": native.number})).get_json()["additional_headers"] == MASKED
    assert "canary" not in ada_api.get(oms_stage.H).text
    assert "canary" not in viewer.get(oms_stage.H).text


@pytest.mark.both_databases
def test_viewers_see_neither_bodies_nor_cookies_of_receivers_in_any_api(
    ada_api: Any, vi_api: Any, caller: Any, token_of: Any, vi: Any, work: Any, ada: Any
) -> None:
    hook = make_native(work, ada, url=OLD, event_types=["package.created"], retry={"kind": "fixed", "seconds": 1})
    hook.author_number = vi.user.number
    work.session.commit()
    event = ada_api.post("/api/v1/events", json={"type": "package.created", "payload": {"pk": 1}}).get_json()
    [found] = ada_api.get(f"/api/v1/deliveries?event={event['id']}").get_json()["data"]
    delivery = deliveries.get(work, organization_number=ada.organization.number, delivery_id=UUID(found["id"]))
    headers = [["Set-Cookie", "session=canary"], ["X-Trace", "t1"], ["Server", "nginx"]]
    work.session.add(
        Attempt(
            delivery_number=delivery.number,
            number=1,
            chain=1,
            trigger="automatic",
            started_at=work.now(),
            outcome="ok",
            status=200,
            response_headers=headers,
            response_body=b"canary body",
        )
    )
    delivery.last_outcome, delivery.last_status = "ok", 200
    work.session.commit()

    path = f"/api/v1/deliveries/{delivery.id}"
    admin, viewer = (api.get(path).get_json()["attempts"][0]["response"] for api in (ada_api, vi_api))
    assert admin["headers"] == {"Set-Cookie": MASK, "X-Trace": "t1", "Server": "nginx"}
    assert viewer["headers"] == {"Set-Cookie": MASK, "X-Trace": MASK, "Server": "nginx"}
    assert (admin["body"], viewer["body"]) == ("canary body", None)
    assert ada_api.get(E).get_json()["results"][0]["response_content"] == "canary body"
    [event] = vi_api.get(E).get_json()["results"]
    assert (event["response_content"], event["response_http_status"]) == (None, 200)


# --- another URL ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["patch", "put"])
def test_the_native_api_wants_secrets_again_for_another_host(
    ada_api: Any, work: Any, native: Hook, method: str
) -> None:
    path = f"/api/v1/hooks/{native.id}"
    body = {"url": NEW, "headers": MASKED} if method == "put" else {"url": NEW}

    answer = getattr(ada_api, method)(path, json=body)

    assert answer.status_code == 422
    errors = answer.get_json()["errors"]
    assert [one["pointer"] for one in errors] == ["/headers/Authorization", "/headers/X-Password"]
    assert {one["code"] for one in errors} == {"value_needed"}
    assert stored(work).url == OLD
    given = {"url": NEW, "headers": {"Authorization": "Bearer new", "X-Shop": "acme"}}
    assert getattr(ada_api, method)(path, json=given).status_code == 200
    assert hook_secrets.headers_of(work, stored(work)) == given["headers"]


def test_web_v1_wants_secrets_again_for_another_host(ada_v1: Any, work: Any, native: Hook) -> None:
    path = f"/{native.id}"
    body = {"callbackUrl": NEW, "events": ["package.created"], "headers": MASKED}

    answer = ada_v1.put(path, json=body)

    assert answer.status_code == 400
    assert "Type the value of Authorization again" in answer.get_json()["message"]
    assert ada_v1.put(path, json={**body, "callbackUrl": f"{OLD}/2"}).status_code == 200
    assert hook_secrets.headers_of(work, stored(work)) == SECRETS


@pytest.mark.parametrize("body", [{"target_url": NEW}, {"target_url": NEW, "additional_headers": MASKED}])
def test_oms_wants_secret_headers_again_for_another_host(ada_api: Any, work: Any, native: Hook, body: Any) -> None:
    path = path_of({"id": native.number})

    answer = ada_api.patch(path, json=body)

    assert answer.status_code == 400
    assert list(answer.get_json()) == ["additional_headers"]
    assert ada_api.patch(path, json={**body, "target_url": f"{OLD}/2"}).status_code == 200
    assert hook_secrets.headers_of(work, stored(work)) == SECRETS


def test_oms_wants_the_password_again_for_another_host(ada_api: Any, work: Any) -> None:
    made = make(ada_api, config=AUTH, target_url=OLD)

    for body in ({"target_url": NEW}, {"target_url": NEW, "callback": "publish_response"}):
        answer = ada_api.patch(path_of(made), json=body)
        assert (answer.status_code, list(answer.get_json())) == (400, ["target_url"])
    assert row_of(work, made).url == OLD
    work.session.commit()
    assert ada_api.patch(path_of(made), json={"target_url": NEW, "config": AUTH}).status_code == 200
    work.session.expire_all()
    assert oms_hooks.fields_of(work, row_of(work, made)).config == AUTH


@pytest.mark.parametrize("face", ["pretix", "waldur"])
def test_apis_without_headers_say_at_the_url_that_secrets_stay(ada_api: Any, work: Any, ada: Any, face: str) -> None:
    event_type = pretix_stage.TYPE if face == "pretix" else waldur_stage.CUSTOMER
    hook = make_native(work, ada, url=OLD, headers=SECRETS, event_types=[event_type])
    path = f"{pretix_stage.W}{hook.number}/" if face == "pretix" else f"{waldur_stage.ROOT}{hook.id.hex}/"
    url_name = "target_url" if face == "pretix" else "destination_url"

    answer = ada_api.patch(path, json={url_name: NEW})

    assert (answer.status_code, list(answer.get_json())) == (400, [url_name])
    assert "Authorization" in answer.get_json()[url_name][0]
    assert stored(work).url == OLD
    assert ada_api.patch(path, json={url_name: f"{OLD}/2"}).status_code == 200
