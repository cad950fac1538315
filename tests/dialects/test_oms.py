"""Webhooks of the oms dialect, over HTTP: what is accepted, what is answered."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from console.services.event_types import catalogue
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work
from tests.dialects.drf_stage import URL, row_of
from tests.dialects.oms_stage import (
    AUTH,
    FIXED,
    HOOK_KEYS,
    LEAST,
    NULL,
    OTHER,
    REGISTERED,
    REQUIRED,
    SECRET,
    TYPES,
    H,
    W,
    make,
    make_native,
    path_of,
)

# --- subscribing ----------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_webhook_needs_three_fields_is_made_once_and_has_eleven_keys(ada_api: Any) -> None:
    empty = ada_api.post(H, json={})
    made = ada_api.post(H, json=LEAST)
    again = ada_api.post(H, json=LEAST)

    required = ["retry_countdown_config", "target_url", "event_type"]
    assert (empty.status_code, empty.get_json()) == (400, dict.fromkeys(required, REQUIRED))
    assert list(empty.get_json()) == required
    assert made.status_code == 201
    assert list(made.get_json()) == HOOK_KEYS
    assert (again.status_code, again.get_json()) == (406, REGISTERED)


def test_what_is_left_out_has_the_defaults_of_oms(ada_api: Any, ada: Any, work: Work) -> None:
    made = make(ada_api)

    assert made == {
        "id": made["id"],
        "retry_countdown_config": FIXED,
        "created_date": "2026-11-22T09:00:00.000000Z",
        "modified_date": "2026-11-22T09:00:00.000000Z",
        "target_url": URL,
        "is_active": True,
        "secret_key": None,
        "event_type": "package.created",
        "callback": None,
        "additional_headers": {},
        "config": {},
    }
    hook = row_of(work, made)
    assert (hook.payload_format, hook.timeout_s, hook.dialect, hook.name) == ("oms", 10, "oms", "")
    assert hook.author_number == ada.user.number


def test_everything_that_is_given_comes_back(ada_api: Any) -> None:
    given = LEAST | {
        "is_active": False,
        "secret_key": SECRET,
        "callback": "publish_response",
        "additional_headers": {"X-Shop": "acme", "Authorization": "Bearer abc", "Content-Type": "text/json"},
        "config": {"first": [1, {"x": None}], **AUTH, "last": "ü"},
    }

    made = make(ada_api, **given)

    assert {name: made[name] for name in given} == given
    assert list(made["config"]) == ["first", "auth", "last"]
    assert ada_api.get(path_of(made)).get_json() == made


def test_both_paths_lead_to_the_same_webhooks(ada_api: Any) -> None:
    made = ada_api.post(W, json=LEAST).get_json()

    assert ada_api.get(f"{W}{made['id']}/").get_json() == ada_api.get(path_of(made)).get_json() == made
    assert ada_api.get(f"{W}registry/").get_json() == TYPES


def test_a_form_is_taken_with_objects_as_json_or_by_key(ada_api: Any) -> None:
    as_json = {"retry_countdown_config": json.dumps(FIXED), "config": '{"a": 1}', "secret_key": "", "is_active": "no"}
    by_key = {
        "retry_countdown_config.choice": "fixed",
        "retry_countdown_config.kwargs.seconds": "60",
        "additional_headers.X-Shop": "acme",
    }

    first = ada_api.post(H, data={"target_url": URL, "event_type": "package.created", **as_json})
    second = ada_api.post(H, data={"target_url": OTHER, "event_type": "package.created", **by_key})

    assert first.status_code == second.status_code == 201
    assert first.get_json()["config"] == {"a": 1}
    assert (first.get_json()["secret_key"], first.get_json()["is_active"]) == (None, False)
    assert second.get_json()["retry_countdown_config"] == {"choice": "fixed", "kwargs": {"seconds": 60}}
    assert (second.get_json()["additional_headers"], second.get_json()["is_active"]) == ({"X-Shop": "acme"}, True)


# --- fields ---------------------------------------------------------------------------------------------------------

NOT_A_DICTIONARY = ['Expected a dictionary of items but got type "str".']
WRONG = [
    ({"target_url": None}, {"target_url": NULL}),
    ({"target_url": ""}, {"target_url": ["This field may not be blank."]}),
    ({"target_url": "ftp://example.com/"}, {"target_url": ["Enter a valid URL."]}),
    ({"target_url": "any text"}, {"target_url": ["Enter a valid URL."]}),
    ({"target_url": "https://10.0.0.1/"}, {"target_url": ["This address is not allowed."]}),
    (
        {"target_url": f"https://example.com/{'x' * 255}"},
        {"target_url": ["Ensure this field has no more than 255 characters."]},
    ),
    ({"is_active": "maybe"}, {"is_active": ["Must be a valid boolean."]}),
    ({"is_active": None}, {"is_active": NULL}),
    ({"secret_key": "x" * 125}, {"secret_key": ["Ensure this field has no more than 124 characters."]}),
    ({"secret_key": True}, {"secret_key": ["Not a valid string."]}),
    ({"event_type": "nope"}, {"event_type": ['"nope" is not a valid choice.']}),
    ({"event_type": "package.*"}, {"event_type": ['"package.*" is not a valid choice.']}),
    ({"event_type": "Package.Created"}, {"event_type": ['"Package.Created" is not a valid choice.']}),
    ({"event_type": None}, {"event_type": NULL}),
    ({"event_type": "x" * 125}, {"event_type": ["Ensure this field has no more than 124 characters."]}),
    ({"callback": "os.system"}, {"callback": ['"os.system" is not a valid choice.']}),
    ({"callback": "x" * 65}, {"callback": ["Ensure this field has no more than 64 characters."]}),
    ({"additional_headers": None}, {"additional_headers": NULL}),
    ({"additional_headers": "X-A"}, {"additional_headers": NOT_A_DICTIONARY}),
    ({"additional_headers": {"X-A": True}}, {"additional_headers": {"X-A": ["Not a valid string."]}}),
    ({"additional_headers": {"X-A": None}}, {"additional_headers": {"X-A": NULL}}),
    ({"additional_headers": {"Host": "x"}}, {"additional_headers": ["Host may not be set."]}),
    ({"additional_headers": {"content-length": "1"}}, {"additional_headers": ["content-length may not be set."]}),
    ({"additional_headers": {"Transfer-Encoding": "x"}}, {"additional_headers": ["Transfer-Encoding may not be set."]}),
    ({"additional_headers": {"Connection": "x"}}, {"additional_headers": ["Connection may not be set."]}),
    ({"additional_headers": {"Webhook-Id": "x"}}, {"additional_headers": ["Webhook-Id may not be set."]}),
    ({"config": None}, {"config": NULL}),
    ({"config": "x"}, {"config": NOT_A_DICTIONARY}),
    ({"config": []}, {"config": ['Expected a dictionary of items but got type "list".']}),
]


@pytest.mark.parametrize(("fields", "errors"), WRONG)
def test_a_wrong_field_is_named(ada_api: Any, fields: dict[str, Any], errors: dict[str, Any]) -> None:
    answer = ada_api.post(H, json=LEAST | fields)

    assert (answer.status_code, answer.get_json()) == (400, errors)


def _kwargs(errors: Any) -> dict[str, Any]:
    return {"kwargs": errors}


NO_DICTIONARY = {"non_field_errors": ["Invalid data. Expected a dictionary, but got str."]}
COUNTDOWNS: list[tuple[Any, Any]] = [
    (None, NULL),
    ("x", NO_DICTIONARY),
    ({}, {"choice": REQUIRED, "kwargs": REQUIRED}),
    ({"choice": "bogus", "kwargs": {}}, {"choice": ['"bogus" is not a valid choice.']}),
    ({"choice": "fixed", "kwargs": "x"}, _kwargs(NO_DICTIONARY)),
    ({"choice": "fixed", "kwargs": {}}, _kwargs({"seconds": REQUIRED})),
    (
        {"choice": "fixed", "kwargs": {"seconds": -1}},
        _kwargs({"seconds": ["Ensure this value is greater than or equal to 0."]}),
    ),
    ({"choice": "fixed", "kwargs": {"seconds": "x"}}, _kwargs({"seconds": ["A valid integer is required."]})),
    (
        {"choice": "random", "kwargs": {"min_value": 5, "max_value": 5}},
        _kwargs({"non_field_errors": ["'max_value' must be greater than 'min_value'."]}),
    ),
]


@pytest.mark.parametrize(("countdown", "errors"), COUNTDOWNS)
def test_a_wrong_countdown_is_explained_where_it_is_wrong(ada_api: Any, countdown: Any, errors: Any) -> None:
    answer = ada_api.post(H, json=LEAST | {"retry_countdown_config": countdown})

    assert (answer.status_code, answer.get_json()) == (400, {"retry_countdown_config": errors})


POSTED = [
    ({"choice": "fixed", "kwargs": {"seconds": "60", "more": 1}}, {"choice": "fixed", "kwargs": {"seconds": 60}}),
    ({"choice": "exponential", "kwargs": {"base": 2}}, None),
    ({"choice": "exponential", "kwargs": {"factor": 3, "base": 2, "limit": None}}, None),
    ({"choice": "linear", "kwargs": {"base": 10, "limit": 100}}, None),
    ({"choice": "random", "kwargs": {"min_value": 1, "max_value": 9}}, None),
    ({"choice": "fixed", "kwargs": {"seconds": 10**30}}, None),
]


@pytest.mark.parametrize(("posted", "shown"), POSTED)
def test_a_countdown_comes_back_as_it_was_posted(ada_api: Any, posted: Any, shown: Any) -> None:
    made = make(ada_api, retry_countdown_config=posted)

    assert made["retry_countdown_config"] == (shown or posted)
    assert ada_api.get(path_of(made)).get_json() == made


def test_all_wrong_fields_are_named_together_in_the_order_of_the_answer(ada_api: Any) -> None:
    wrong = {"config": 1, "callback": "x", "event_type": "x", "is_active": 5, "retry_countdown_config": 1}

    answer = ada_api.post(H, json=wrong)

    named = ["retry_countdown_config", "target_url", "is_active", "event_type", "callback", "config"]
    assert (answer.status_code, list(answer.get_json())) == (400, named)


def test_strings_are_trimmed_and_empty_ones_are_null(ada_api: Any) -> None:
    made = make(ada_api, target_url=f"  {URL} ", secret_key="  ", callback="", event_type=" package.created ")

    assert (made["target_url"], made["secret_key"], made["callback"]) == (URL, None, None)


# --- which types ----------------------------------------------------------------------------------------------------


def test_the_registry_lists_oms_types_and_then_the_organizations_own(ada_api: Any, ada: Any, work: Work) -> None:
    for name in ("z.own", "a.own", "wild.*"):
        catalogue.create(work, organization_number=ada.organization.number, name=name)

    assert ada_api.get(f"{H}registry/").get_json() == [*TYPES, "a.own", "z.own"]
    assert make(ada_api, event_type="a.own")["event_type"] == "a.own"


def test_types_of_other_organizations_are_unknown(ada_api: Any, mallory: Any, work: Work) -> None:
    catalogue.create(work, organization_number=mallory.organization.number, name="a.own")

    answer = ada_api.post(H, json=LEAST | {"event_type": "a.own"})

    assert answer.get_json() == {"event_type": ['"a.own" is not a valid choice.']}


# --- the same webhook twice -----------------------------------------------------------------------------------------


def test_another_url_type_or_user_makes_another_webhook(ada_api: Any, ed_api: Any) -> None:
    make(ada_api)

    make(ada_api, target_url=OTHER)
    make(ada_api, event_type="shipment.created")
    make(ed_api)


def test_an_inactive_webhook_counts_as_registered(ada_api: Any) -> None:
    ada_api.delete(path_of(make(ada_api)))

    assert ada_api.post(H, json=LEAST).get_json() == REGISTERED


@pytest.mark.both_databases
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_change_may_not_make_a_webhook_like_another_of_its_author(ada_api: Any, ed_api: Any, method: str) -> None:
    make(ed_api)
    other = make(ed_api, target_url=OTHER)

    by_ed = ed_api.call(method, path_of(other), json=LEAST)
    by_ada = ada_api.call(method, path_of(other), json=LEAST)
    unchanged = ed_api.call(method, path_of(other), json=LEAST | {"target_url": OTHER})

    assert (by_ed.status_code, by_ed.get_json()) == (406, REGISTERED)
    assert by_ada.get_json() == REGISTERED
    assert unchanged.status_code == 200


def test_a_wrong_field_is_named_before_the_code(ada_api: Any) -> None:
    make(ada_api)

    answer = ada_api.post(H, json=LEAST | {"is_active": "maybe"})

    assert answer.status_code == 400


def test_webhooks_that_oms_cannot_show_are_no_twins(ada_api: Any, ada: Any, work: Work) -> None:
    make_native(work, ada, retry=None)

    make(ada_api)


# --- changing -------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_put_needs_three_fields_and_keeps_what_it_leaves_out(ada_api: Any) -> None:
    kept = {
        "is_active": False,
        "secret_key": SECRET,
        "callback": "publish_response",
        "config": AUTH,
        "additional_headers": {"X-Shop": "acme"},
    }
    made = make(ada_api, **kept)

    empty = ada_api.put(path_of(made), json={})
    changed = ada_api.put(path_of(made), json=LEAST | {"target_url": OTHER}).get_json()

    assert list(empty.get_json()) == ["retry_countdown_config", "target_url", "event_type"]
    assert changed == made | {"target_url": OTHER, "modified_date": changed["modified_date"]}


CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"is_active": False}, {"is_active": False}),
    ({"event_type": "shipment.created"}, {"event_type": "shipment.created"}),
    ({"secret_key": "new"}, {"secret_key": "new"}),
    ({"secret_key": None}, {"secret_key": None}),
    ({"config": {}}, {"config": {}}),
    ({"callback": None}, {"callback": None}),
    ({"additional_headers": {}}, {"additional_headers": {}}),
    ({"id": 7, "user": 1, "created_date": "x", "unknown": 1}, {}),
    (
        {"retry_countdown_config": {"choice": "linear", "kwargs": {"base": 5}}},
        {"retry_countdown_config": {"choice": "linear", "kwargs": {"base": 5}}},
    ),
]


@pytest.mark.parametrize(("given", "changed"), CHANGES)
def test_patch_changes_what_is_given(ada_api: Any, clock: Any, given: dict[str, Any], changed: dict[str, Any]) -> None:
    extra = {"secret_key": SECRET, "callback": "publish_response", "config": AUTH}
    made = make(ada_api, additional_headers={"X-Shop": "acme"}, **extra)
    clock.advance(seconds=1)

    answer = ada_api.patch(path_of(made), json=given)

    assert answer.get_json() == made | changed | {"modified_date": "2026-11-22T09:00:01.000000Z"}
    assert ada_api.get(path_of(made)).get_json() == answer.get_json()


def test_a_webhook_that_is_sent_back_as_it_was_read_stays_as_it_is(ada_api: Any, work: Work) -> None:
    made = make(ada_api, secret_key=SECRET, config=AUTH)
    hook_secrets.rotate(work, hook=row_of(work, made))

    read = ada_api.get(path_of(made)).get_json()
    put = ada_api.put(path_of(made), json=read).get_json()

    assert put | {"modified_date": 0} == read | {"modified_date": 0}
    assert len(row_of(work, made).secrets) == 2, "the rotation goes on"


def test_delete_disables_and_may_be_repeated(ada_api: Any) -> None:
    made = make(ada_api)

    first, second = ada_api.delete(path_of(made)), ada_api.delete(path_of(made))

    assert (first.status_code, first.data, second.status_code) == (204, b"", 204)
    assert ada_api.get(path_of(made)).get_json()["is_active"] is False


def test_an_edit_leaves_the_author_and_what_other_dialects_keep(ada_api: Any, ed_api: Any, ed: Any, work: Work) -> None:
    made = make(ed_api)
    hooks.change(work, hook=row_of(work, made), draft=HookDraft(dialect_data={"pretix": {"x": 1}}, name="Named"))

    ada_api.patch(path_of(made), json={"config": {"a": 1}})

    hook = row_of(work, made)
    assert (hook.author_number, hook.name, hook.dialect_data["pretix"]) == (ed.user.number, "Named", {"x": 1})
    assert hook.dialect_data["oms"]["config"] == {"a": 1}


def test_an_edit_made_elsewhere_leaves_what_oms_keeps(ada_api: Any, work: Work) -> None:
    made = make(ada_api, callback="publish_response", config=AUTH, secret_key=SECRET)

    hooks.change(work, hook=row_of(work, made), draft=HookDraft(name="Named", url=OTHER))

    assert ada_api.get(path_of(made)).get_json() == made | {"target_url": OTHER}


# --- the list -------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_the_list_is_newest_first_in_pages(ada_api: Any) -> None:
    made = [make(ada_api, event_type=name) for name in TYPES[:3]]

    whole = ada_api.get(H).get_json()
    second = ada_api.get(f"{H}?page_size=2&page=2").get_json()

    assert whole == {"count": 3, "next": None, "previous": None, "results": made[::-1]}
    assert second == {
        "count": 3,
        "next": None,
        "previous": f"http://hookyard.test{H}?page_size=2",
        "results": made[:1],
    }


FILTERS = [
    ("event_type=PACKAGE.Created", ["package.created"]),
    ("event_type=package", []),
    (f"target_url={OTHER.upper()}", ["shipment.created"]),
    ("is_active=false", ["shipment.created"]),
    ("is_active=true", ["package.created"]),
    ("is_active=maybe&unknown=1", ["shipment.created", "package.created"]),
]


@pytest.mark.parametrize(("query", "expected"), FILTERS)
def test_the_list_is_filtered(ada_api: Any, query: str, expected: list[str]) -> None:
    make(ada_api)
    make(ada_api, target_url=OTHER, event_type="shipment.created", is_active=False)

    found = ada_api.get(f"{H}?{query}").get_json()["results"]

    assert [webhook["event_type"] for webhook in found] == expected


# --- at the same moment ---------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_two_at_the_same_moment_make_one_webhook(ada_api: Any, app: Flask, work: Work) -> None:
    work.session.commit()
    start = Barrier(4)

    def subscribe() -> int:
        start.wait(10)
        headers = {"Authorization": f"Token {ada_api.token}"}
        return app.test_client().post(H, json=LEAST, headers=headers).status_code

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(future.result(30) for future in [pool.submit(subscribe) for _ in range(4)])

    assert statuses == [201, 406, 406, 406]
    assert ada_api.get(H).get_json()["count"] == 1
