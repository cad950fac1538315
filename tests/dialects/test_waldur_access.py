"""Waldur's hooks, over HTTP: who sees and may do what, by which paths and methods."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from console.models import Hook, Token, User
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work
from tests.dialects.waldur_stage import NO_HOOK, ROOT, SSH, URL, make, path_of, uuids

# --- who sees what --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}{'0' * 32}/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
def test_without_a_token_nothing_is_answered(anyone: Any, path: str, method: str) -> None:
    answer = anyone.call(method, path, json={})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Token")
    if method != "HEAD":
        assert answer.text == '{"detail":"Authentication credentials were not provided."}'


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("Token", "Invalid token. No credentials provided."),
        ("Token a b", "Invalid token. Token string should not contain spaces."),
        ("Token a", "Invalid token."),
        ("Bearer a", "Authentication credentials were not provided."),
    ],
)
def test_a_refused_token_in_the_words_of_waldur(anyone: Any, header: str, words: str) -> None:
    answer = anyone.get(ROOT, headers={"Authorization": header})

    assert (answer.status_code, answer.get_json()) == (401, {"detail": words})


def test_a_token_in_the_query_is_not_accepted(anyone: Any, ada_api: Any) -> None:
    assert anyone.get(f"{ROOT}?x-auth-token={ada_api.token}").status_code == 401


def test_an_expired_token_and_a_disabled_user_are_told_so(
    ada_api: Any, ada: Any, work: Work, clock: Any, token_of: Callable[..., str], caller: Any
) -> None:
    work.session.execute(update(Token).values(expires_at=clock.now() + timedelta(days=1)))
    clock.advance(days=2)
    expired = ada_api.get(ROOT)
    fresh = caller(token_of(ada))
    work.session.execute(update(User).values(is_active=False))
    disabled = fresh.get(ROOT)

    assert (expired.status_code, expired.get_json()) == (401, {"detail": "Token has expired."})
    assert (disabled.status_code, disabled.get_json()) == (401, {"detail": "User inactive or deleted."})


def test_a_refused_token_waits_for_no_writer(ada_api: Any, app: Any, work: Work, clock: Any) -> None:
    """On SQLite one writer keeps all others waiting for up to ten seconds, and then they fail."""
    make(ada_api)
    clock.advance(days=2)
    work.session.execute(update(Token).values(expires_at=clock.now() - timedelta(days=1)))
    work.session.commit()
    work.session.execute(update(Token).values(name="being written"))

    answer = app.test_client().post(ROOT, headers={"Authorization": f"Token {ada_api.token}"}, json={})

    assert (answer.status_code, answer.get_json()) == (401, {"detail": "Token has expired."})


def test_a_request_leaves_no_transaction_open(ada_api: Any, app: Any, work: Work) -> None:
    hook = make(ada_api)
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        ada_api.call(method, path_of(hook), json={"destination_url": URL})

        work.session.execute(update(User).values(full_name=method))  # would wait, and fail

    assert app.test_client().get(ROOT).status_code == 401


@pytest.mark.parametrize(
    ("method", "permission"),
    [
        ("POST", "WEBHOOKS:ADD"),
        ("GET", "WEBHOOKS:VIEW"),
        ("HEAD", "WEBHOOKS:VIEW"),
        ("PUT", "WEBHOOKS:EDIT"),
        ("PATCH", "WEBHOOKS:EDIT"),
        ("DELETE", "WEBHOOKS:REMOVE"),
    ],
)
def test_every_operation_needs_its_permission(
    ed: Any, token_of: Callable[..., str], caller: Any, method: str, permission: str
) -> None:
    every = {"WEBHOOKS:VIEW", "WEBHOOKS:ADD", "WEBHOOKS:EDIT", "WEBHOOKS:REMOVE"}
    hook = make(caller(token_of(ed, *every)))
    path = ROOT if method == "POST" else path_of(hook)

    refused = caller(token_of(ed, *(every - {permission}))).call(method, path, json={"destination_url": URL})
    taken = caller(token_of(ed, permission)).call(method, path, json={"destination_url": URL})

    assert refused.status_code == 403
    if method != "HEAD":
        assert refused.get_json() == {"detail": "You do not have permission to perform this action."}
    assert taken.status_code in {200, 201, 204}


@pytest.mark.both_databases
def test_a_hook_of_another_user_is_not_found_but_by_admins(ada_api: Any, ed_api: Any, ada: Any) -> None:
    of_ada, of_ed = make(ada_api), make(ed_api)

    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = ed_api.call(method, path_of(of_ada), json={})
        assert (answer.status_code, answer.get_json()) == (404, NO_HOOK)
    assert uuids(ed_api.get(ROOT)) == [of_ed["uuid"]]
    assert uuids(ada_api.get(ROOT)) == [of_ed["uuid"], of_ada["uuid"]]
    edited = ada_api.patch(path_of(of_ed), json={"content_type": "form"}).get_json()
    assert (edited["author_username"], edited["content_type"]) == ("ed", "form")


def test_staff_see_the_hooks_of_others(ed_api: Any, vi_api: Any, vi: Any, work: Work) -> None:
    hook = make(ed_api)

    before = vi_api.get(path_of(hook)).status_code
    work.session.execute(update(User).where(User.number == vi.user.number).values(is_staff=True))

    assert (before, vi_api.get(path_of(hook)).status_code) == (404, 200)
    assert uuids(vi_api.get(ROOT)) == [hook["uuid"]]


def test_an_organization_bounds_what_even_admins_see(ada_api: Any, mallory_api: Any) -> None:
    hook = make(ada_api)

    assert mallory_api.get(path_of(hook)).status_code == 404
    assert mallory_api.delete(path_of(hook)).status_code == 404
    assert uuids(mallory_api.get(ROOT)) == []


@pytest.mark.parametrize(
    ("fields", "is_visible"),
    [
        ({"event_types": SSH}, True),
        ({"event_types": []}, True),
        ({"event_types": SSH, "sources": []}, True),
        ({"event_types": [*SSH, "order.paid"]}, False),
        ({"event_types": ["ssh_key_creation_succeeded.*"]}, False),
        ({"event_types": ["*"]}, False),
        ({"event_groups": ["ssh"]}, False),
        ({"all_events": True}, False),
        ({"event_types": SSH, "all_events": True}, False),
    ],
)
def test_a_hook_made_elsewhere_is_visible_when_waldur_has_words_for_it(
    ada_api: Any, ada: Any, work: Work, fields: dict[str, Any], *, is_visible: bool
) -> None:
    made = hooks.create(
        work,
        organization_number=ada.organization.number,
        author_number=ada.user.number,
        draft=HookDraft(url=URL, **fields),
    )

    assert uuids(ada_api.get(ROOT)) == ([made.hook.id.hex] if is_visible else [])
    assert ada_api.get(f"{ROOT}{made.hook.id}/").status_code == (200 if is_visible else 404)
    assert ada_api.patch(f"{ROOT}{made.hook.id}/").status_code == (200 if is_visible else 404)
    assert ada_api.head(ROOT).headers["X-Result-Count"] == ("1" if is_visible else "0")


def test_a_hook_whose_author_is_gone_still_has_strings(ada_api: Any, work: Work) -> None:
    hook = make(ada_api)
    work.session.execute(update(Hook).values(author_number=None))

    shown = ada_api.get(path_of(hook)).get_json()

    assert shown["author_uuid"] == "0" * 32
    assert {shown["author_fullname"], shown["author_username"], shown["author_email"]} == {""}


# --- paths and methods ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/hooks-web", "/api/hooks-web/0123456789abcdef0123456789abcdef"])
def test_a_path_without_its_slash_is_redirected_with_its_query(anyone: Any, method: str, path: str) -> None:
    answer = anyone.call(method, f"{path}?page=2")

    assert (answer.status_code, answer.headers["Location"]) == (308, f"{path}/?page=2")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", ROOT, "GET, HEAD, POST"),
        ("DELETE", ROOT, "GET, HEAD, POST"),
        ("POST", f"{ROOT}{'0' * 32}/", "GET, HEAD, PUT, PATCH, DELETE"),
    ],
)
def test_a_method_that_waldur_does_not_offer(ada_api: Any, method: str, path: str, allow: str) -> None:
    answer = ada_api.call(method, path)

    assert (answer.status_code, answer.get_json()) == (405, {"detail": f'Method "{method}" not allowed.'})
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize("path", ["/api/hooks/", "/api/hooks-email/", "/api/events/"])
def test_the_rest_of_waldur_is_not_offered(ada_api: Any, path: str) -> None:
    assert ada_api.get(path).status_code == 404
