"""Events: the list, one event with its fan-out, publishing by hand, and the catalogue."""

from __future__ import annotations

import hashlib

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.models import Event
from console.services.event_types import catalogue
from console.services.events import events
from console.services.organizations import sources

HTMX = {"HX-Request": "true"}
EVENTS = "/o/acme/events"


def soup_of(answer) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html.parser")


def words_of(part) -> str:
    return " ".join(part.get_text(" ", strip=True).split())


def stored(work) -> Event:
    return work.session.scalar(select(Event).order_by(Event.number.desc()).limit(1))


# --- the list -------------------------------------------------------------------------------------------------------


def test_the_empty_list_says_what_an_event_is(signed_in, ada) -> None:
    page = signed_in(ada).see(EVENTS)

    assert "No events yet" in page.get_text()


def test_the_list_says_how_the_deliveries_stand(signed_in, ada, scene) -> None:
    scene.publish("order.paid")
    scene.hook()
    (delivery,) = scene.publish("order.refunded", object_model="order", object_pk="17")
    scene.put(delivery, state="delivered")

    page = signed_in(ada).see(EVENTS)

    second, first = (words_of(row) for row in page.select("tbody tr"))
    assert "1 of 1 hook, delivered" in second
    assert "order 17" in second
    assert "No hook wanted it" in first


@pytest.mark.parametrize(
    ("query", "count"), [("type=order.paid", 1), ("source=shop", 1), ("q=17", 1), ("since=1h", 2), ("type=other", 0)]
)
def test_the_list_is_narrowed_by_its_query_string(signed_in, ada, scene, work, query, count) -> None:
    sources.create(work, organization_number=ada.organization.number, slug="shop")
    scene.publish("order.paid", source="shop", object_pk="17")
    scene.publish("order.refunded")

    page = signed_in(ada).see(f"{EVENTS}?{query}")

    assert len(page.select("tbody tr")) == count
    assert page.select(".chip")
    assert bool(page.select(".blank")) is not bool(count)


def test_a_period_that_cannot_be_read_is_said(signed_in, ada) -> None:
    answer = signed_in(ada).get(f"{EVENTS}?since=soon")

    assert answer.status_code == 422
    assert "Write the time as" in answer.text


# --- one event ------------------------------------------------------------------------------------------------------


def test_an_event_shows_its_payload_hash_deliveries_and_why_other_hooks_did_not_want_it(
    signed_in, ada, scene, work
) -> None:
    number = ada.organization.number
    for slug in ("shop", "till"):
        sources.create(work, organization_number=number, slug=slug)
    scene.hook(name="Hears it")
    scene.hook(name="Other type", all_events=False, event_types=["customer.*"])
    scene.hook(name="Other source", sources=["till"])
    payload = b'{"total": 1.10, "b": 1, "a": 2}'
    scene.publish("order.paid", payload=payload, source="shop", key="k-1")
    scene.hook(name="Too late")

    page = signed_in(ada).see(f"{EVENTS}/{stored(work).id}")

    assert "Hears it" in page.select_one("#deliveries").get_text()
    reasons = words_of(page.select_one("[aria-labelledby=unmatched-title]"))
    for words in (
        "Other type It does not listen to order.paid.",
        "Other source It does not listen to events of the source shop.",
        "Too late It would want it",
    ):
        assert words in reasons
    assert payload.decode() in page.select_one(".raw").get_text()
    assert hashlib.sha256(payload).hexdigest() in page.get_text()
    assert "k-1" in page.get_text()


def test_the_payload_is_downloaded_as_it_was_received(signed_in, ada, scene, work) -> None:
    payload = b'{ "z":1,\n"a" : 1.100 }'
    scene.publish(payload=payload)

    answer = signed_in(ada).get(f"{EVENTS}/{stored(work).id}/payload")

    assert answer.data == payload
    assert answer.headers["Content-Disposition"].startswith("attachment;")


def test_an_event_that_nobody_wanted_leads_to_a_hook_for_it(signed_in, ada, scene, work) -> None:
    scene.publish("order.paid")

    page = signed_in(ada).see(f"{EVENTS}/{stored(work).id}")

    assert "No hook wanted this event" in page.get_text()
    assert page.select_one('a[href="/o/acme/hooks/new?event_type=order.paid"]') is not None


