"""Waldur's hooks, over HTTP: what is accepted, what is answered, who sees what, what is delivered."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from console.core.catalogue import packaged_groups, packaged_names
from console.models import Delivery, Hook, HookState, Token, User
from console.services import deliveries, hooks, publishing
from console.services.event_drafts import EventDraft
from console.services.hooks import HookDraft
from console.services.work import Work
from tests.fuzz import through_the_app

ROOT = "/api/hooks-web/"
URL = "https://receiver.example.com/hook"
SSH = ["ssh_key_creation_succeeded", "ssh_key_deletion_succeeded"]
CUSTOMER = "customer_update_succeeded"
KEYS = [
    "url",
    "uuid",
    "is_active",
    "author_uuid",
    "event_types",
    "event_groups",
    "created",
    "modified",
    "hook_type",
    "author_fullname",
    "author_username",
    "author_email",
    "destination_url",
    "content_type",
]
NO_HOOK = {"detail": "No WebHook matches the given query."}
NO_CHOICE = "Select a valid choice. {} is not one of the available choices."


def make(api: Any, **fields: Any) -> dict[str, Any]:
    """Make a hook through the dialect."""
    answer = api.post(ROOT, json={"destination_url": URL} | fields)
    assert answer.status_code == 201, answer.text
    return answer.get_json()


def path_of(hook: dict[str, Any]) -> str:
    return f"{ROOT}{hook['uuid']}/"


def row_of(work: Work, hook: dict[str, Any]) -> Hook:
    """Give the hook as the core keeps it."""
    row = work.session.scalar(select(Hook).where(Hook.id == UUID(hook["uuid"])))
    assert row is not None
    work.session.refresh(row)
    return row


def uuids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [hook["uuid"] for hook in answer.get_json()]


# --- create and read ------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_url_is_enough_for_a_hook_that_hears_nothing_yet(ada_api: Any, ada: Any) -> None:
    answer = ada_api.post(ROOT, json={"destination_url": URL})
    hook = answer.get_json()

    assert answer.status_code == 201
    assert answer.headers["Location"] == hook["url"] == f"http://hookyard.test{path_of(hook)}"
    assert list(hook) == KEYS
    assert hook == {
        "url": hook["url"],
        "uuid": hook["uuid"],
        "is_active": True,
        "author_uuid": ada.user.id.hex,
        "event_types": [],
        "event_groups": [],
        "created": "2026-11-22T09:00:00.000000Z",
        "modified": "2026-11-22T09:00:00.000000Z",
        "hook_type": "webhook",
        "author_fullname": "Ada",
        "author_username": "ada",
        "author_email": "ada@example.com",
        "destination_url": URL,
        "content_type": "json",
    }


def test_the_core_keeps_it_as_a_hook_in_the_format_of_waldur(ada_api: Any, ada: Any, work: Work) -> None:
    hook = row_of(work, make(ada_api, event_groups=["ssh"]))

    assert (hook.dialect, hook.payload_format, hook.name) == ("waldur", "waldur", "")
    assert (hook.retry, hook.timeout_s, hook.all_events, hook.event_groups) == (None, None, False, [])
    assert hook.author_number == ada.user.number
    assert hook.dialect_data == {"waldur": {"event_groups": ["ssh"]}}
    assert len(hooks.secrets_of(work, hook)) == 1


@pytest.mark.parametrize("dashed", [True, False])
def test_a_hook_is_read_by_its_uuid_with_dashes_or_without(ada_api: Any, *, dashed: bool) -> None:
    hook = make(ada_api)
    uuid = str(UUID(hook["uuid"])) if dashed else hook["uuid"].upper()

    answer = ada_api.get(f"{ROOT}{uuid}/")

    assert (answer.status_code, answer.get_json()) == (200, hook)


@pytest.mark.parametrize("uuid", ["x", "1", "0" * 32, "0" * 31, "%00", "a" * 33, "{" + "a" * 32 + "}", "-" * 36])
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_what_is_no_uuid_of_a_hook_is_not_found(ada_api: Any, uuid: str, method: str) -> None:
    answer = ada_api.call(method, f"{ROOT}{uuid}/", data="{", content_type="text/plain")

    assert (answer.status_code, answer.get_json()) == (404, NO_HOOK)


def test_the_head_of_a_hook_has_no_body(ada_api: Any) -> None:
    answer = ada_api.head(path_of(make(ada_api)))

    assert (answer.status_code, answer.data) == (200, b"")


def test_a_hook_is_made_from_a_form(ada_api: Any) -> None:
    fields = {"destination_url": URL, "event_types": SSH[0], "is_active": "no", "content_type": "form"}

    hook = ada_api.post(ROOT, data=fields).get_json()
    several = ada_api.post(ROOT, data={"destination_url": URL, "event_types": SSH}).get_json()

    assert (hook["event_types"], hook["is_active"], hook["content_type"]) == ([SSH[0]], False, "form")
    assert (several["event_types"], several["is_active"], several["content_type"]) == (SSH, True, "json")


def test_the_same_url_may_be_used_by_any_number_of_hooks(ada_api: Any) -> None:
    assert make(ada_api)["uuid"] != make(ada_api)["uuid"]


@pytest.mark.parametrize(
    "url",
    [
        "https://Example.com",
        "https://example.com:8443/a%20b?c=d&e",
        "http://bücher.example/",
    ],
)
def test_the_url_comes_back_as_it_was_sent(ada_api: Any, url: str) -> None:
    assert make(ada_api, destination_url=url)["destination_url"] == url


# --- what is subscribed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "types", "groups"),
    [
        ({}, [], []),
        ({"event_groups": ["ssh"]}, SSH, ["ssh"]),
        ({"event_groups": ["ssh"], "event_types": [CUSTOMER]}, [CUSTOMER, *SSH], ["ssh"]),
        ({"event_groups": ["ssh"], "event_types": []}, SSH, ["ssh"]),
        ({"event_groups": [], "event_types": [CUSTOMER]}, [CUSTOMER], []),
        ({"event_types": [CUSTOMER]}, [CUSTOMER], []),
        ({"event_types": [SSH[1], SSH[0], SSH[1]]}, SSH, []),
        ({"event_types": {SSH[1]: 1, SSH[0]: None}}, SSH, []),
        ({"event_groups": ["ssh", "ssh"]}, SSH, ["ssh"]),
        ({"event_groups": []}, [], []),
        ({"event_types": []}, [], []),
    ],
)
def test_what_a_new_hook_subscribes_to(ada_api: Any, body: dict[str, Any], types: list[str], groups: list[str]) -> None:
    hook = make(ada_api, **body)

    assert (hook["event_types"], hook["event_groups"]) == (types, groups)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    ("body", "types", "groups"),
    [
        ({}, [CUSTOMER, *SSH], ["ssh"]),
        ({"event_types": [CUSTOMER]}, [CUSTOMER], ["ssh"]),
        ({"event_types": []}, [], ["ssh"]),
        ({"event_groups": ["ssh"]}, SSH, ["ssh"]),
        ({"event_groups": []}, [], []),
        ({"event_groups": [], "event_types": [CUSTOMER]}, [CUSTOMER], []),
    ],
)
def test_what_a_changed_hook_subscribes_to(
    ada_api: Any, method: str, body: dict[str, Any], types: list[str], groups: list[str]
) -> None:
    hook = make(ada_api, event_groups=["ssh"], event_types=[CUSTOMER])

    answer = ada_api.call(method, path_of(hook), json={"destination_url": URL} | body)

    assert (answer.get_json()["event_types"], answer.get_json()["event_groups"]) == (types, groups)


@pytest.mark.parametrize("group", sorted(packaged_groups("waldur")))
def test_every_group_stands_for_its_types(ada_api: Any, group: str) -> None:
    assert make(ada_api, event_groups=[group])["event_types"] == sorted(packaged_groups("waldur")[group])


def test_there_are_27_groups_and_388_types_and_a_hook_may_have_them_all(ada_api: Any) -> None:
    groups, types = sorted(packaged_groups("waldur")), sorted(packaged_names("waldur"))

    hook = make(ada_api, event_groups=groups, event_types=types)

    assert (len(groups), len(types)) == (27, 388)
    assert (hook["event_groups"], hook["event_types"]) == (groups, types)


# --- what is refused ------------------------------------------------------------------------------------------------

REQUIRED, NULL = ["This field is required."], ["This field may not be null."]
TOO_LONG = "Ensure this field has no more than 200 characters."
REFUSED: list[tuple[dict[str, Any], dict[str, list[str]]]] = [
    ({"destination_url": "INVALID_URL"}, {"destination_url": ["Enter a valid URL."]}),
    ({"destination_url": "ftp://example.com/"}, {"destination_url": ["Enter a valid URL."]}),
    ({"destination_url": "https://a:b@example.com/"}, {"destination_url": ["Enter a valid URL."]}),
    ({"destination_url": "https://example.com/#a"}, {"destination_url": ["Enter a valid URL."]}),
    ({"destination_url": "http://10.0.0.1/"}, {"destination_url": ["This address is not allowed."]}),
    ({"destination_url": "http://169.254.169.254/"}, {"destination_url": ["This address is not allowed."]}),
    ({"destination_url": f"https://example.com/{'x' * 181}"}, {"destination_url": [TOO_LONG]}),
    ({"destination_url": "x" * 201}, {"destination_url": [TOO_LONG, "Enter a valid URL."]}),
    ({"destination_url": ""}, {"destination_url": ["This field may not be blank."]}),
    ({"destination_url": None}, {"destination_url": NULL}),
    ({"destination_url": True}, {"destination_url": ["Not a valid string."]}),
    ({"destination_url": [URL]}, {"destination_url": ["Not a valid string."]}),
    ({"destination_url": 5}, {"destination_url": ["Enter a valid URL."]}),
    ({"is_active": None}, {"is_active": NULL}),
    ({"is_active": "maybe"}, {"is_active": ["Must be a valid boolean."]}),
    ({"content_type": None}, {"content_type": NULL}),
    ({"content_type": "xml"}, {"content_type": ['"xml" is not a valid choice.']}),
    ({"content_type": 1}, {"content_type": ['"1" is not a valid choice.']}),
    ({"content_type": ""}, {"content_type": ['"" is not a valid choice.']}),
    ({"event_types": None}, {"event_types": NULL}),
    ({"event_types": "ssh"}, {"event_types": ['Expected a list of items but got type "str".']}),
    ({"event_types": 5}, {"event_types": ['Expected a list of items but got type "int".']}),
    ({"event_types": [SSH[0], "INVALID", "WORSE"]}, {"event_types": ['"INVALID" is not a valid choice.']}),
    ({"event_types": ["order.paid"]}, {"event_types": ['"order.paid" is not a valid choice.']}),
    ({"event_types": ["*"]}, {"event_types": ['"*" is not a valid choice.']}),
    ({"event_groups": None}, {"event_groups": NULL}),
    ({"event_groups": True}, {"event_groups": ['Expected a list of items but got type "bool".']}),
    ({"event_groups": ["INVALID"]}, {"event_groups": ['"INVALID" is not a valid choice.']}),
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(("fields", "errors"), REFUSED)
def test_a_wrong_field_is_refused_in_the_words_of_waldur(
    ada_api: Any, method: str, fields: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    path = ROOT if method == "POST" else path_of(make(ada_api))
    answer = ada_api.call(method, path, json={"destination_url": URL} | fields)

    assert (answer.status_code, answer.get_json()) == (400, errors)


def test_all_wrong_fields_are_named_in_the_order_of_the_answer(ada_api: Any) -> None:
    body = {"content_type": 1, "event_groups": ["x"], "event_types": ["y"], "is_active": "z", "uuid": "ignored"}

    answer = ada_api.post(ROOT, json=body)

    assert list(answer.get_json()) == ["is_active", "event_types", "event_groups", "destination_url", "content_type"]
    assert answer.get_json()["destination_url"] == REQUIRED


def test_put_needs_the_url_and_patch_does_not(ada_api: Any) -> None:
    hook = make(ada_api)

    refused = ada_api.put(path_of(hook), json={})
    taken = ada_api.patch(path_of(hook), data=b"")

    assert (refused.status_code, refused.get_json()) == (400, {"destination_url": REQUIRED})
    assert taken.status_code == 200


def test_unknown_and_read_only_keys_are_ignored(ada_api: Any) -> None:
    hook = make(ada_api, uuid="x", url="x", hook_type="email", author_uuid="x", created="x", name="x", secret="x")

    assert hook["hook_type"] == "webhook"
    assert hook["author_username"] == "ada"


# --- change and delete ----------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_put_changes_what_is_given_and_keeps_the_rest(ada_api: Any, clock: Any) -> None:
    hook = make(ada_api, event_groups=["ssh"], is_active=False, content_type="form")
    clock.advance(seconds=1.5)

    answer = ada_api.put(path_of(hook), json={"destination_url": f"{URL}/2"})

    changed = {"destination_url": f"{URL}/2", "modified": "2026-11-22T09:00:01.500000Z"}
    assert (answer.status_code, answer.get_json()) == (200, hook | changed)
    assert ada_api.get(path_of(hook)).get_json() == hook | changed


def test_even_an_empty_change_is_a_modification(ada_api: Any, clock: Any) -> None:
    hook = make(ada_api)
    clock.advance(seconds=1)

    assert ada_api.patch(path_of(hook), json={}).get_json()["modified"] == "2026-11-22T09:00:01.000000Z"


def test_a_hook_is_switched_off_and_on(ada_api: Any, work: Work) -> None:
    hook = make(ada_api)

    assert ada_api.patch(path_of(hook), json={"is_active": False}).get_json()["is_active"] is False
    assert row_of(work, hook).disabled_reason == "Disabled by Ada"
    assert ada_api.patch(path_of(hook), json={"is_active": "true"}).get_json()["is_active"] is True
    assert row_of(work, hook).disabled_reason is None


@pytest.mark.both_databases
def test_a_deleted_hook_is_gone(ada_api: Any) -> None:
    hook = make(ada_api)

    answer = ada_api.delete(path_of(hook))

    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        again = ada_api.call(method, path_of(hook), json={})
        assert (again.status_code, again.get_json()) == (404, NO_HOOK)
    assert uuids(ada_api.get(ROOT)) == []


def test_what_another_face_keeps_with_a_hook_survives(ada_api: Any, work: Work) -> None:
    hook = make(ada_api, event_groups=["ssh"])
    row = row_of(work, hook)
    hooks.change(
        work, hook=row, draft=HookDraft(name="Mine", timeout=7, dialect_data=row.dialect_data | {"oms": {"config": 1}})
    )

    ada_api.patch(path_of(hook), json={"event_groups": []})

    after = row_of(work, hook)
    assert (after.name, after.timeout_s) == ("Mine", 7)
    assert after.dialect_data == {"oms": {"config": 1}, "waldur": {"event_groups": []}}


def test_labels_survive_an_edit_elsewhere(ada_api: Any, work: Work) -> None:
    hook = make(ada_api, event_groups=["ssh"])
    hooks.change(work, hook=row_of(work, hook), draft=HookDraft(event_types=[CUSTOMER]))

    shown = ada_api.get(path_of(hook)).get_json()

    assert (shown["event_types"], shown["event_groups"]) == ([CUSTOMER], ["ssh"])


def test_a_url_that_the_rules_no_longer_allow_may_stay(ada_api: Any, work: Work) -> None:
    hook = make(ada_api)
    work.session.execute(update(Hook).values(url="http://10.0.0.1/"))

    answer = ada_api.put(path_of(hook), json={"destination_url": "http://10.0.0.1/", "is_active": False})

    assert (answer.status_code, answer.get_json()["is_active"]) == (200, False)


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


# --- the list -------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_twelve_hooks_take_two_pages(ada_api: Any) -> None:
    made = [make(ada_api)["uuid"] for _ in range(12)]

    first, second = ada_api.get(ROOT), ada_api.get(f"{ROOT}?page=2")
    head = ada_api.head(ROOT)

    root = f"http://hookyard.test{ROOT}"
    assert uuids(first) == made[:1:-1]
    assert uuids(second) == made[1::-1]
    assert first.headers["X-Result-Count"] == head.headers["X-Result-Count"] == "12"
    assert first.headers["Link"] == f'<{root}>; rel="first", <{root}?page=2>; rel="next", <{root}?page=2>; rel="last"'
    assert second.headers["Link"] == f'<{root}>; rel="first", <{root}>; rel="prev", <{root}?page=2>; rel="last"'
    assert (head.status_code, head.data, head.headers["Link"]) == (200, b"", first.headers["Link"])


def test_links_keep_the_filters_and_write_no_bare_comma(ada_api: Any) -> None:
    for _ in range(3):
        make(ada_api, destination_url="https://example.com/a,b")

    answer = ada_api.get(f"{ROOT}?page_size=1&destination_url=https://example.com/a,b&page=2")

    kept = f"http://hookyard.test{ROOT}?destination_url=https%3A%2F%2Fexample.com%2Fa%2Cb"
    first = f"<{kept}&page_size=1>"
    neighbours = f'{first}; rel="prev", <{kept}&page=3&page_size=1>; rel="next"'
    assert answer.headers.get_all("Link") == [
        f'{first}; rel="first", {neighbours}, <{kept}&page=3&page_size=1>; rel="last"'
    ]


def test_an_empty_list_is_a_page(ada_api: Any) -> None:
    answer = ada_api.get(ROOT)

    assert (answer.status_code, answer.text, answer.headers["X-Result-Count"]) == (200, "[]", "0")
    assert ada_api.get(f"{ROOT}?page=2").status_code == 404


@pytest.mark.parametrize("page", ["0", "2", "x", "last"])
def test_a_page_that_is_not_there(ada_api: Any, page: str) -> None:
    answer = ada_api.get(f"{ROOT}?page={page}")

    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Invalid page."})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["ed", "ada"]),
        ("author_username=ed", ["ed"]),
        ("author_username=e", []),
        ("author_username=ED", []),
        ("author_email=ada@example.com", ["ada"]),
        ("author_email=ada", []),
        ("author_fullname=ED", ["ed"]),
        ("author_fullname=d", ["ed", "ada"]),
        ("author_fullname=%25", []),
        ("query=EXAMPLE.com", ["ed", "ada"]),
        ("query=Ad", ["ada"]),
        ("query=nobody", []),
        (f"destination_url={URL}", ["ada"]),
        ("destination_url=https://receiver", []),
        ("is_active=true", ["ada"]),
        ("is_active=0", ["ed"]),
        ("is_active=maybe", ["ed", "ada"]),
        ("content_type=1", ["ada"]),
        ("content_type=2", ["ed"]),
        ("content_type=", ["ed", "ada"]),
        ("last_published=2026-11-21T23:10:01.044605%2B00:00", ["ada"]),
        ("last_published=2026-11-21T23:10:01Z", []),
        ("content_type=2&author_username=ada", []),
        ("unknown=1", ["ed", "ada"]),
    ],
)
def test_the_list_is_filtered(ada_api: Any, ed_api: Any, work: Work, query: str, found: list[str]) -> None:
    make_two(ada_api, ed_api, work)

    answer = ada_api.get(f"{ROOT}?{query}")

    assert [hook["author_username"] for hook in answer.get_json()] == found
    assert answer.headers["X-Result-Count"] == str(len(found))


def make_two(ada_api: Any, ed_api: Any, work: Work) -> None:
    """Make a hook of Ada's, to which something was sent, and one of Ed's, switched off and for forms."""
    of_ada = row_of(work, make(ada_api))
    make(ed_api, destination_url=f"{URL}/ed", is_active=False, content_type="form")
    sent_at = datetime(2026, 11, 21, 23, 10, 1, 44605, tzinfo=UTC)
    work.session.execute(
        update(HookState).where(HookState.hook_number == of_ada.number).values(last_delivery_at=sent_at)
    )


@pytest.mark.both_databases
def test_filters_work_together_on_either_database(ada_api: Any, ed_api: Any, ada: Any, work: Work) -> None:
    make_two(ada_api, ed_api, work)
    filters = (
        f"author_uuid={ada.user.id}&author_email=ada@example.com&author_username=ada&author_fullname=AD&query=EXAMPLE"
        f"&destination_url={URL}&is_active=1&content_type=1&last_published=2026-11-21T23:10:01.044605Z"
    )

    assert [hook["author_username"] for hook in ada_api.get(f"{ROOT}?{filters}").get_json()] == ["ada"]
    assert ada_api.get(f"{ROOT}?{filters}&is_active=0").get_json() == []


@pytest.mark.parametrize("dashed", [True, False])
def test_the_list_is_filtered_by_the_authors_uuid(ada_api: Any, ed_api: Any, ed: Any, *, dashed: bool) -> None:
    make(ada_api)
    hook = make(ed_api)

    answer = ada_api.get(f"{ROOT}?author_uuid={ed.user.id if dashed else ed.user.id.hex}")

    assert uuids(answer) == [hook["uuid"]]


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("author_uuid=x", {"author_uuid": ["Enter a valid UUID."]}),
        ("content_type=form", {"content_type": [NO_CHOICE.format("form")]}),
        ("content_type=3", {"content_type": [NO_CHOICE.format("3")]}),
        ("last_published=yesterday", {"last_published": ["Enter a valid date/time."]}),
        ("query=%00", {"query": ["Null characters are not allowed."]}),
        ("page=0&author_uuid=x", {"author_uuid": ["Enter a valid UUID."]}),
    ],
)
def test_a_wrong_filter_is_refused(ada_api: Any, query: str, errors: dict[str, list[str]]) -> None:
    answer = ada_api.get(f"{ROOT}?{query}")

    assert (answer.status_code, answer.get_json()) == (400, errors)


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


# --- what is delivered ----------------------------------------------------------------------------------------------


def publish(work: Work, ada: Any, event_type: str = CUSTOMER, payload: bytes = b"{}", **fields: Any) -> list[Delivery]:
    """Publish an event and give its deliveries."""
    work.session.commit()
    draft = EventDraft(type=event_type, payload=payload, **fields)
    published = publishing.publish(work, organization_number=ada.organization.number, draft=draft)
    query = select(Delivery).where(Delivery.event_number == published.number)
    return list(work.session.scalars(query))


@pytest.mark.both_databases
def test_an_event_is_one_delivery_with_the_five_keys_of_the_document(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, event_types=[CUSTOMER])
    make(ada_api, event_groups=["ssh"])

    (delivery,) = publish(work, ada, message="Customer Example was renamed.", context=b'{"customer_name": "Example"}')

    body = deliveries.body_of(delivery)
    assert body.content_type == "application/json"
    assert list(json.loads(body.data).items()) == [
        ("timestamp", "2026-11-22T09:00:00.000000"),
        ("message", "Customer Example was renamed."),
        ("type", CUSTOMER),
        ("context", {"customer_name": "Example"}),
        ("levelname", "INFO"),
    ]


@pytest.mark.parametrize(
    ("payload", "context", "expected"),
    [
        (b'{"a": 1}', None, {"a": 1}),
        (b'{"a": 1}', b'{"b": 2}', {"b": 2}),
        (b"[1]", None, {"payload": [1]}),
        (b"null", None, {"payload": None}),
    ],
)
def test_the_context_of_a_delivery(
    ada_api: Any, ada: Any, work: Work, payload: bytes, context: bytes | None, expected: object
) -> None:
    make(ada_api, event_types=[CUSTOMER])

    (delivery,) = publish(work, ada, payload=payload, context=context)

    body = json.loads(deliveries.body_of(delivery).data)
    assert (body["context"], body["message"]) == (expected, "")


def test_a_form_has_the_same_five_fields(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api, event_types=[CUSTOMER], content_type="form")

    (delivery,) = publish(work, ada, payload=b'{"a": "b c"}', message="Hello & welcome")

    body = deliveries.body_of(delivery)
    assert body.content_type == "application/x-www-form-urlencoded"
    assert parse_qs(body.data.decode(), strict_parsing=True) == {
        "timestamp": ["2026-11-22T09:00:00.000000"],
        "message": ["Hello & welcome"],
        "type": [CUSTOMER],
        "context": ['{"a": "b c"}'],
        "levelname": ["INFO"],
    }


def test_labels_alone_subscribe_to_nothing(ada_api: Any, ada: Any, work: Work) -> None:
    hook = make(ada_api, event_groups=["ssh"])
    ada_api.patch(path_of(hook), json={"event_types": []})

    assert publish(work, ada, SSH[0]) == []


def test_a_hook_without_types_hears_nothing(ada_api: Any, ada: Any, work: Work) -> None:
    make(ada_api)

    assert publish(work, ada) == []


def test_a_disabled_hooks_delivery_is_held_and_released(ada_api: Any, ada: Any, work: Work) -> None:
    hook = make(ada_api, event_types=[CUSTOMER], is_active=False)
    (delivery,) = publish(work, ada)
    assert delivery.state == "held"

    ada_api.patch(path_of(hook), json={"is_active": True})

    work.session.refresh(delivery)
    assert delivery.state == "pending"


def test_deleting_a_hook_cancels_what_waits_and_keeps_the_log(ada_api: Any, ada: Any, work: Work) -> None:
    hook = make(ada_api, event_types=[CUSTOMER])
    (delivery,) = publish(work, ada)

    ada_api.delete(path_of(hook))

    work.session.refresh(delivery)
    assert (delivery.state, delivery.url) == ("canceled", URL)


def test_hooks_of_every_member_of_the_organization_hear_an_event(
    ada_api: Any, ed_api: Any, mallory_api: Any, ada: Any, work: Work
) -> None:
    for api in (ada_api, ed_api, mallory_api):
        make(api, event_types=[CUSTOMER])

    assert len(publish(work, ada)) == 2


# --- anything at all ------------------------------------------------------------------------------------------------

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
TYPES = st.sampled_from([*SSH, CUSTOMER, "INVALID"])
NEAR = {
    "destination_url": st.sampled_from([URL, "http://[", "https://例え.jp/\ud800", "x" * 300]) | ANY_JSON,
    "is_active": st.booleans() | ANY_JSON,
    "content_type": st.sampled_from(["json", "form", "xml"]) | ANY_JSON,
    "event_types": st.lists(TYPES) | ANY_JSON,
    "event_groups": st.lists(st.sampled_from(["ssh", "users", "INVALID"])) | ANY_JSON,
}
BODIES = st.one_of(
    st.fixed_dictionaries({}, optional=NEAR).map(lambda body: json.dumps(body).encode()),
    ANY_JSON.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=200),
)
FUZZ = through_the_app()


def is_an_answer_of_waldur(answer: Any) -> bool:
    """Say whether an answer has one of the shapes that Waldur's clients know."""
    if answer.status_code in {200, 201}:
        return answer.mimetype == "application/json"
    body = answer.get_json()
    if answer.status_code == 400 and "detail" not in body:
        return all(isinstance(words, list) and words for words in body.values())
    return answer.status_code in {400, 404, 405, 406, 413, 415} and list(body) == ["detail"]


