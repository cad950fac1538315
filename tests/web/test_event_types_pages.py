"""The catalogue: groups, samples, schemas, volume, import and deprecation."""

from __future__ import annotations

import json

import pytest

from console.services.event_types import catalogue
from console.services.events import events
from tests.web.events_stage import ORDER, make_type, stored
from tests.web.soup import soup_of, words_of

EVENTS = "/o/acme/events"


# --- the catalogue ----------------------------------------------------------------------------------------------------


def test_the_catalogue_is_grouped_and_searched(signed_in, ada, scene, switch_on) -> None:
    switch_on(ada)
    scene.publish("never.seen.before")
    browser = signed_in(ada)

    page = browser.see(f"{EVENTS}/types")
    found = browser.see(f"{EVENTS}/types?q=webhook.test")
    nothing = browser.see(f"{EVENTS}/types?q=no+such+type")

    assert len(page.select("#groups details")) > 10
    assert "never.seen.before" in page.get_text()
    assert [link.get_text() for link in found.select("#groups .items a")] == ["webhook.test"]
    assert found.select_one("#groups details").has_attr("open")
    assert "Nothing matches" in nothing.get_text()


def test_a_type_shows_its_sample_and_who_hears_it_by_what(signed_in, ada, scene, work) -> None:
    catalogue.create(
        work, organization_number=ada.organization.number, name="order.paid", groups=["shop"], sample={"id": 17}
    )
    scene.hook(name="All")
    scene.hook(name="Named", all_events=False, event_types=["order.paid"])
    scene.hook(name="Pattern", all_events=False, event_types=["order.*"])
    scene.hook(name="Grouped", all_events=False, event_groups=["shop"])
    scene.hook(name="Deaf", all_events=False, event_types=["customer.*"])

    page = signed_in(ada).see(f"{EVENTS}/types/order.paid")

    hearing = [words_of(item) for item in page.select("[aria-labelledby=hearing-title] li")]
    assert sorted(hearing) == [
        "All hears every event",
        "Grouped by the group shop",
        "Named names it",
        "Pattern by order.*",
    ]
    assert '"id": 17' in page.get_text()


def test_own_types_are_made_changed_and_deleted(signed_in, ada, work) -> None:
    browser = signed_in(ada)

    made = browser.submit(
        f"{EVENTS}/new-type",
        {"name": "order.paid", "groups": "shop, money", "description": "Paid.", "sample": '{"id": 1}', "schema": ""},
    )
    browser.submit(f"{EVENTS}/edit-type/order.paid", {"groups": "shop", "description": "Paid in full.", "sample": ""})

    found = catalogue.get(work, organization_number=ada.organization.number, name="order.paid")
    work.session.refresh(found)
    assert made.location == f"{EVENTS}/types/order.paid"
    assert (found.groups, found.description, found.sample) == (["shop"], "Paid in full.", None)
    assert browser.see(f"{EVENTS}/types/order.paid?confirm=delete").select_one("main form.panel") is not None
    assert browser.submit(f"{EVENTS}/delete-type", {"name": "order.paid"}).location == f"{EVENTS}/types"
    assert browser.get(f"{EVENTS}/types/order.paid").status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "with space"}, "name"),
        ({"name": ""}, "name"),
        ({"sample": "{"}, "sample"),
        ({"schema": "[]"}, "schema"),
    ],
)
def test_a_type_that_cannot_be_is_refused_under_its_field(signed_in, ada, fields, field) -> None:
    answer = signed_in(ada).submit(f"{EVENTS}/new-type", {"name": "order.paid", **fields})

    assert answer.status_code == 422
    assert f'id="{field}-error-1"' in answer.text