def test_deliveries_keep_themselves_fresh_until_all_have_ended(signed_in, ada, scene, work) -> None:
    scene.hook()
    (delivery,) = scene.publish()
    browser = signed_in(ada)
    url = browser.see(f"{EVENTS}/{stored(work).id}").select_one("#deliveries")["hx-get"]

    assert browser.get(url, headers=HTMX).status_code == 204
    scene.attempt(delivery)
    scene.put(delivery, state="delivered")
    part = soup_of(browser.get(url, headers=HTMX))

    assert "Delivered" in part.get_text()
    assert part.select_one("#deliveries").get("hx-get") is None


def test_everything_of_an_event_is_resent_at_once(signed_in, ada, scene, work) -> None:
    scene.hook(name="One")
    scene.hook(name="Two")
    made = scene.publish()
    browser = signed_in(ada)
    path = f"{EVENTS}/{stored(work).id}"
    form = browser.see(path).select_one("#deliveries .panel-head form")
    ids = [field["value"] for field in form.select("[name=ids]")]

    answer = browser.submit(form["action"], {"ids": ids, "back": path})

    assert answer.location == path
    for delivery in made:
        work.session.refresh(delivery)
    assert [delivery.chain for delivery in made] == [2, 2]


@pytest.mark.parametrize("path", ["", "/payload", "/deliveries"])
def test_events_of_others_are_not_there(signed_in, ada, elsewhere, work, path) -> None:
    elsewhere.publish()

    assert signed_in(ada).get(f"{EVENTS}/{stored(work).id}{path}").status_code == 404


# --- publishing -----------------------------------------------------------------------------------------------------


def test_an_event_is_published_as_the_bytes_that_were_typed(signed_in, ada, scene, work) -> None:
    scene.hook()
    browser = signed_in(ada)

    answer = browser.submit(
        f"{EVENTS}/publish",
        {
            "type": "order.paid",
            "payload": '{ "total": 1.10,\r\n  "ü": "\u202e" }',
            "object_model": "order",
            "object_pk": "17",
        },
    )

    event = stored(work)
    assert answer.location == f"{EVENTS}/{event.id}"
    assert event.payload == '{ "total": 1.10,\n  "ü": "\u202e" }'.encode()
    assert (event.object_model, event.object_pk) == ("order", "17")
    assert "Published to 1 hook." in browser.see(answer.location).get_text()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"payload": '{"a": NaN}'}, "payload"),
        ({"payload": '{"a": 1, "a": 2}'}, "payload"),
        ({"payload": "{"}, "payload"),
        ({"payload": ""}, "payload"),
        ({"type": "with space"}, "type"),
        ({"type": ""}, "type"),
        ({"key": "k" * 256}, "key"),
        ({"object_pk": "1" * 101}, "object_pk"),
    ],
)
def test_what_cannot_be_published_is_said_under_its_field_and_values_are_kept(signed_in, ada, fields, field) -> None:
    answer = signed_in(ada).submit(f"{EVENTS}/publish", {"type": "order.paid", "payload": "{}", **fields}, htmx=True)

    page = soup_of(answer)
    assert answer.status_code == 422
    assert "<html" not in answer.text
    assert page.select(f'[id^="{field}-error-"], .error-summary a[href="#{field}"]')
    assert page.select_one("#type")["value"] == {"type": "order.paid", **fields}["type"]


def test_a_key_used_with_other_content_is_a_mistake_of_the_key(signed_in, ada, scene) -> None:
    scene.publish(key="k-1")

    answer = signed_in(ada).submit(f"{EVENTS}/publish", {"type": "other", "payload": "{}", "key": "k-1"})

    assert answer.status_code == 422
    assert 'id="key-error-1"' in answer.text


def test_the_sample_of_a_type_fills_in_the_payload(signed_in, ada, work) -> None:
    catalogue.create(work, organization_number=ada.organization.number, name="order.paid", sample={"id": 17})
    browser = signed_in(ada)

    by_address = browser.see(f"{EVENTS}/publish?type=order.paid")
    by_button = soup_of(browser.submit(f"{EVENTS}/publish", {"type": "order.paid", "payload": "", "sample": "1"}))

    for page in (by_address, by_button):
        assert '"id": 17' in page.select_one("#payload").get_text()
    assert work.session.scalar(select(Event)) is None


def test_viewers_do_not_publish(signed_in, vi) -> None:
    browser = signed_in(vi)

    assert browser.get(f"{EVENTS}/publish").status_code == 403
    assert browser.submit(f"{EVENTS}/publish", {"type": "a", "payload": "{}"}).status_code == 403


# --- the catalogue --------------------------------------------------------------------------------------------------


