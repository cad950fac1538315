"""Waldur's hooks, over HTTP: what is accepted, what is answered, and what a change leaves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from console.core.catalogue import packaged_groups, packaged_names
from console.models import Hook
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work
from tests.dialects.waldur_stage import CUSTOMER, KEYS, NO_HOOK, ROOT, SSH, URL, make, path_of, row_of, uuids

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
    assert len(hook_secrets.secrets_of(work, hook)) == 1


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
    assert row_of(work, hook).disabled_reason == "Disabled by ada@example.com"
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
