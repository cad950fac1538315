"""Webhooks of the oms dialect, over HTTP: what is accepted, what is answered."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask

from console.core.redact import MASK
from console.services.event_types import catalogue
from console.services.work import Work
from tests.dialects.drf_stage import URL, row_of
from tests.dialects.oms_stage import (
    AUTH,
    FIXED,
    HOOK_KEYS,
    LEAST,
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


def test_everything_that_is_given_comes_back_except_sensitive_headers(ada_api: Any) -> None:
    given = LEAST | {
        "is_active": False,
        "secret_key": SECRET,
        "callback": "publish_response",
        "additional_headers": {"X-Shop": "acme", "Authorization": "Bearer abc", "Content-Type": "text/json"},
        "config": {"first": [1, {"x": None}], **AUTH, "last": "ü"},
    }

    made = make(ada_api, **given)

    masked = {**given["additional_headers"], "Authorization": MASK}
    assert {name: made[name] for name in given} == given | {"additional_headers": masked}
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
