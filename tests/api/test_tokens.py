"""Tokens: what they open, how they are made and ended over the API."""

from __future__ import annotations

import pytest

from console.core.outcomes import Outcome
from console.models import AuditEntry, Membership, Token
from console.services.people import sign_in
from tests.api.conftest import pointers, rows
from tests.engine import claim, hire, record, rows_of


@pytest.mark.both_databases
def test_a_token_is_shown_once_and_works_until_it_is_revoked(ada_api, caller):
    created = ada_api.post("/tokens", json={"name": "shop", "permissions": ["EVENTS:PUBLISH"]})
    token = created.get_json()
    shop = caller(token["token"])

    assert created.status_code == 201
    assert created.headers["Location"] == f"/api/v1/tokens/{token['id']}"
    assert token["token"].startswith(token["prefix"])
    assert (token["user"], token["permissions"], token["expires_at"]) == ("ada", ["EVENTS:PUBLISH"], None)
    assert "token" not in ada_api.get(f"/tokens/{token['id']}").get_json()
    assert token["token"] not in ada_api.get("/tokens").text
    assert shop.publish()
    assert shop.get("/events").status_code == 403
    assert ada_api.delete(f"/tokens/{token['id']}").status_code == 204
    assert shop.post("/events", json={"type": "t", "payload": 1}).get_json()["code"] == "token_revoked"
    assert ada_api.delete(f"/tokens/{token['id']}").status_code == 404


def test_a_token_makes_no_token_that_may_do_more(ada_api, caller):
    narrow = ada_api.post("/tokens", json={"permissions": ["TOKENS:MANAGE", "EVENTS:VIEW"]}).get_json()["token"]

    response = caller(narrow).post("/tokens", json={"permissions": ["EVENTS:VIEW", "EVENTS:PUBLISH"]})

    assert response.status_code == 403
    assert response.get_json()["permission"] == "EVENTS:PUBLISH"
    assert caller(narrow).post("/tokens", json={"permissions": ["EVENTS:VIEW"]}).status_code == 201


def test_a_token_expires(ada_api, caller, clock):
    made = ada_api.post("/tokens", json={"permissions": ["EVENTS:VIEW"], "expires_in_days": 1}).get_json()

    assert made["expires_at"] == "2026-11-23T09:00:00Z"
    assert caller(made["token"]).get("/events").status_code == 200
    clock.advance(days=1)
    assert caller(made["token"]).get("/events").get_json()["code"] == "token_expired"


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"permissions": []}, "/permissions", "too_few"),
        ({"permissions": ["EVERYTHING"]}, "/permissions/0", "choice"),
        ({"expires_in_days": 0}, "/expires_in_days", "range"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at", "range"),
        ({"expires_at": "2027-01-01T00:00:00Z", "expires_in_days": 1}, "/expires_at", "ambiguous"),
        ({"user": "mallory"}, "/user", "unknown_field"),
    ],
)
def test_a_wrong_field_of_a_token_is_pointed_at(ada_api, fields, pointer, code):
    response = ada_api.post("/tokens", json={"permissions": ["EVENTS:VIEW"]} | fields)

    assert response.status_code == 422
    assert pointers(response) == {pointer: code}


# --- service tokens -------------------------------------------------------------------------------------------------


def test_a_service_token_belongs_to_the_organization(ada_api, caller):
    made = ada_api.post("/tokens", json={"permissions": ["EVENTS:PUBLISH"], "service": True}).get_json()
    mine = ada_api.post("/tokens", json={"permissions": ["EVENTS:PUBLISH"]}).get_json()

    assert (made["service"], made["user"], made["owner"]) == (True, None, "acme")
    assert (mine["service"], mine["user"], mine["owner"]) == (False, "ada", "ada@example.com")
    assert made["status"] == "valid"
    assert caller(made["token"]).publish()
    listed = {one["id"]: one["service"] for one in ada_api.get("/tokens").get_json()["data"]}
    assert (listed[made["id"]], listed[mine["id"]]) == (True, False)


