"""Acts that destroy, or that act on many, ask first: in a dialog, or on a page of its own without JavaScript."""

from __future__ import annotations

import re
from typing import Any

import pytest

from console.services.bins import bins
from tests.web.events_stage import make_type, stored
from tests.web.soup import words_of


@pytest.fixture
def pages(ada: Any, scene: Any, work: Any) -> dict[str, str]:
    """The page of each thing that something is asked about."""
    bin_ = bins.create(work, organization=ada.organization, name="Shop test")
    make_type(work, ada, "shop.opened")
    scene.hook(name="First")
    scene.hook(name="Second")
    waiting, arrived = scene.publish("order.paid")
    scene.put(arrived, state="delivered", finished_at=work.now())
    return {
        "bin": f"/o/acme/bins/{bin_.id}",
        "waiting": f"/o/acme/deliveries/{waiting.id}",
        "arrived": f"/o/acme/deliveries/{arrived.id}",
        "event": f"/o/acme/events/{stored(work).id}",
        "type": "/o/acme/events/types/shop.opened",
        "apis": "/o/acme/settings/apis",
    }


QUESTIONS = [
    ("bin", "clear", "Clear the requests?", "Clear 0 requests", "Back"),
    ("bin", "delete", "Delete this bin?", "Delete bin", "Back"),
    ("waiting", "cancel", "Cancel this delivery?", "Cancel delivery", "Keep it"),
    ("arrived", "resend", "Resend this delivery?", "Resend now", "Back"),
    ("event", "resend", "Resend to all 2 hooks that want it?", "Resend to 2 hooks", "Back"),
    ("type", "delete", "Delete this event type?", "Delete event type", "Back"),
    ("apis", "pretix", "Switch off pretix organizer webhooks?", "Switch off pretix", "Back"),
]


@pytest.mark.parametrize(("place", "act", "heading", "label", "keep"), QUESTIONS)
def test_a_question_is_a_page_with_nothing_but_the_question(
    signed_in, ada, pages, place, act, heading, label, keep
) -> None:
    browser = signed_in(ada)
    opener = browser.see(pages[place]).select_one(f"main a[href*='confirm={act}']")

    page = browser.see(opener["href"])

    [form] = page.select("main form")
    assert words_of(page.select_one("h1")) == heading
    assert [words_of(one) for one in form.select("button, a.button")] == [label, keep]
    assert form.select_one("a.button")["href"] == pages[place]


def test_what_has_ended_meanwhile_is_shown_instead_of_the_question(signed_in, ada, pages) -> None:
    page = signed_in(ada).see(f"{pages['arrived']}?confirm=cancel")

    assert page.select("main form[action$='/cancel']") == []
    assert "Delivered" in words_of(page.select_one("#live"))


def test_a_delivery_is_canceled_by_its_dialog_alone(signed_in, ada, pages) -> None:
    page = signed_in(ada).see(pages["waiting"])

    [form] = page.select("form[action$='/cancel']")
    assert form.find_parent("dialog")["id"] == page.select_one("a[href*='confirm=cancel']")["data-dialog"]
    assert form.find_parent(id="actions") is None  # which the polls replace, an open dialog with it


def test_viewers_are_not_asked(signed_in, vi, pages) -> None:
    browser = signed_in(vi)

    for place in ("bin", "waiting", "event"):
        assert browser.see(pages[place]).select("main a[href*='confirm=']") == []


def test_buttons_of_several_rows_have_names_of_their_own(signed_in, ada, pages) -> None:
    """Two deliveries of one event differ in their hooks alone, and four APIs have the same two buttons."""
    browser = signed_in(ada)

    for path in ("/o/acme/deliveries", pages["event"], pages["apis"]):
        page = browser.see(path)
        found = page.select("main tr :is(button, input[type=checkbox]), main ul.items :is(button, a.button)")
        names = [one.get("aria-label") or re.sub(r"\s+", " ", one.get_text(" ", strip=True)) for one in found]
        assert len(names) > 1
        assert sorted(names) == sorted(set(names)), path