@FUZZ
@given(
    method=st.sampled_from(["POST", "PUT", "PATCH"]),
    body=BODIES,
    kind=st.sampled_from(["application/json"] * 6 + ["application/x-www-form-urlencoded", "text/plain", ""]),
)
def test_any_body_is_taken_or_refused_in_the_words_of_waldur(
    ada_api: Any, ada: Any, work: Work, method: str, body: bytes, kind: str
) -> None:
    hook = work.session.scalar(select(Hook).where(Hook.deleted_at.is_(None)).limit(1))
    path = ROOT if method == "POST" or hook is None else f"{ROOT}{hook.id}/"

    answer = ada_api.call(method, path, data=body, content_type=kind)

    assert is_an_answer_of_waldur(answer), answer.text


FILTERS = ("author_uuid", "author_email", "author_fullname", "author_username", "content_type", "destination_url")
MORE_FILTERS = ("is_active", "last_published", "page", "page_size", "query", "unknown")


@FUZZ
@given(query=st.dictionaries(st.sampled_from(FILTERS + MORE_FILTERS), st.text(max_size=30) | st.integers().map(str)))
def test_any_query_is_answered_in_the_words_of_waldur(ada_api: Any, query: dict[str, str]) -> None:
    answer = ada_api.get(ROOT, query_string={name: value.encode("utf-8", "replace") for name, value in query.items()})

    assert is_an_answer_of_waldur(answer), answer.text
    if answer.status_code == 200:
        assert answer.headers["X-Result-Count"] == "0"


@FUZZ
@given(uuid=st.text(min_size=1, max_size=40), method=st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "POST"]))
def test_any_uuid_is_answered_in_the_words_of_waldur(ada_api: Any, uuid: str, method: str) -> None:
    answer = ada_api.call(method, f"{ROOT}{quote(uuid.replace('/', '|'), errors='replace')}/", json={})

    assert is_an_answer_of_waldur(answer), answer.text