@pytest.mark.parametrize("name", ["/lead", "//dbl", "a//b", "a/./b", "end/", "tab\there"])
def test_a_type_that_no_path_leads_to_is_refused_and_an_old_one_can_be_deleted(signed_in, ada, work, name) -> None:
    browser = signed_in(ada)
    refused = browser.submit(f"{EVENTS}/new-type", {"name": name})
    pasted = browser.submit(f"{EVENTS}/import-types", {"types": json.dumps([{"name": name}])})
    with work.transaction():
        make_type(work, ada, "legacy").name = name

    [link] = [one for one in browser.see(f"{EVENTS}/types").select("#groups a") if "type?" in one["href"]]
    page = browser.see(link["href"])
    question = browser.see(page.select_one("a[href*='confirm=delete']")["href"])
    form = question.select_one("main form.panel")
    gone = browser.submit(form["action"], {"name": form.select_one("[name=name]")["value"]})

    assert (refused.status_code, pasted.status_code) == (422, 422)
    assert gone.location == f"{EVENTS}/types"
    assert name not in catalogue.names(work, organization_number=ada.organization.number)


def test_types_that_came_with_hookyard_stay(signed_in, ada) -> None:
    browser = signed_in(ada)

    assert browser.see(f"{EVENTS}/types/webhook.test").select('a[href*="confirm=delete"]') == []
    assert browser.submit(f"{EVENTS}/delete-type", {"name": "webhook.test"}).status_code == 409


def test_only_admins_change_the_catalogue(signed_in, ed) -> None:
    browser = signed_in(ed)

    assert browser.get(f"{EVENTS}/new-type").status_code == 403
    assert browser.submit(f"{EVENTS}/delete-type", {"name": "webhook.test"}).status_code == 403
    assert "New event type" not in browser.see(f"{EVENTS}/types").get_text()


def test_fan_outs_in_words_count_every_state(signed_in, ada, scene, work) -> None:
    for name in ("One", "Two", "Three"):
        scene.hook(name=name)
    scene.hook(name="Deaf", all_events=False)
    first, second, _third = scene.publish()
    scene.put(first, state="delivered")
    scene.put(second, state="failed")

    page = signed_in(ada).see(f"{EVENTS}/{stored(work).id}")

    assert "3 of 4 hooks: 1 delivered, 1 waiting, 1 failed" in page.get_text()
    assert events.fan_outs(work, [stored(work)])[stored(work).number].deliveries == 3


# --- schemas, volume, import, deprecation ---------------------------------------------------------------------------


def test_a_type_shows_its_schema_as_a_tree_and_where_its_sample_does_not_fit(signed_in, vi, work) -> None:
    make_type(work, vi, schema=ORDER, sample={"total": "x"}, validate=True)

    page = signed_in(vi).see(f"{EVENTS}/types/order.paid")

    assert "total number, required, at least 0 In euros" in words_of(page.select_one("[aria-labelledby=tree-title]"))
    assert "Payloads are checked against it" in page.get_text()
    assert "Sample and schema disagree /total: Give a number." in words_of(page.select_one("#main"))


def test_a_schema_that_cannot_be_used_is_shown_all_the_same(signed_in, vi, work) -> None:
    make_type(work, vi, schema={"type": "strnig"}, sample={})

    page = signed_in(vi).see(f"{EVENTS}/types/order.paid")

    assert "cannot be used as a JSON Schema" in page.get_text()


def test_the_volume_and_the_last_time_of_a_type_are_shown(signed_in, vi, scene, work) -> None:
    make_type(work, vi)
    for _ in range(3):
        scene.publish("order.paid")

    assert "3 events, each column 6 hours" in signed_in(vi).see(f"{EVENTS}/types/order.paid").get_text()
    row = signed_in(vi).see(f"{EVENTS}/types").select_one("[aria-label='Types in use'] li")
    assert "3 events" in row.get_text()
    assert row.select("svg path.series-delivered")


def test_ones_own_types_and_those_in_use_come_before_those_of_other_systems(signed_in, vi, scene, work) -> None:
    make_type(work, vi, "cart.left", groups=["Carts"])
    scene.publish("order.odd")

    page = signed_in(vi).see(f"{EVENTS}/types")

    assert "cart." in page.select_one("[aria-label='Types in use']").get_text()
    assert "order." in page.select_one("[aria-labelledby=unknown-title]").get_text()
    assert not page.select("[aria-labelledby=others-title] details[open]")