@pytest.mark.parametrize("service", [1, "true", None])
def test_service_is_true_or_false(ada_api, service):
    response = ada_api.post("/tokens", json={"permissions": ["EVENTS:VIEW"], "service": service})

    assert response.status_code == 422
    assert list(pointers(response)) == ["/service"]


def test_what_a_service_token_creates_is_a_service_token(caller, service_token_of, ada):
    shop = caller(service_token_of(ada, "TOKENS:MANAGE", "EVENTS:VIEW"))

    made = shop.post("/tokens", json={"permissions": ["EVENTS:VIEW"]})

    assert made.status_code == 201
    assert made.get_json()["service"]
    assert made.get_json()["created_by"] == "shop (service token)"
    assert caller(made.get_json()["token"]).get("/events").status_code == 200


def test_a_token_that_a_token_creates_ends_with_it(ada_api, caller, clock):
    parent = ada_api.post("/tokens", json={"permissions": ["TOKENS:MANAGE", "EVENTS:VIEW"], "expires_in_days": 2})
    minting = caller(parent.get_json()["token"])

    child = minting.post("/tokens", json={"permissions": ["EVENTS:VIEW"], "expires_in_days": 3650}).get_json()
    never = minting.post("/tokens", json={"permissions": ["TOKENS:MANAGE", "EVENTS:VIEW"], "service": True}).get_json()
    grandchild = caller(never["token"]).post("/tokens", json={"permissions": ["EVENTS:VIEW"]}).get_json()

    assert {one["expires_at"] for one in (child, never, grandchild)} == {parent.get_json()["expires_at"]}
    assert ada_api.delete(f"/tokens/{parent.get_json()['id']}").status_code == 204
    for one in (child, never, grandchild):
        assert caller(one["token"]).get("/events").get_json()["code"] == "token_revoked"


def test_a_service_token_works_like_another_everywhere(caller, service_token_of, ada, ada_api):
    """No view needs a person behind the token: each of them answers, and what is created has no author."""
    shop = caller(service_token_of(ada))
    hook = shop.make_hook()
    event = shop.publish()
    delivery = shop.get("/deliveries").get_json()["data"][0]["id"]

    assert hook["author"] is None
    assert shop.put(f"/hooks/{hook['id']}", json={"url": hook["url"], "event_types": ["a"]}).status_code == 200
    assert shop.patch(f"/hooks/{hook['id']}", json={"name": "renamed"}).status_code == 200
    assert shop.post(f"/hooks/{hook['id']}/test", json={}).status_code == 202
    assert shop.post(f"/hooks/{hook['id']}/secret/rotate", json={}).status_code == 200
    assert shop.get(f"/events/{event['id']}").status_code == 200
    assert shop.get(f"/deliveries/{delivery}").status_code == 200
    assert shop.post(f"/deliveries/{delivery}/cancel").status_code == 200
    assert shop.post(f"/deliveries/{delivery}/resend").status_code == 202
    replay = shop.post("/replays", json={"which": "all", "since": "2026-11-22T00:00:00Z"})
    assert (replay.status_code, replay.get_json()["author"]) == (202, None)
    assert ada_api.get(f"/hooks/{hook['id']}").get_json()["author"] is None


def test_a_service_token_sees_its_organization_alone(caller, service_token_of, ada, mallory_api):
    hook, token = mallory_api.make_hook()["id"], mallory_api.post("/tokens", json={"permissions": ["EVENTS:VIEW"]})
    shop = caller(service_token_of(ada))

    assert shop.get(f"/hooks/{hook}").status_code == 404
    assert shop.delete(f"/tokens/{token.get_json()['id']}").status_code == 404
    assert shop.get("/hooks").get_json()["data"] == []


