"""The form of a new replay, before anybody has said what to replay: quick, and never a start that was not counted."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.models import Replay
from console.services.replays import planning
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

    assert preview == "Nothing to send No delivery has failed, in the last 24 h or before."


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
