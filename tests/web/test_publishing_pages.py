"""Publishing by hand: the form, the sample, and what would become of the event."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.models import Event
from console.services.event_types import catalogue
from tests.web.events_stage import ORDER, make_type, stored
from tests.web.soup import soup_of, words_of

EVENTS = "/o/acme/events"


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
