"""Events: the list, one event with its fan-out, publishing by hand, and the catalogue."""

from __future__ import annotations

import hashlib

import pytest

from console.services.hooks import hook_tests
from console.services.organizations import sources
from tests.web.events_stage import stored
from tests.web.soup import soup_of, words_of

HTMX = {"HX-Request": "true"}
EVENTS = "/o/acme/events"


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


def test_a_test_says_which_hook_was_tested(signed_in, ada, scene, as_person) -> None:
    hook = scene.hook(name="Shop")
    scene.hook(name="Second")
    delivery = hook_tests.send(as_person(ada), hook=hook)
    browser = signed_in(ada)

    assert "test of Shop: waiting" in browser.see(EVENTS).get_text()
    assert "test of Shop: waiting" in browser.see(f"{EVENTS}/{delivery.event.id}").get_text()


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
    asking = browser.see(path).select_one("#deliveries .panel-head a.button")["href"]
    form = browser.see(asking).select_one("main form.panel")
    assert [delivery.chain for delivery in made] == [1, 1]

    answer = browser.submit(form["action"], {})

    assert answer.location == path
    for delivery in made:
        work.session.refresh(delivery)
    assert [delivery.chain for delivery in made] == [2, 2]


@pytest.mark.parametrize("path", ["", "/payload", "/deliveries"])
def test_events_of_others_are_not_there(signed_in, ada, elsewhere, work, path) -> None:
    elsewhere.publish()

    assert signed_in(ada).get(f"{EVENTS}/{stored(work).id}{path}").status_code == 404
