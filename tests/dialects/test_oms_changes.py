"""Webhooks of oms are changed: whole, in part, and switched off."""

from __future__ import annotations

from typing import Any

import pytest

from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work
from tests.dialects.drf_stage import row_of
from tests.dialects.oms_stage import (
    AUTH,
    LEAST,
    OTHER,
    SECRET,
    make,
    path_of,
)


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
