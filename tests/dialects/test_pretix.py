"""pretix's organizer webhooks, over HTTP: what is accepted, what is answered."""

from __future__ import annotations

from typing import Any

import pytest

from console.core.catalogue import PRETIX, packaged_names
from console.services.event_types import catalogue
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work
from tests.dialects.drf_stage import URL, row_of
from tests.dialects.pretix_stage import (
    DOCUMENTED,
    EITHER,
    KEYS,
    LEAST,
    TYPE,
    W,
    add_sources,
    make,
    make_native,
    path_of,
)

pytestmark = pytest.mark.usefixtures("two_events")

# --- creating and reading -------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_the_documents_example_is_created_and_read(ada_api: Any) -> None:
    created = ada_api.post(W, json=DOCUMENTED)

    webhook = created.get_json()
    expected = {"id": webhook["id"], **DOCUMENTED, "action_types": sorted(DOCUMENTED["action_types"])}
    assert created.status_code == 201
    assert "Location" not in created.headers
    assert created.mimetype == "application/json"
    assert "Accept" in created.vary
    assert (list(webhook), webhook) == (KEYS, expected)
    assert ada_api.get(path_of(webhook)).get_json() == expected


def test_a_hook_of_pretix_has_its_format_schedule_and_timeout(ada_api: Any, ada: Any, work: Work) -> None:
    row = row_of(work, make(ada_api))

    assert (row.payload_format, row.content_type, row.timeout_s, row.dialect) == ("pretix", "json", 30, "pretix")
    assert row.retry == {
        "kind": "list",
        "delays": [5, 30, 60, 300, 1200, 3600, 14400, 21600, 43200, 43200, 86400],
    }
    assert (row.name, row.all_events, row.author_number) == ("", False, ada.user.number)


def test_an_empty_body_lacks_three_fields(ada_api: Any) -> None:
    required = ["This field is required."]

    for body in (b"{}", b""):
        answer = ada_api.post(W, data=body, content_type="application/json")

        assert answer.status_code == 400
        assert list(answer.get_json().items()) == [
            ("target_url", required),
            ("limit_events", required),
            ("action_types", required),
        ]


def test_what_is_left_out_takes_its_default(ada_api: Any) -> None:
    webhook = make(ada_api)

    assert (webhook["enabled"], webhook["all_events"], webhook["comment"]) == (True, True, None)


def test_lists_come_back_sorted_and_without_repetition(ada_api: Any) -> None:
    types = ["pretix.subevent.added", TYPE, TYPE, "pretix.event.item.*"]
    webhook = make(ada_api, all_events=False, limit_events=["otherconf", "democon", "otherconf"], action_types=types)

    assert webhook["limit_events"] == ["democon", "otherconf"]
    assert webhook["action_types"] == ["pretix.event.item.*", TYPE, "pretix.subevent.added"]


def test_every_action_type_of_pretix_is_taken(ada_api: Any) -> None:
    names = sorted(packaged_names(PRETIX))

    assert len(names) == 47
    assert make(ada_api, action_types=names)["action_types"] == names


def test_a_type_of_the_organizations_own_is_taken_as_one_of_a_plugin(ada_api: Any, ada: Any, work: Work) -> None:
    catalogue.create(work, organization_number=ada.organization.number, name="plugin.badge.printed")

    assert make(ada_api, action_types=["plugin.badge.printed"])["action_types"] == ["plugin.badge.printed"]


@pytest.mark.both_databases
def test_a_limit_that_stands_beside_all_events_is_kept_and_limits_nothing(ada_api: Any, work: Work) -> None:
    webhook = make(ada_api, limit_events=["democon"])

    assert (webhook["all_events"], webhook["limit_events"]) == (True, ["democon"])
    assert row_of(work, webhook).sources is None
    assert ada_api.get(path_of(webhook)).get_json() == webhook


BAD_FIELDS = [
    ("enabled", "maybe", "Must be a valid boolean."),
    ("enabled", None, "This field may not be null."),
    ("target_url", None, "This field may not be null."),
    ("target_url", "  ", "This field may not be blank."),
    ("target_url", True, "Not a valid string."),
    ("target_url", 5, "Enter a valid URL."),
    ("target_url", "nonsense", "Enter a valid URL."),
    ("target_url", "ftp://example.com/", "Enter a valid URL."),
    ("target_url", "https://user@example.com/", "Enter a valid URL."),
    ("target_url", "https://example.com/#x", "Enter a valid URL."),
    ("target_url", "http://localhost.localdomain/", None),
    ("target_url", "http://10.1.2.3/", "This address is not allowed."),
    ("target_url", "https://example.com:22/", "This address is not allowed."),
    ("target_url", "https://example.com/" + "x" * 1005, "Ensure this field has no more than 1024 characters."),
    ("all_events", [], "Must be a valid boolean."),
    ("limit_events", None, "This field may not be null."),
    ("limit_events", ["democon", "foo", "bar"], "Object with slug=foo does not exist."),
    ("limit_events", ["theirs"], "Object with slug=theirs does not exist."),
    ("limit_events", [None], "Object with slug=None does not exist."),
    ("limit_events", "democon", 'Expected a list of items but got type "str".'),
    ("limit_events", 7, 'Expected a list of items but got type "int".'),
    ("action_types", None, "This field may not be null."),
    ("action_types", [TYPE, "foo", "bar"], 'Invalid action type "foo".'),
    ("action_types", ["pretix.event.order.*"], 'Invalid action type "pretix.event.order.*".'),
    ("action_types", ["pretix.event.item.changed"], 'Invalid action type "pretix.event.item.changed".'),
    ("action_types", ["webhook.test"], 'Invalid action type "webhook.test".'),
    ("action_types", [["x"]], "Invalid action type \"['x']\"."),
    ("action_types", TYPE, 'Invalid action type "p".'),
    ("action_types", 5, 'Expected a list of items but got type "int".'),
    ("action_types", True, 'Expected a list of items but got type "bool".'),
    ("comment", "x" * 256, "Ensure this field has no more than 255 characters."),
    ("comment", {}, "Not a valid string."),
]