def test_a_type_is_made_to_validate_by_the_form(signed_in, ada, work) -> None:
    browser = signed_in(ada)
    form = {"name": "order.paid", "schema": '{"type": "object"}', "checks": "y"}

    assert browser.submit(f"{EVENTS}/new-type", {**form, "schema": ""}).status_code == 422
    answer = browser.submit(f"{EVENTS}/new-type", {**form, "schema": '{"type": "strnig"}'})
    assert "cannot be used" in soup_of(answer).select_one("#schema-error-1").get_text()
    assert browser.submit(f"{EVENTS}/new-type", form).status_code == 303

    assert catalogue.get(work, organization_number=ada.organization.number, name="order.paid").validate
    assert browser.see(f"{EVENTS}/edit-type/order.paid").select_one("#checks[checked]")


def test_a_deprecated_type_is_not_offered_any_more(signed_in, ada, work) -> None:
    make_type(work, ada)
    browser = signed_in(ada)

    assert browser.submit(f"{EVENTS}/deprecate-type/order.paid", {"deprecated": "1"}).status_code == 303
    assert "deprecated" in browser.see(f"{EVENTS}/types").select_one("[aria-label='Types in use']").get_text()
    assert not browser.see("/o/acme/hooks/new").select("#picker-list [value='order.paid']")
    browser.submit(f"{EVENTS}/deprecate-type/order.paid", {"deprecated": "0"})
    assert browser.see("/o/acme/hooks/new").select("#picker-list [value='order.paid']")


def test_deleting_a_type_says_which_hooks_name_it(signed_in, ada, scene, work) -> None:
    make_type(work, ada)
    scene.hook(name="Names it", all_events=False, event_types=["order.paid"])
    scene.hook(name="Hears all")

    page = signed_in(ada).see(f"{EVENTS}/types/order.paid?confirm=delete")

    assert "1 hook names it: Names it" in words_of(page.select_one("main form.panel"))


def test_types_are_imported_and_exported_as_json(signed_in, ada, work) -> None:
    make_type(work, ada, description="Old")
    browser = signed_in(ada)
    text = '{"types": [{"name": "order.paid", "description": "New"}, {"name": "order.lost", "group": "orders"}]}'

    assert browser.submit(f"{EVENTS}/import-types", {"types": text}).status_code == 303

    number = ada.organization.number
    work.session.expire_all()
    assert catalogue.get(work, organization_number=number, name="order.paid").description == "New"
    assert catalogue.get(work, organization_number=number, name="order.lost").groups == ["orders"]
    exported = browser.get(f"{EVENTS}/export-types")
    assert sorted(one["name"] for one in exported.get_json(force=True)["types"]) == ["order.lost", "order.paid"]
    assert browser.submit(f"{EVENTS}/import-types", {"types": exported.text}).status_code == 303


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Paste the types"),
        ("{", "not JSON"),
        ("3", "Give a list"),
        ("[]", "1 to 500"),
        ('[{"name": "a"}, {"name": "b c"}]', "/1/name:"),
        ('[{"name": "a"}, {"name": "a"}]', "twice"),
        ('[{"name": "a", "colour": 1}]', "no colour"),
        ('[{"name": "a", "groups": "x"}]', "/0:"),
        ('[{"name": "a", "validate": true}]', "Give a schema"),
        ('[{"group": "x"}]', "/0/name:"),
    ],
)
def test_a_list_with_a_fault_imports_nothing(signed_in, ada, work, text, words) -> None:
    answer = signed_in(ada).submit(f"{EVENTS}/import-types", {"types": text})

    assert answer.status_code == 422
    assert words in soup_of(answer).select_one(".error-summary").get_text()
    assert catalogue.own_names(work, organization_number=ada.organization.number) == []


def test_only_admins_import_and_deprecate(signed_in, ed, work) -> None:
    make_type(work, ed)

    assert signed_in(ed).submit(f"{EVENTS}/deprecate-type/order.paid").status_code == 403
    assert signed_in(ed).submit(f"{EVENTS}/import-types", {"types": "[]"}).status_code == 403
