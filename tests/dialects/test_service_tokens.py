"""Service tokens in the dialects: they have no user, and every dialect works without one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects import oms_stage, pretix_stage, waldur_stage

WEB_V1 = "/api/web/v1/webhooks"
HOOKS = ("WEBHOOKS:VIEW", "WEBHOOKS:ADD", "WEBHOOKS:EDIT", "WEBHOOKS:REMOVE", "EVENTS:PUBLISH", "DELIVERIES:VIEW")


@pytest.fixture
def shop(caller: Any, service_token_of: Any, ada: Any) -> Any:
    """A caller with a service token that is no admin."""
    return caller(service_token_of(ada, *HOOKS))


def test_waldur_shows_no_author_and_every_hook(shop: Any, ed_api: Any) -> None:
    eds = waldur_stage.make(ed_api, event_types=["ssh_key_creation_succeeded"])
    made = waldur_stage.make(shop, event_types=["ssh_key_creation_succeeded"])

    assert (made["author_uuid"], made["author_username"]) == ("0" * 32, "")
    assert waldur_stage.uuids(shop.get(waldur_stage.ROOT)) == [made["uuid"], eds["uuid"]]
    for hook in (made, eds):
        assert shop.patch(waldur_stage.path_of(hook), json={"is_active": False}).status_code == 200
        assert shop.delete(waldur_stage.path_of(hook)).status_code == 204


def test_a_hook_of_a_service_token_is_not_everybodys_in_waldur(shop: Any, ed_api: Any, ada_api: Any) -> None:
    made = waldur_stage.make(shop, event_types=["ssh_key_creation_succeeded"])

    assert ed_api.get(waldur_stage.path_of(made)).status_code == 404
    assert ada_api.get(waldur_stage.path_of(made)).status_code == 200


def test_oms_shows_every_hook_and_refuses_the_same_one_twice(shop: Any, ed_api: Any) -> None:
    eds = oms_stage.make(ed_api)
    made = oms_stage.make(shop)
    again = shop.post(oms_stage.H, json=oms_stage.LEAST)

    assert (again.status_code, again.get_json()["code"]) == (406, "webhook_100_2")
    assert [one["id"] for one in shop.get(oms_stage.H).get_json()["results"]] == [made["id"], eds["id"]]
    assert shop.post(oms_stage.PUBLISH, json={"hook": made["id"], "instance": oms_stage.PACKAGE}).status_code == 202
    assert shop.get(oms_stage.E).status_code == 200
    assert shop.delete(f"{oms_stage.H}{eds['id']}/").status_code == 204


def test_pretix_needs_no_user(shop: Any) -> None:
    made = pretix_stage.make(shop)

    assert shop.patch(pretix_stage.path_of(made), json={"comment": "x"}).status_code == 200
    assert shop.post(pretix_stage.W, json=pretix_stage.LEAST, headers={"X-Idempotency-Key": "1"}).status_code == 201
    assert shop.delete(pretix_stage.path_of(made)).status_code == 204


def test_web_v1_shows_nobody_as_the_creator(shop: Any) -> None:
    made = shop.post(WEB_V1, json={"callbackUrl": "https://example.com/hook", "events": ["package.created"]})

    assert (made.status_code, made.get_json()["createdBy"]) == (200, None)
    assert shop.get(f"{WEB_V1}/{made.get_json()['id']}").get_json()["createdBy"] is None
    assert shop.delete(f"{WEB_V1}/{made.get_json()['id']}").status_code == 200


@pytest.mark.parametrize("path", [waldur_stage.ROOT, pretix_stage.W, oms_stage.H, WEB_V1])
def test_another_organizations_service_token_sees_nothing(
    shop: Any, caller: Any, service_token_of: Any, mallory: Any, path: str
) -> None:
    made = waldur_stage.make(shop, event_types=["ssh_key_creation_succeeded"])
    mallorys = caller(service_token_of(mallory))

    answer = mallorys.get(path)

    assert made["uuid"] not in answer.text.replace("-", "")
    assert "receiver.example.com" not in answer.text
    assert mallorys.get(waldur_stage.path_of(made)).status_code == 404