@pytest.mark.parametrize(("field", "value", "words"), BAD_FIELDS)
def test_a_bad_field_is_told_in_the_words_of_pretix(
    ada_api: Any, mallory: Any, work: Work, field: str, value: Any, words: str | None
) -> None:
    add_sources(work, mallory, "theirs")

    answer = ada_api.post(W, json=LEAST | {field: value})

    if words is None:  # this installation of the tests allows loopback
        assert answer.status_code == 201
    else:
        assert (answer.status_code, answer.get_json()) == (400, {field: [words]})


def test_all_bad_fields_are_told_in_the_order_of_the_answer(ada_api: Any) -> None:
    body = {"comment": [], "action_types": "x", "all_events": "?", "enabled": "?", "limit_events": ["foo"]}

    answer = ada_api.post(W, json=body)

    assert list(answer.get_json()) == ["enabled", "target_url", "all_events", "limit_events", "action_types", "comment"]


def test_only_valid_fields_are_joined(ada_api: Any) -> None:
    answer = ada_api.post(W, json=LEAST | {"all_events": True, "limit_events": ["democon"], "comment": []})

    assert list(answer.get_json()) == ["comment"]


GOOD_FIELDS = [
    ("comment", "", ""),
    ("comment", None, None),
    ("comment", "  called  ", "called"),
    ("comment", 5, "5"),
    ("comment", "x" * 255, "x" * 255),
    ("enabled", "off", False),
    ("enabled", 1, True),
    ("target_url", f"  {URL}?a=%0d  ", f"{URL}?a=%0d"),
    ("target_url", "https://example.com/" + "x" * 1004, "https://example.com/" + "x" * 1004),
    ("target_url", "HTTPS://EXAMPLE.com", "HTTPS://EXAMPLE.com"),
    ("action_types", "", []),
]


@pytest.mark.parametrize(("field", "value", "shown"), GOOD_FIELDS)
def test_a_field_comes_back_as_pretix_gives_it(ada_api: Any, field: str, value: Any, shown: Any) -> None:
    assert make(ada_api, **{field: value})[field] == shown


def test_the_id_cannot_be_set_and_unknown_fields_are_ignored(ada_api: Any) -> None:
    webhook = make(ada_api, id=77, url="x", secret="y")

    assert webhook["id"] != 77
    assert list(webhook) == KEYS


# --- both limits ----------------------------------------------------------------------------------------------------


def test_all_events_and_a_limit_exclude_each_other(ada_api: Any) -> None:
    answer = ada_api.post(W, json=LEAST | {"all_events": True, "limit_events": ["democon"]})

    assert (answer.status_code, answer.get_json()) == (400, EITHER)


CHANGES = [
    ({"all_events": False, "limit_events": ["democon"]}, {"all_events": True}, None),
    ({"all_events": False, "limit_events": ["democon"]}, {"enabled": False}, (False, ["democon"])),
    ({"all_events": False, "limit_events": ["democon"]}, {"limit_events": ["otherconf"]}, (False, ["otherconf"])),
    ({"all_events": False, "limit_events": ["democon"]}, {"limit_events": []}, (False, [])),
    ({"all_events": False, "limit_events": ["democon"]}, {"all_events": True, "limit_events": []}, (True, [])),
    ({"all_events": True}, {"limit_events": ["democon"]}, None),
    ({"all_events": True}, {"all_events": False}, (False, [])),
    ({"all_events": True}, {"all_events": False, "limit_events": ["democon"]}, (False, ["democon"])),
    ({"limit_events": ["democon"]}, {"enabled": False}, None),
    ({"limit_events": ["democon"]}, {"all_events": False}, (False, ["democon"])),
    ({"limit_events": ["democon"]}, {"limit_events": []}, (True, [])),
]