def test_the_catalogue_is_grouped_and_searched(signed_in, ada, scene) -> None:
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
    assert browser.see(f"{EVENTS}/types/order.paid?confirm=delete").select_one(".danger-zone form") is not None
    assert browser.submit(f"{EVENTS}/delete-type/order.paid").location == f"{EVENTS}/types"
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


def test_types_that_came_with_hookyard_stay(signed_in, ada) -> None:
    browser = signed_in(ada)

    assert browser.see(f"{EVENTS}/types/webhook.test").select('a[href*="confirm=delete"]') == []
    assert browser.submit(f"{EVENTS}/delete-type/webhook.test").status_code == 409


def test_only_admins_change_the_catalogue(signed_in, ed) -> None:
    browser = signed_in(ed)

    assert browser.get(f"{EVENTS}/new-type").status_code == 403
    assert browser.submit(f"{EVENTS}/delete-type/webhook.test").status_code == 403
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

ORDER = {
    "type": "object",
    "required": ["total"],
    "properties": {"total": {"type": "number", "minimum": 0, "description": "In euros"}},
}


def make_type(work, person, name: str = "order.paid", **fields: object):
    return catalogue.create(work, organization_number=person.organization.number, name=name, **fields)


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

    assert "1 hook names it: Names it" in words_of(page.select_one(".danger-zone"))


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


# --- publishing: the sample, and what would happen --------------------------------------------------------------------


def check(browser, **form: object) -> str:
    answer = browser.submit(f"{EVENTS}/publish/check", {"type": "order.paid", "payload": "{}", **form}, htmx=True)
    assert answer.status_code == 200
    return words_of(soup_of(answer))


def test_what_would_become_of_an_event_is_said_while_it_is_typed(signed_in, ed, scene, work) -> None:
    scene.hook(name="Everything")
    scene.hook(name="Large only", filter="total > `100`")
    browser = signed_in(ed)

    assert "It is JSON, 12 B. It would go to 1 of 2 hooks: Everything." in check(browser, payload='{"total": 1}')
    assert "It would go to 2 of 2 hooks" in check(browser, payload='{"total": 500}')
    assert "not JSON" in check(browser, payload="{")
    assert check(browser, payload="") == ""
    assert stored(work) is None


def test_a_payload_that_does_not_fit_its_schema_is_said_before_and_when_it_is_published(signed_in, ed, work) -> None:
    make_type(work, ed, schema=ORDER, validate=True)
    browser = signed_in(ed)

    assert "/total: Give a number." in check(browser, payload='{"total": "x"}')
    answer = browser.submit(f"{EVENTS}/publish", {"type": "order.paid", "payload": '{"total": "x"}'})
    assert answer.status_code == 422
    assert "/total: Give a number." in soup_of(answer).select_one("#payload-error-1").get_text()
    assert stored(work) is None


def test_the_sample_of_a_type_is_offered_when_something_else_stands_there(signed_in, ed, work) -> None:
    make_type(work, ed, "a.a", sample={"n": 1})
    browser = signed_in(ed)

    assert "Fill in the sample of a.a" in check(browser, type="a.a", payload="")
    answer = browser.submit(f"{EVENTS}/publish", {"type": "a.a", "payload": "", "sample": "1"}, htmx=True)
    filled = soup_of(answer).select_one("textarea[name=payload]").get_text(strip=True)
    assert '"n": 1' in filled
    assert "Fill in" not in check(browser, type="a.a", payload=filled)
    assert "Fill in" not in check(browser, type="no.sample", payload="{}")


def test_the_form_says_how_much_the_organization_takes(signed_in, work, ada) -> None:
    ada.organization.largest_payload = 32 * 1024
    work.session.commit()

    assert "at most 32 KiB" in signed_in(ada).see(f"{EVENTS}/publish").text


def test_an_event_of_many_hooks_lists_the_first_and_leads_to_all(signed_in, ada, scene, monkeypatch) -> None:
    monkeypatch.setattr("console.web.events.page.MOST_SHOWN", 2)
    for _ in range(3):
        scene.hook()
        scene.hook(all_events=False, event_types=["cart.left"])
    delivery = scene.publish(type="order.paid")[0]

    page = signed_in(ada).see(f"/o/acme/events/{delivery.event.id}")

    assert len(page.select("#deliveries tbody tr")) == 2
    assert f"q={delivery.event.id}" in page.find("a", string="See all in the log")["href"]
    assert "3 of 6 hooks" in " ".join(page.get_text().split())
    assert "These are the first 2" in page.get_text()
