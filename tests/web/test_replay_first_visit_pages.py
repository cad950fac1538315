"""The form of a new replay, before anybody has said what to replay: quick, and never a start that was not counted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.models import Replay
from console.services.hooks import hooks
from console.services.replays import planning
from console.web.replays import planning as pages
from tests.web.replays_stage import hidden_of
from tests.web.soup import words_of

REPLAYS = "/o/acme/replays"
NEW = f"{REPLAYS}/new"


@pytest.mark.parametrize("address", [NEW, f"{NEW}?which=&since="])
def test_a_first_visit_proposes_what_failed_in_the_last_day(signed_in, ada, scene, lose, clock, address) -> None:
    scene.hook()
    lose(count=2)
    clock.advance(days=2)
    lose()
    browser = signed_in(ada)

    first = browser.see(address)
    ever = browser.see(f"{NEW}?which=failed")

    assert first.select_one("#which-failed").has_attr("checked")
    assert first.select_one("#since-24h").has_attr("checked")
    assert "1 delivery will be sent Failed deliveries of all hooks, made in the last 24 h." in words_of(
        first, "#preview"
    )
    assert ever.select_one("#since-any").has_attr("checked")
    assert "3 deliveries will be sent" in words_of(ever, "#preview")


def test_a_first_visit_starts_nothing_that_it_did_not_count_to_the_end(
    signed_in, ada, scene, lose, work, monkeypatch
) -> None:
    scene.hook()
    lose(count=3)
    monkeypatch.setattr(planning, "GLANCE", 3)
    browser = signed_in(ada)

    page = browser.see(NEW)
    preview = page.select_one("#preview")

    assert "3 deliveries or more match" in words_of(page, "#preview")
    assert preview.select("[name=counted]") == []
    [button] = preview.select("button[form=what-to-replay]")
    assert button["name"] == "preview"
    answer = browser.submit(REPLAYS, hidden_of(page) | {"preview": "1"})
    assert "3 deliveries will be sent" in words_of(browser.see(answer.location), "#preview")
    browser.submit(REPLAYS, hidden_of(page))
    assert work.session.scalars(select(Replay)).all() == []


def test_where_nothing_ever_failed_a_first_visit_says_so(signed_in, ada, scene) -> None:
    scene.hook()

    preview = words_of(signed_in(ada).see(NEW), "#preview")

    assert preview == "Nothing to send Nothing has failed that could be sent again, in the last 24 h or before."


def test_a_first_visit_says_what_failed_before_the_last_day(signed_in, ada, scene, lose, clock) -> None:
    scene.hook()
    lose(count=2)
    clock.advance(days=2)
    browser = signed_in(ada)

    page = browser.see(NEW)

    assert "Nothing to send" in words_of(page, "#preview")
    [chip] = page.select("#preview .chip")
    assert " ".join(chip.get_text(" ", strip=True).split()) == "Made in the last 24 h → 2"
    assert "2 deliveries will be sent" in words_of(browser.see(chip.select_one("a")["href"]), "#preview")


def test_a_first_visit_does_not_say_that_nothing_failed_when_a_disabled_hook_did(
    signed_in, ada, scene, lose, clock, work, monkeypatch
) -> None:
    monkeypatch.setattr(pages, "MOST_BEFORE", 3)
    hooks.disable(work, hook=scene.hook())
    work.session.commit()
    lose(count=5)
    clock.advance(days=2)
    browser = signed_in(ada)
    assert "Nothing has failed that could be sent again" in words_of(browser.see(NEW), "#preview")
    clock.advance(days=-2)
    scene.hook(name="Live")
    lose(count=2)
    clock.advance(days=2)

    assert "Made in the last 24 h → 2" in words_of(browser.see(NEW), "#preview")


def test_a_preview_that_did_not_look_at_everything_does_not_say_that_there_is_nothing(
    signed_in, ada, scene, clock, monkeypatch
) -> None:
    monkeypatch.setattr(planning, "COUNT_CAP", 5)
    for type_ in ("order.paid",) * 5 + ("cart.left",):
        scene.publish(type_)
    scene.hook(all_events=False, event_types=["cart.left"])

    words = words_of(signed_in(ada).see(f"{NEW}?which=missing"), "#preview")

    assert "The first 5 hold nothing that would be sent, and there are more" in words
