"""Rows say what their event is about: in the log, the list of events, Explain, a replay's preview, search."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event

from tests.web.soup import words_of

PAYLOAD = json.dumps({"order": "A-4711", "customer": {"name": "<b>\u202eEve</b>"}, "api_token": "canary"}).encode()
PLACES = {
    "deliveries": "#log .table tbody",
    "events": "#events tbody",
    "hooks/{hook}/explain": ".checks",
    "replays/new?which=all": "[aria-labelledby=first-title] tbody",
    "search?q={event}": "main",
}


@pytest.mark.parametrize("path", PLACES)
def test_a_row_says_what_its_event_is_about(signed_in: Any, ada: Any, scene: Any, path: str) -> None:
    hook = scene.hook()
    (delivery,) = scene.publish(payload=PAYLOAD)
    (other,) = scene.publish(object_model="order", object_pk="17")
    for one in (delivery, other):
        scene.put(one, state="delivered", last_status=200, last_outcome="ok")
    place = path.format(hook=hook.id, event=str(delivery.event.id)[:30])

    words = words_of(signed_in(ada).see(f"/o/acme/{place}"), PLACES[path])

    assert "order A-4711" in words
    assert "⟨U+202E⟩Eve" in words
    assert "canary" not in words
    assert "order 17" in words or path.startswith("search")


def test_a_page_of_the_log_asks_for_all_subjects_at_once(signed_in: Any, ada: Any, scene: Any, engine: Any) -> None:
    scene.hook()
    for number in range(5):
        scene.publish(payload=json.dumps({"n": number, "filler": "x" * 10_000}).encode())
    browser, asked = signed_in(ada), []
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    browser.see("/o/acme/deliveries")

    assert sum("substr" in statement for statement in asked) <= 1


def test_the_log_is_filtered_by_exact_status_and_by_any_attempt(signed_in: Any, ada: Any, scene: Any) -> None:
    scene.hook()
    (first,), (second,) = scene.publish(), scene.publish()
    scene.put(first, state="delivered", last_status=200, last_outcome="ok", bad_answers=",429,")
    scene.put(second, state="failed", last_status=404, last_outcome="client_error", bad_answers=",404,")
    browser = signed_in(ada)

    def shown(query: str) -> list[str]:
        page = browser.see(f"/o/acme/deliveries?{query}")
        return [one["href"].partition("?")[0].rpartition("/")[2] for one in page.select("tbody a.title-link")]

    assert shown("status=404") == [str(second.id)]
    assert shown("status=429") == []
    assert shown("status=429&attempt=any") == [str(first.id)]
    assert shown("state=delivered&status_class=failed&attempt=any") == [str(first.id)]
    assert "three digits" in browser.get("/o/acme/deliveries?status=4xx").text


def test_what_is_filtered_by_any_attempt_can_be_replayed(signed_in: Any, ada: Any, scene: Any) -> None:
    scene.hook()
    (first,), (second,) = scene.publish(), scene.publish()
    scene.put(first, state="delivered", last_status=200, last_outcome="ok", bad_answers=",429,")
    scene.put(second, state="delivered", last_status=200, last_outcome="ok")

    page = signed_in(ada).see("/o/acme/replays/new?which=all&status=429&attempt=any")

    links = [one["href"].rpartition("/")[2] for one in page.select("[aria-labelledby=first-title] a.title-link")]
    assert links == [str(first.id)]
