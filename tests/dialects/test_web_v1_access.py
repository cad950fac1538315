"""WebhooksApi web/v1: who may call, by which paths and methods, and in which order a call is checked."""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from console import api
from console.core.errors import Busy
from console.core.permissions import Permission
from console.services.people import tokens
from console.services.work import Work
from tests.dialects.web_v1_stage import (
    ERROR_KEYS,
    ID,
    PARMS,
    ROOT,
    WITHOUT_ADMIN,
    Caller,
    operations,
    refusal,
)

# --- who may call ---------------------------------------------------------------------------------------------------


@operations
def test_without_a_token_every_operation_is_401(web_v1, method: str, path: str, permission: str) -> None:
    answer = web_v1(None).call(method, path)

    assert refusal(answer) == (401, "Access denied")
    assert answer.get_json()["error"] == "Unauthorized"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_error_has_the_form_that_spring_boot_gives_it(web_v1) -> None:
    body = web_v1(None).call("GET", "?a=b").get_json()

    assert body == {
        "timestamp": "2026-11-22T09:00:00.000+00:00",
        "status": 401,
        "error": "Unauthorized",
        "message": "Access denied",
        "path": ROOT,
    }


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}", "Token {}", "tOKEN {}", "{}", " {} "])
def test_a_token_stands_behind_a_keyword_or_alone(ada_v1: Caller, form: str) -> None:
    answer = ada_v1.call("GET", headers={"Authorization": form.format(ada_v1.token)})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "form", ["", "Bearer", "Token ", "Basic {}", "Bearer {} x", "Bearer Bearer {}", "hy_none", "Bearer {}x", "Bearer é"]
)
def test_anything_else_in_the_header_is_401(ada_v1: Caller, form: str) -> None:
    answer = ada_v1.call("GET", headers={"Authorization": form.format(ada_v1.token)})

    assert refusal(answer) == (401, "Access denied")


def test_a_revoked_token_is_401(work: Work, app: Flask, ada) -> None:
    issued = tokens.issue(work, user=ada.user, organization=ada.organization, permissions=[Permission.ADMIN])
    tokens.revoke(work, token=issued.token)

    assert refusal(Caller(app.test_client(), issued.text, session=work.session).call("GET"))[0] == 401


def test_the_token_is_read_from_the_header_alone(ada_v1: Caller) -> None:
    token, ada_v1.token = ada_v1.token, None

    ada_v1.client.set_cookie("hookyard", token)
    assert ada_v1.call("GET", f"?token={token}&access_token={token}").status_code == 401


@operations
def test_each_operation_needs_its_own_permission(web_v1, ada, method: str, path: str, permission: str) -> None:
    others = [name for name in WITHOUT_ADMIN if name != permission]

    assert refusal(web_v1(ada, *others).call(method, path)) == (403, f"{permission} permission is required")
    assert web_v1(ada, permission).call(method, path).status_code != 403


def test_a_viewer_lists_and_changes_nothing(web_v1, ada_v1: Caller, vi) -> None:
    webhook = ada_v1.make()
    viewer = web_v1(vi, "WEBHOOKS:VIEW")

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
    ada_v1: Caller, method: str, path: str, allowed: set[str]
) -> None:
    answer = ada_v1.call(method, path)

    assert refusal(answer) == (405, f"Request method '{method}' is not supported")
    assert answer.get_json()["error"] == "Method Not Allowed"
    assert set(answer.headers["Allow"].split(", ")) == allowed


def test_an_unknown_path_below_the_root_is_404_in_the_same_form(ada_v1: Caller, web_v1) -> None:
    assert refusal(ada_v1.call("GET", f"/{ID}/more")) == (404, "Webhook not found")
    assert refusal(web_v1(None).call("GET", f"/{ID}/more"))[0] == 401


def test_doubled_slashes_lead_to_single_ones(app: Flask) -> None:
    answer = app.test_client().post(f"{ROOT}//test/{ID}")

    assert answer.status_code == 308
    assert answer.headers["Location"].endswith(f"{ROOT}/test/{ID}")


def test_what_nobody_expected_is_500_in_the_same_form_and_says_nothing(ada_v1: Caller, work: Work) -> None:
    work.session.execute(text("ALTER TABLE hooks RENAME TO lost"))

    assert refusal(ada_v1.call("GET")) == (500, "Something broke on our side; it was logged")


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
    web_v1, ada, permission: str | None, method: str, path: str, body: dict[str, Any], status: int
) -> None:
    who = web_v1(ada, permission) if permission else web_v1(None)

    assert refusal(who.call(method, path, **body))[0] == status


@pytest.mark.parametrize(
    "webhook_id", ["7", "test", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", ID[:-1], "%00"]
)
@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")])
def test_an_id_that_is_no_uuid_is_400(ada_v1: Caller, method: str, path: str, webhook_id: str) -> None:
    assert refusal(ada_v1.call(method, f"{path}/{webhook_id}", json=PARMS)) == (400, "id: must be a UUID")


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/test")])
def test_an_unknown_id_is_404(ada_v1: Caller, method: str, path: str) -> None:
    assert refusal(ada_v1.call(method, f"{path}/{uuid4()}", json=PARMS)) == (404, "Webhook not found")
