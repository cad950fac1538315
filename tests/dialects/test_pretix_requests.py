"""Requests to pretix's organizer webhooks: who may, and what paths, methods and bodies are taken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from console.services.hooks import hooks
from console.services.work import Work
from tests.dialects.drf_stage import FORBIDDEN, NOT_FOUND, URL, row_of
from tests.dialects.pretix_stage import (
    KEYS,
    LEAST,
    NO_WEBHOOK,
    TYPE,
    W,
    make,
    path_of,
)

pytestmark = pytest.mark.usefixtures("two_events")

# --- who may ---------------------------------------------------------------------------------------------------------


def test_without_a_token_nothing_is_shown(anyone: Any) -> None:
    answer = anyone.get(W)

    assert (answer.status_code, answer.get_json()) == (401, {"detail": "Authentication credentials were not provided."})
    assert answer.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("organizer", ["elsewhere", "nobody", "ACME", "acme%20"])
def test_another_organizer_is_forbidden_whether_there_is_one_or_not(ada_api: Any, mallory: Any, organizer: str) -> None:
    for method, path in [("GET", ""), ("POST", ""), ("GET", "1/"), ("PATCH", "x/"), ("DELETE", "999/")]:
        answer = ada_api.call(method, f"/api/v1/organizers/{organizer}/webhooks/{path}", data=b"{")

        assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)


MAY: dict[str, set[str]] = {
    "WEBHOOKS:VIEW": {"GET list", "GET one"},
    "WEBHOOKS:ADD": {"POST list"},
    "WEBHOOKS:EDIT": {"PUT one", "PATCH one"},
    "WEBHOOKS:REMOVE": {"DELETE one"},
    "EVENTS:PUBLISH": set(),
}


@pytest.mark.parametrize("permission", MAY)
def test_each_operation_has_its_permission(
    ada: Any, ada_api: Any, caller: Callable[..., Any], token_of: Callable[..., str], permission: str
) -> None:
    webhook = make(ada_api)
    api = caller(token_of(ada, permission))

    for operation in sorted({one for operations in MAY.values() for one in operations}):
        method, _, place = operation.partition(" ")
        answer = api.call(method, W if place == "list" else path_of(webhook), json=LEAST)

        if operation in MAY[permission]:
            assert answer.status_code in {200, 201, 204}
        else:
            assert (answer.status_code, answer.get_json()) == (403, FORBIDDEN)


def test_permission_comes_before_what_is_wrong_with_a_request(vi_api: Any) -> None:
    assert vi_api.patch(f"{W}999/", data=b"{").status_code == 403
    assert vi_api.post(W, data=b"{", content_type="text/plain").status_code == 403


def test_only_the_keyword_of_pretix_is_taken(anyone: Any, ada: Any, token_of: Callable[..., str]) -> None:
    token = token_of(ada)

    assert anyone.get(W, headers={"Authorization": f"token {token}"}).status_code == 200
    assert anyone.get(W, headers={"Authorization": f"Bearer {token}"}).status_code == 401


# --- paths, methods and types ----------------------------------------------------------------------------------------


UNKNOWN = dict.fromkeys(["999", "0", "-1", "9" * 40], NO_WEBHOOK)


NO_INTEGERS = dict.fromkeys(["abc", "1.0", "1e3", "%20", "٣"], NOT_FOUND)


@pytest.mark.parametrize(("text", "body"), (UNKNOWN | NO_INTEGERS).items())
def test_an_unknown_id_and_one_that_is_no_integer_are_told_apart(ada_api: Any, text: str, body: dict[str, str]) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = ada_api.call(method, f"{W}{text}/", data=b"{")

        assert (answer.status_code, answer.get_json()) == (404, body)


def test_webhooks_of_others_are_not_there(ada_api: Any, mallory_api: Any) -> None:
    webhook = make(ada_api)

    answer = mallory_api.get(f"/api/v1/organizers/elsewhere/webhooks/{webhook['id']}/")

    assert (answer.status_code, answer.get_json()) == (404, NO_WEBHOOK)


def test_a_hook_deleted_elsewhere_is_not_there(ada_api: Any, work: Work) -> None:
    webhook = make(ada_api)

    hooks.delete(work, hook=row_of(work, webhook))

    assert ada_api.get(path_of(webhook)).get_json() == NO_WEBHOOK


@pytest.mark.parametrize(("method", "path"), [("POST", "webhooks?x=1"), ("GET", "webhooks/1"), ("DELETE", "webhook/1")])
def test_a_path_without_its_slash_leads_to_the_one_with_it(anyone: Any, method: str, path: str) -> None:
    answer = anyone.call(method, f"/api/v1/organizers/acme/{path}")

    path, _, query = path.partition("?")
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"/api/v1/organizers/acme/{path}/" + (f"?{query}" if query else "")


def test_what_is_not_offered_is_refused_in_json(ada_api: Any) -> None:
    webhook = make(ada_api)

    wrong = ada_api.delete(W)
    unknown = ada_api.get("/api/v1/organizers/acme/orders/")

    assert (wrong.status_code, wrong.get_json()) == (405, {"detail": 'Method "DELETE" not allowed.'})
    assert set(wrong.headers["Allow"].split(", ")) >= {"GET", "POST"}
    assert ada_api.post(path_of(webhook), json={}).status_code == 405
    assert (unknown.status_code, unknown.get_json()) == (404, NOT_FOUND)
    assert ada_api.get(W, headers={"Accept": "text/html"}).status_code == 406
    assert ada_api.get(W, headers={"Accept": "application/json, text/javascript"}).status_code == 200
    assert ada_api.post(W, data=b"x", content_type="text/plain").status_code == 415


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"[]", {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
        (b"null", {"non_field_errors": ["No data provided"]}),
    ],
)
def test_a_body_that_is_no_object_is_refused(ada_api: Any, body: bytes, answer: dict[str, Any]) -> None:
    refused = ada_api.post(W, data=body, content_type="application/json")

    assert (refused.status_code, refused.get_json()) == (400, answer)


def test_a_broken_body_is_refused(ada_api: Any) -> None:
    refused = ada_api.post(W, data=b"{", content_type="application/json")

    assert refused.status_code == 400
    assert refused.get_json()["detail"].startswith("JSON parse error - ")


def test_a_form_is_read_too(ada_api: Any) -> None:
    created = ada_api.post(
        W, data={"target_url": URL, "all_events": "no", "limit_events": ["democon", "otherconf"], "action_types": TYPE}
    )
    emptied = ada_api.put(
        path_of(created.get_json()), data={"target_url": URL, "limit_events": "", "action_types": "", "comment": ""}
    )

    expected = {"enabled": True, "target_url": URL, "comment": None, "action_types": [TYPE]}
    assert created.status_code == 201
    assert created.get_json() | expected | {"all_events": False, "limit_events": ["democon", "otherconf"]} == (
        created.get_json()
    )
    assert emptied.status_code == 200
    assert [emptied.get_json()[name] for name in KEYS[3:]] == [True, [], [], ""]
