"""Filters that need longer than a request has: what pages know is shown, and what they do not know is said."""

from __future__ import annotations

import pytest

from console.services.events import event_resends, explaining, publishing
from tests.web.events_stage import stored
from tests.web.soup import soup_of, words_of

EVENTS = "/o/acme/events"


@pytest.fixture
def three_hooks(scene) -> None:
    for number in range(3):
        scene.hook(name=f"Hook {number}", filter=f"total > `{number}`")


def test_the_page_of_an_event_says_how_many_hooks_it_did_not_ask(
    signed_in, ed, scene, work, three_hooks, monkeypatch
) -> None:
    scene.publish("order.paid", payload=b'{"total": 2}')
    monkeypatch.setattr(explaining, "PAGE_S", 0)

    words = words_of(signed_in(ed).see(f"{EVENTS}/{stored(work).id}"))

    assert "1 of 1 hook; 2 more hooks not checked, because there are very many or their filters are slow" in words
    assert "Hook 2" in words


def test_the_button_that_resends_to_all_says_no_number_that_is_not_known(
    signed_in, ed, scene, work, three_hooks, monkeypatch
) -> None:
    scene.publish("order.paid", payload=b'{"total": 3}')
    browser, path = signed_in(ed), f"{EVENTS}/{stored(work).id}"
    assert "Resend to all 3 hooks that want it" in words_of(browser.see(path))

    monkeypatch.setattr(explaining, "PAGE_S", 0)

    assert "Resend to all hooks that want it" in words_of(browser.see(path))


@pytest.mark.parametrize("htmx", [False, True])
def test_a_resend_to_all_that_takes_too_long_says_what_to_do(
    signed_in, ed, scene, work, three_hooks, monkeypatch, htmx
) -> None:
    scene.publish("order.paid", payload=b'{"total": 3}')
    monkeypatch.setattr(event_resends, "REQUEST_S", 0)
    browser, path = signed_in(ed), f"{EVENTS}/{stored(work).id}"

    browser.submit(f"{path}/resend", htmx=htmx)

    assert "Send it to the hooks one by one" in words_of(browser.see(path))


def test_an_event_whose_filters_wait_for_the_workers_is_being_handed_out(
    signed_in, ed, scene, work, three_hooks, monkeypatch
) -> None:
    monkeypatch.setattr(publishing, "REQUEST_S", 0)
    scene.publish("order.paid", payload=b'{"total": 1}')
    browser = signed_in(ed)

    assert "being handed out to up to 3 hooks" in words_of(browser.see(EVENTS))
    assert "It is being handed out to up to 3 hooks" in words_of(browser.see(f"{EVENTS}/{stored(work).id}"))


def test_publishing_by_hand_says_how_many_hooks_were_not_asked(signed_in, ed, three_hooks, monkeypatch) -> None:
    monkeypatch.setattr(explaining, "PAGE_S", 0)
    form = {"type": "order.paid", "payload": '{"total": 3}'}

    answer = signed_in(ed).submit(f"{EVENTS}/publish/check", form, htmx=True)

    words = words_of(soup_of(answer))
    assert "It would go to 1 of 1 hook: Hook 2." in words
    assert "2 more hooks not checked" in words