@pytest.mark.parametrize(("others", "is_shown"), [((), False), (("DELIVERIES:RESEND",), True)])
def test_a_service_token_that_only_views_does_not_read_what_receivers_respond(
    caller, service_token_of, ada, ada_api, work, others, is_shown
):
    ada_api.make_hook()
    ada_api.publish()
    [row] = rows_of(claim(work, hire(work)))
    record(work, row, Outcome.SERVER_ERROR, status=500, response_body=b"internal detail")
    delivery = ada_api.get("/deliveries").get_json()["data"][0]["id"]

    answer = caller(service_token_of(ada, "DELIVERIES:VIEW", *others)).get(f"/deliveries/{delivery}")

    assert answer.status_code == 200
    assert ("internal detail" in answer.text) is is_shown


def test_a_service_token_acts_under_its_name_in_the_audit_log(caller, service_token_of, ada, work):
    caller(service_token_of(ada)).make_hook()

    [entry] = [one for one in rows(work, AuditEntry) if one.action == "hook.created"]
    [token] = rows(work, Token)
    assert (entry.actor, entry.user_number, entry.service_token_id) == ("shop", None, token.id)


# --- what opens the door --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keyword", ["Token", "Bearer", "token", "BEARER"])
def test_a_token_stands_after_either_word(ada_api, anyone, keyword):
    response = anyone.get("/hooks", headers={"Authorization": f"{keyword} {ada_api.token}"})

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_missing"),
        ("", "token_malformed"),
        ("Token", "token_malformed"),
        ("Basic YTpi", "token_malformed"),
        ("Token nope", "token_malformed"),
        ("Token hy_AAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_AAAAAA", "token_malformed"),
        ("Token \xff\xfe", "token_malformed"),
    ],
)
def test_without_a_token_that_works_the_answer_is_401(anyone, header, code):
    response = anyone.get("/hooks", headers={} if header is None else {"Authorization": header})

    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"
    assert response.get_json()["code"] == code
    assert [value.split()[0] for value in response.headers.getlist("WWW-Authenticate")] == ["Bearer", "Token"]


def test_a_token_with_one_letter_changed_is_refused(ada_api, caller):
    wrong = ada_api.token[:-8] + ("A" if ada_api.token[-8] != "A" else "B") + ada_api.token[-7:]

    assert caller(wrong).get("/hooks").status_code == 401


def test_the_query_and_the_body_are_no_place_for_a_token(anyone, ada_api):
    assert anyone.get(f"/hooks?token={ada_api.token}").status_code == 401
    assert anyone.post("/events", json={"token": ada_api.token}).status_code == 401


def test_a_sign_in_cookie_is_no_credential(app, ada, work):
    secret = sign_in.start_session(work, user=ada.user, ip="127.0.0.1", user_agent="")
    client = app.test_client()
    with client.session_transaction() as session:
        session.update(_user_id=secret, _fresh=True)

    assert client.get("/api/v1/hooks").status_code == 401
    assert client.post("/api/v1/events", json={"type": "t", "payload": 1}).status_code == 401


def test_no_answer_sets_a_cookie(ada_api):
    for response in (ada_api.get("/hooks"), ada_api.post("/events", json={}), ada_api.get("/nope")):
        assert "Set-Cookie" not in response.headers


def test_the_use_of_a_token_is_noted(ada_api, work, clock):
    ada_api.get("/hooks")

    (token,) = rows(work, Token)
    assert token.last_used_at == clock.now()


def test_a_token_whose_owner_is_no_member_any_more_is_refused(work, caller, token_of, ed):
    eds = caller(token_of(ed, "EVENTS:VIEW"))
    assert eds.get("/events").status_code == 200

    with work.transaction():
        work.session.delete(work.session.query(Membership).filter_by(user_number=ed.user.number).one())

    refused = eds.get("/events")
    assert (refused.status_code, refused.get_json()["code"]) == (401, "owner_left")
