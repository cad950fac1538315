"""Webhooks of the oms dialect, over HTTP: what is secret, and who sees and may do what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from console.core.permissions import Permission
from console.core.redact import MASK
from console.models import AuditEntry, Hook
from console.services.hooks import hook_secrets, hooks
from console.services.people import tokens
from console.services.work import Work
from tests.dialects.drf_stage import FORBIDDEN, NOT_FOUND, row_of
from tests.dialects.oms_stage import AUTH, LEAST, OTHER, SECRET, E, H, W, make, make_native, path_of

# --- secrets --------------------------------------------------------------------------------------------------------


def test_secrets_are_shown_to_tokens_that_may_edit_alone(
    ada_api: Any, caller: Callable[..., Any], token_of: Callable[..., str], ada: Any
) -> None:
    headers = {"X-Api-Key": "abc", "X-Shop": "acme"}
    made = make(ada_api, secret_key=SECRET, config={**AUTH, "a": 1}, additional_headers=headers)
    reader = caller(token_of(ada, "WEBHOOKS:VIEW", "WEBHOOKS:ADD"))

    seen = reader.get(path_of(made)).get_json()

    assert made["additional_headers"] == {"X-Api-Key": MASK, "X-Shop": "acme"}
    assert seen == made | {
        "secret_key": None,
        "config": {"auth": {"auth_type": "basic", "username": "erp", "password": None}, "a": 1},
        "additional_headers": {"X-Api-Key": MASK, "X-Shop": MASK},
    }
    assert make(reader, target_url=OTHER, secret_key=SECRET)["secret_key"] is None


@pytest.mark.parametrize("auth", ["a secret", ["a secret"], {"auth_type": "bearer", "token": "a secret"}, 5])
def test_credentials_of_any_shape_are_hidden(
    ada_api: Any, caller: Callable[..., Any], token_of: Callable[..., str], ada: Any, auth: Any
) -> None:
    made = make(ada_api, config={"auth": auth})

    answer = caller(token_of(ada, "WEBHOOKS:VIEW")).get(path_of(made))

    assert made["config"] == {"auth": auth}
    assert "a secret" not in answer.text


def test_secrets_are_encrypted_where_they_are_kept_and_not_in_the_audit_log(ada_api: Any, work: Work) -> None:
    made = make(ada_api, secret_key=SECRET, config=AUTH, additional_headers={"Authorization": "Bearer hunter2"})
    ada_api.patch(path_of(made), json={"config": {"auth": {**AUTH["auth"], "password": "hunter2too"}}})

    hook = row_of(work, made)
    entries = [json.dumps(entry.changes) for entry in work.session.scalars(select(AuditEntry))]
    work.session.commit()
    kept = json.dumps(hook.dialect_data) + repr(hook.sealed_headers) + "".join(entries)
    assert SECRET not in kept
    assert "hunter2" not in kept


def test_a_rotated_secret_is_the_secret_key(ada_api: Any, work: Work) -> None:
    made = make(ada_api, secret_key=SECRET)

    rotated = hook_secrets.rotate(work, hook=row_of(work, made)).secret

    assert ada_api.get(path_of(made)).get_json()["secret_key"] == rotated


def test_a_secret_key_that_is_taken_away_signs_nothing_more(ada_api: Any, work: Work) -> None:
    made = make(ada_api, secret_key=SECRET)

    ada_api.patch(path_of(made), json={"secret_key": None})

    hook = row_of(work, made)
    assert [text for _, text in hook_secrets.secrets_of(work, hook)] != [SECRET]
    assert ada_api.get(path_of(made)).get_json()["secret_key"] is None


@pytest.mark.parametrize("payload_format", ["oms", "standard"])
def test_the_secret_of_a_hook_made_elsewhere_is_not_shown_and_not_lost(
    ada_api: Any, ada: Any, work: Work, payload_format: str
) -> None:
    hook = make_native(work, ada, payload_format=payload_format)
    before = [text for _, text in hook_secrets.secrets_of(work, hook)]
    work.session.commit()
    path = f"{H}{hook.number}/"

    read = ada_api.get(path).get_json()
    ada_api.put(path, json=read)

    hook = work.session.get_one(Hook, hook.number, populate_existing=True)
    assert read["secret_key"] is None
    assert [text for _, text in hook_secrets.secrets_of(work, hook)] == before


def test_deleting_a_hook_forgets_its_credentials(ada_api: Any, work: Work) -> None:
    made = make(ada_api, config=AUTH)

    hooks.delete(work, hook=row_of(work, made))

    assert row_of(work, made).dialect_data == {}


# --- who sees what --------------------------------------------------------------------------------------------------


def test_others_webhooks_are_seen_by_admins_and_staff_alone(
    ada_api: Any, ed_api: Any, mallory_api: Any, caller: Callable[..., Any], token_of: Callable[..., str], ada: Any
) -> None:
    made = make(ed_api)
    no_admin = caller(token_of(ada, "WEBHOOKS:VIEW", "WEBHOOKS:EDIT", "WEBHOOKS:REMOVE"))

    assert ada_api.get(path_of(made)).get_json() == made
    for api in (no_admin, mallory_api):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            answer = api.call(method, path_of(made), json=LEAST)
            assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)
        assert api.get(H).get_json()["count"] == 0


def test_staff_see_all_within_the_organization_of_the_token(
    ed_api: Any, caller: Callable[..., Any], vi: Any, work: Work
) -> None:
    made = make(ed_api)
    vi.user.is_staff = True
    work.session.commit()
    permission = [Permission.WEBHOOKS_VIEW]
    text = tokens.issue(work, user=vi.user, organization=vi.organization, permissions=permission, name="x").text

    assert caller(text).get(path_of(made)).status_code == 200


INVISIBLE: list[dict[str, Any]] = [
    {"event_types": []},
    {"event_types": ["package.created", "shipment.created"]},
    {"event_types": ["package.*"]},
    {"event_types": ["*"]},
    {"all_events": True},
    {"event_groups": ["oms"]},
    {"retry": None},
    {"retry": {"kind": "list", "delays": [1, 2]}},
    {"retry": {"kind": "fixed", "seconds": 1, "attempts": 3}},
    {"retry": {"kind": "fixed", "seconds": 1.5}},
]


@pytest.mark.parametrize("fields", INVISIBLE)
def test_hooks_that_oms_has_no_words_for_are_not_there(ada_api: Any, ada: Any, work: Work, fields: Any) -> None:
    hook = make_native(work, ada, **fields)
    work.session.commit()

    assert ada_api.get(f"{H}{hook.number}/").status_code == 404
    assert ada_api.get(H).get_json()["results"] == []


def test_a_hook_made_elsewhere_is_there_when_oms_has_words_for_it(ada_api: Any, ada: Any, work: Work) -> None:
    hook = make_native(work, ada, event_types=["order.paid"], retry={"kind": "linear", "base": 5, "start": 0})
    work.session.commit()

    seen = ada_api.get(f"{H}{hook.number}/").get_json()

    assert seen["event_type"] == "order.paid"
    assert seen["retry_countdown_config"] == {"choice": "linear", "kwargs": {"base": 5}}


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.5", "999999", "9" * 40, "%00", "registryx", " 1"])
def test_an_unknown_id_is_not_found(ada_api: Any, number: str) -> None:
    make(ada_api)

    answer = ada_api.get(f"{H}{number}/")

    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)


PERMISSIONS = [
    ("GET", H, "WEBHOOKS:VIEW", 200),
    ("GET", f"{H}1/", "WEBHOOKS:VIEW", 404),
    ("GET", f"{H}registry/", "WEBHOOKS:VIEW", 200),
    ("POST", H, "WEBHOOKS:ADD", 400),
    ("PUT", f"{H}1/", "WEBHOOKS:EDIT", 404),
    ("PATCH", f"{W}1/", "WEBHOOKS:EDIT", 404),
    ("DELETE", f"{W}1/", "WEBHOOKS:REMOVE", 404),
    ("GET", E, "DELIVERIES:VIEW", 200),
    ("GET", f"{E}1/", "DELIVERIES:VIEW", 404),
    ("POST", f"{E}publish-event/", "EVENTS:PUBLISH", 400),
    ("POST", f"{E}resend-event/", "DELIVERIES:RESEND", 400),
]


@pytest.mark.parametrize(("method", "path", "permission", "status"), PERMISSIONS)
def test_each_operation_has_its_permission(
    caller: Callable[..., Any],
    token_of: Callable[..., str],
    ada: Any,
    method: str,
    path: str,
    permission: str,
    status: int,
) -> None:
    others = [one for one in Permission if one not in (permission, Permission.ADMIN)]

    without = caller(token_of(ada, *others)).call(method, path, json={})
    with_it = caller(token_of(ada, permission)).call(method, path, json={})

    assert (without.status_code, without.get_json()) == (403, FORBIDDEN)
    assert with_it.status_code == status


@pytest.mark.parametrize("path", [H, W, E])
def test_without_a_token_nothing_is_answered(anyone: Any, path: str) -> None:
    answer = anyone.get(path)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Token")
    assert answer.get_json() == {"detail": "Authentication credentials were not provided."}


METHODS = [
    ("GET", f"{E}publish-event/", "POST"),
    ("GET", f"{E}resend-event/", "POST"),
    ("DELETE", f"{E}resend-event/", "POST"),
    ("POST", E, "GET, HEAD"),
    ("PATCH", f"{E}1/", "GET, HEAD"),
    ("POST", f"{H}registry/", "GET, HEAD"),
    ("DELETE", H, "GET, HEAD, POST"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), METHODS)
def test_a_method_that_is_not_offered_is_405(ada_api: Any, method: str, path: str, allowed: str) -> None:
    for body in ({}, {"json": {"hook": 1}}, {"data": {"hook": 1}}):
        answer = ada_api.call(method, path, **body)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
        assert answer.get_json() == {"detail": f'Method "{method}" not allowed.'}


@pytest.mark.parametrize("path", [H, W, E, f"{H}registry/", f"{H}1/", f"{E}1/", f"{E}publish-event/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_without_its_slash_leads_to_the_one_with_it(anyone: Any, path: str, method: str) -> None:
    answer = anyone.call(method, f"{path.rstrip('/')}?page=2")

    assert (answer.status_code, answer.headers["Location"]) == (308, f"{path}?page=2")
