"""The test of a hook, and what changes on its page by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select, update

from console.core.outcomes import ANSWERED, EXPLANATIONS, Outcome
from console.models import Delivery, Destination, HookState
from console.services.hooks import hook_tests
from console.services.hooks.rate_of_tests import MOST_IN_A_MINUTE
from tests.web.hooks_stage import finish, state_of

HTMX = {"HX-Request": "true"}


# --- test -----------------------------------------------------------------------------------------------------------


def test_a_test_shows_its_way_under_the_form(signed_in, ed, make_hook, work, ring, clock) -> None:
    hook = make_hook()
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "order.paid", "payload": ""}, htmx=True)

    part = BeautifulSoup(answer.text, "html.parser")
    assert "Queued" in part.get_text()
    assert ring.lanes == ["deliveries"]
    live = part.select_one("#test-result")
    assert "every 500ms" in live["hx-trigger"]
    assert browser.get(live["hx-get"], headers=HTMX).status_code == 204

    clock.advance(seconds=6)
    slower = BeautifulSoup(browser.get(live["hx-get"], headers=HTMX).text, "html.parser").select_one("#test-result")
    assert "every 1s" in slower["hx-trigger"]

    clock.advance(seconds=6)
    late = browser.get(slower["hx-get"], headers=HTMX)
    assert "No worker has taken it yet" in late.text

    finish(work, work.session.scalar(select(Delivery)))
    done = BeautifulSoup(browser.get(slower["hx-get"], headers=HTMX).text, "html.parser").select_one("#test-result")
    assert not done.has_attr("hx-get")
    text = done.get_text(" ", strip=True)
    assert "200 in 143 ms" in text
    assert "First byte" in text
    assert f"{work.session.scalar(select(Delivery.id))}.1795338000." in text


def test_a_failed_test_says_what_to_do(signed_in, ed, make_hook, work) -> None:
    hook = make_hook()
    delivery = hook_tests.send(work, hook=hook)
    finish(work, delivery, status=None, outcome="connection_refused")

    text = signed_in(ed).see(f"/o/acme/hooks/{hook.id}?test={delivery.id}").get_text(" ", strip=True)

    assert "Connection refused in 143 ms" in text
    assert "Check the port in the URL" in text
    assert "Nobody answered." in text


@pytest.mark.parametrize("outcome", Outcome)
def test_the_poll_brings_the_result_of_a_test_however_it_ended(signed_in, ed, make_hook, work, outcome) -> None:
    hook = make_hook()
    browser = signed_in(ed)
    sent = browser.submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "order.paid"}, htmx=True)
    address = BeautifulSoup(sent.text, "html.parser").select_one("#test-result")["hx-get"]

    finish(work, work.session.scalar(select(Delivery)), status=500 if outcome in ANSWERED else None, outcome=outcome)
    answer = browser.get(address, headers=HTMX)

    result = BeautifulSoup(answer.text, "html.parser").select_one("#test-result")
    assert answer.status_code == 200
    assert not result.has_attr("hx-get")
    if outcome is not Outcome.OK:
        assert EXPLANATIONS[outcome].meaning in result.get_text()


def test_without_javascript_a_test_leads_to_the_delivery(signed_in, ed, make_hook, work) -> None:
    hook = make_hook()

    answer = signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "order.paid"})

    assert (answer.status_code, answer.location) == (
        303,
        f"/o/acme/deliveries/{work.session.scalar(select(Delivery.id))}",
    )


def test_from_the_list_a_test_leads_to_the_hook(signed_in, ed, make_hook, work) -> None:
    hook = make_hook()
    browser = signed_in(ed)

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/test", {"show": "hook"})

    delivery_id = work.session.scalar(select(Delivery.id))
    assert answer.location == f"/o/acme/hooks/{hook.id}?test={delivery_id}#test"
    assert "Queued" in browser.see(f"/o/acme/hooks/{hook.id}?test={delivery_id}").get_text()


@pytest.mark.parametrize("payload", ["{", "{'a': 1}", "[NaN]", '{"a":1,"a":2}'])
def test_a_payload_that_is_no_json_is_refused_and_kept(signed_in, ed, make_hook, work, payload) -> None:
    hook = make_hook()
    browser = signed_in(ed)

    for htmx in (False, True):
        answer = browser.submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "a.b", "payload": payload}, htmx=htmx)
        assert answer.status_code == 422
        page = BeautifulSoup(answer.text, "html.parser")
        assert page.select_one("#test-payload").get_text() == payload
        assert page.select_one("#test-payload-error-1")
    assert work.session.scalar(select(Delivery)) is None


def test_a_malformed_event_type_is_refused(signed_in, ed, make_hook) -> None:
    hook = make_hook()

    answer = signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "not a type"}, htmx=True)

    assert answer.status_code == 422
    assert "test-type-error-1" in answer.text


def test_the_sample_can_be_filled_in(signed_in, ed, make_hook) -> None:
    hook = make_hook()
    browser = signed_in(ed)

    part = browser.get(f"/o/acme/hooks/{hook.id}/sample?event_type=webhook.test", headers=HTMX)
    assert "<html" not in part.text
    page = browser.see(f"/o/acme/hooks/{hook.id}/sample?event_type=webhook.test")

    assert '"message": "Test of a hook"' in page.select_one("#test-payload").get_text()


def test_tests_have_a_rate(signed_in, ed, make_hook, work) -> None:
    hook = make_hook()
    for _ in range(MOST_IN_A_MINUTE):
        hook_tests.send(work, hook=hook)

    answer = signed_in(ed).submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "a.b"}, htmx=True)

    assert answer.status_code == 429
    assert f"{MOST_IN_A_MINUTE} tests a minute" in answer.headers["HX-Trigger"]


def test_the_result_of_another_delivery_is_not_shown(signed_in, ed, make_hook, publish, work) -> None:
    hook, other = make_hook(), make_hook(name="Other", event_types=[])
    publish("order.paid")
    ordinary = work.session.scalar(select(Delivery.id))
    test = hook_tests.send(work, hook=other)
    browser = signed_in(ed)

    for identifier in (ordinary, test.id):
        assert browser.get(f"/o/acme/hooks/{hook.id}/tests/{identifier}", headers=HTMX).status_code == 404


@pytest.mark.parametrize(
    ("fields", "event_type"),
    [
        ({"event_types": ["order.*", "order.paid"]}, "order.paid"),
        ({"event_types": ["replay.*"]}, "replay.finished"),
        ({"event_types": [], "event_groups": ["hookyard"]}, "hook.blocked"),
        ({"event_types": [], "all_events": True}, "webhook.test"),
        ({"event_types": []}, "webhook.test"),
        ({"event_types": ["nobody.knows.*"]}, "webhook.test"),
    ],
)
def test_the_form_proposes_a_type_that_the_hook_hears(signed_in, ed, make_hook, fields, event_type) -> None:
    hook = make_hook(**fields)

    assert signed_in(ed).see(f"/o/acme/hooks/{hook.id}").select_one("#test-type")["value"] == event_type


# --- what changes by itself -----------------------------------------------------------------------------------------


def live_url(page) -> str:
    return str(page.select_one("#standing")["hx-get"])


def test_the_page_follows_what_becomes_of_its_hook(signed_in, ada, scene) -> None:
    hook = scene.hook()
    (delivery,) = scene.publish()
    browser = signed_in(ada)
    url = live_url(browser.see(f"/o/acme/hooks/{hook.id}"))

    quiet = browser.get(url, headers=HTMX)
    scene.attempt(delivery)
    scene.put(delivery, state="delivered", next_attempt_at=None)
    news = browser.get(url, headers=HTMX)

    assert quiet.status_code == 204
    soup = BeautifulSoup(news.text, "html.parser")
    assert soup.select_one("#standing") is not None
    assert "Delivered" in soup.select_one("#recent[hx-swap-oob]").get_text()
    assert browser.get(live_url(soup), headers=HTMX).status_code == 204


def test_a_finished_test_tells_the_page_to_look_at_the_hook_again(signed_in, ada, scene, work) -> None:
    hook = scene.hook()
    delivery = hook_tests.send(work, hook=hook)
    url, browser = f"/o/acme/hooks/{hook.id}/tests/{delivery.id}", signed_in(ada)

    under_way = browser.get(url, headers=HTMX)
    scene.attempt(delivery)
    scene.put(delivery, state="delivered", next_attempt_at=None)
    finished = browser.get(url, headers=HTMX)

    assert "HX-Trigger" not in under_way.headers
    assert "moved" in finished.headers["HX-Trigger"]


def test_strangers_see_nothing_of_a_hooks_standing(signed_in, mallory, scene) -> None:
    hook = scene.hook()

    assert signed_in(mallory).get(f"/o/acme/hooks/{hook.id}/live", headers=HTMX).status_code == 404


def test_a_hooks_page_and_the_list_say_circuit_end_and_lane(signed_in, ada, work, make_hook) -> None:
    hook = make_hook()
    state_of(
        work,
        hook,
        consecutive_failures=6,
        openings=1,
        open_until=work.now() + timedelta(minutes=4),
        lane="deliveries-slow",
    )

    browser = signed_in(ada)
    page = browser.see(f"/o/acme/hooks/{hook.id}")
    row = browser.see("/o/acme/hooks").select_one("tbody tr")

    assert "Paused after 6 failures in a row" in page.text
    assert "slow lane" in page.text
    assert "slow lane" in row.text
    assert row.select_one("time")["datetime"].startswith("2026-11-22T09:04")


def test_hooks_behind_a_silent_destination_say_so(signed_in, ada, work, make_hook) -> None:
    hook = make_hook()
    work.session.execute(update(HookState).values(consecutive_failures=1))
    work.session.add(
        Destination(
            organization_number=hook.organization_number,
            name=hook.destination,
            failures=9,
            first_hook=hook.number,
            is_shared=True,
            openings=2,
            open_until=work.now() + timedelta(minutes=2),
        )
    )
    work.session.commit()

    page = signed_in(ada).see(f"/o/acme/hooks/{hook.id}")

    assert "Nothing answers at shop.example.com:443" in page.text