@pytest.mark.parametrize(("before", "change", "after"), CHANGES)
def test_what_is_stored_counts_for_what_a_patch_leaves_out(
    ada_api: Any, work: Work, before: dict[str, Any], change: dict[str, Any], after: tuple[bool, list[str]] | None
) -> None:
    webhook = make(ada_api, **before)

    answer = ada_api.patch(path_of(webhook), json=change)

    if after is None:
        assert (answer.status_code, answer.get_json()) == (400, EITHER)
        assert ada_api.get(path_of(webhook)).get_json() == webhook
    else:
        assert (answer.get_json()["all_events"], answer.get_json()["limit_events"]) == after
        assert row_of(work, webhook).sources == (None if after[0] else after[1])


# --- changing -------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_patch_changes_what_it_names(ada_api: Any) -> None:
    webhook = make(ada_api, **DOCUMENTED)

    answer = ada_api.patch(path_of(webhook), json={"enabled": False, "action_types": [TYPE]})

    assert answer.status_code == 200
    assert answer.get_json() == webhook | {"enabled": False, "action_types": [TYPE]}
    assert ada_api.get(path_of(webhook)).get_json() == answer.get_json()


def test_an_empty_patch_changes_nothing(ada_api: Any) -> None:
    webhook = make(ada_api, **DOCUMENTED)

    assert ada_api.patch(path_of(webhook), data=b"").get_json() == webhook


def test_a_put_returns_what_it_leaves_out_to_its_default(ada_api: Any) -> None:
    webhook = make(ada_api, **{**DOCUMENTED, "enabled": False})

    answer = ada_api.put(path_of(webhook), json=LEAST)

    defaults = {"enabled": True, "all_events": True, "comment": None}
    assert (answer.status_code, answer.get_json()) == (200, {"id": webhook["id"], **LEAST, **defaults})


def test_a_put_with_a_limit_must_say_that_it_is_not_for_all_events(ada_api: Any) -> None:
    webhook = make(ada_api, **DOCUMENTED)

    refused = ada_api.put(path_of(webhook), json=LEAST | {"limit_events": ["democon"]})
    taken = ada_api.put(path_of(webhook), json=LEAST | {"limit_events": ["democon"], "all_events": False})

    assert (refused.status_code, refused.get_json()) == (400, EITHER)
    assert (taken.status_code, taken.get_json()["limit_events"]) == (200, ["democon"])


def test_a_put_needs_three_fields(ada_api: Any) -> None:
    answer = ada_api.put(path_of(make(ada_api)), json={"enabled": False})

    assert list(answer.get_json()) == ["target_url", "limit_events", "action_types"]


def test_a_url_that_is_no_longer_allowed_may_stay(ada_api: Any, work: Work) -> None:
    webhook = make(ada_api)
    row = row_of(work, webhook)
    row.url = "http://10.1.2.3/hook"
    work.session.commit()

    assert ada_api.patch(path_of(webhook), json={"target_url": "http://10.1.2.3/hook"}).status_code == 200
    assert ada_api.patch(path_of(webhook), json={"target_url": "http://10.1.2.3/other"}).status_code == 400


def test_what_only_others_know_survives_an_edit(ada_api: Any, ada: Any, work: Work) -> None:
    webhook = make_native(
        work, ada, name="Ours", event_types=[TYPE], timeout=7, dialect_data={"oms": {"config": {"a": 1}}}
    )

    changed = ada_api.put(path_of(webhook), json=LEAST | {"action_types": [TYPE]})

    row = row_of(work, webhook)
    assert changed.status_code == 200
    assert (row.name, row.timeout_s, row.payload_format, row.retry) == ("Ours", 7, "standard", None)
    assert row.dialect_data["oms"] == {"config": {"a": 1}}


def test_a_limit_that_was_only_kept_survives_an_edit_made_elsewhere(ada_api: Any, work: Work) -> None:
    webhook = make(ada_api, limit_events=["democon"])

    hooks.change(work, hook=row_of(work, webhook), draft=HookDraft(name="Renamed"))

    assert ada_api.get(path_of(webhook)).get_json() == webhook


def test_a_limit_set_elsewhere_is_shown(ada_api: Any, work: Work) -> None:
    webhook = make(ada_api)

    hooks.change(work, hook=row_of(work, webhook), draft=HookDraft(sources=["otherconf"]))

    assert ada_api.get(path_of(webhook)).get_json() == webhook | {"all_events": False, "limit_events": ["otherconf"]}


# --- deleting -------------------------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_deleted_webhook_is_disabled_and_still_there(ada_api: Any) -> None:
    webhook = make(ada_api)

    for _ in range(2):
        deleted = ada_api.delete(path_of(webhook))

        assert (deleted.status_code, deleted.data) == (204, b"")
        assert "Content-Type" not in deleted.headers
    assert ada_api.get(path_of(webhook)).get_json() == webhook | {"enabled": False}
    assert ada_api.get(W).get_json()["count"] == 1


def test_the_documents_other_path_takes_delete_alone(ada_api: Any) -> None:
    webhook = make(ada_api)
    alias = f"/api/v1/organizers/acme/webhook/{webhook['id']}/"

    refused = ada_api.get(alias)

    assert (refused.status_code, refused.headers["Allow"]) == (405, "DELETE")
    assert ada_api.delete(alias).status_code == 204
    assert ada_api.get(path_of(webhook)).get_json()["enabled"] is False
