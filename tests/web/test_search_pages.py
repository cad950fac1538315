"""The search box."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.models import Delivery, Event
from console.services.bins import bins
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft


@pytest.fixture
def scene(work, ada):
    """A hook, an event about order 4711 with its delivery, and a bin."""
    draft = HookDraft(name="Warehouse", url="https://warehouse.example.com/hook", event_types=["order.paid"])
    hook = hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft).hook
    event = EventDraft(type="order.paid", payload=b"{}", object_model="order", object_pk="4711")
    publishing.publish(work, organization_number=ada.organization.number, draft=event)
    caught = bins.create(work, organization=ada.organization, name="Trial")
    work.session.commit()
    return hook, work.session.scalar(select(Delivery)), work.session.scalar(select(Event)), caught


def go(browser, words: object):
    return browser.get("/o/acme/search", query_string={"q": str(words)})


def test_the_one_hit_is_jumped_to(signed_in, ada, scene) -> None:
    hook, delivery, event, caught = scene
    browser = signed_in(ada)

    assert go(browser, "warehouse").location == f"/o/acme/hooks/{hook.id}"
    assert go(browser, hook.url).location == f"/o/acme/hooks/{hook.id}"
    assert go(browser, hook.id).location == f"/o/acme/hooks/{hook.id}"
    assert go(browser, delivery.id).location == f"/o/acme/deliveries/{delivery.id}"
    assert go(browser, caught.id).location == f"/o/acme/bins/{caught.id}"
    assert go(browser, f"http://hookyard.test/in/{caught.key}").location == f"/o/acme/bins/{caught.id}"
    assert go(browser, "replay.finished").location == "/o/acme/events/types/replay.finished"
    assert event.id


def test_several_hits_are_listed_by_kind(signed_in, ada, scene) -> None:
    page = signed_in(ada).see("/o/acme/search?q=4711")

    assert [head.get_text() for head in page.select(".panel h2")] == ["Deliveries", "Events"]
    assert page.select_one("#search")["value"] == "4711"


@pytest.mark.parametrize("words", ["", "   "])
def test_without_words_it_says_what_can_be_found(signed_in, ada, words) -> None:
    assert "What are you looking for" in signed_in(ada).see(f"/o/acme/search?q={words}").get_text()


@pytest.mark.parametrize("words", ["zzzz", "%%", "__", "''", "<script>", "not!a type", "\u202e", "x" * 500])
def test_nothing_found_says_where_was_looked(signed_in, ada, scene, words) -> None:
    page = go(signed_in(ada), words)

    assert page.status_code == 200
    assert "Nothing found" in page.text
    assert "the object that an event names" in page.text
    assert "<script>" not in page.text.replace('<script src="', "")


def test_nothing_of_others_is_found(signed_in, mallory, scene) -> None:
    hook, delivery, event, caught = scene
    browser = signed_in(mallory)

    for words in (hook.id, delivery.id, event.id, caught.id, "4711", "warehouse", caught.key):
        answer = browser.get("/o/elsewhere/search", query_string={"q": str(words)})
        assert "Nothing found" in answer.text


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "query",
    [
        "deliveries?q=%00",
        "deliveries?outcome=%00",
        "events?q=%00",
        "hooks?q=%00",
        "hooks?before=99999999999999999999999",
        "search?q=%00",
        "settings/audit?object=%00",
        "events/types?q=%00",
        "events/types/a%00b",
    ],
)
def test_what_no_database_takes_is_no_crash(signed_in, ada, query: str) -> None:
    assert signed_in(ada).get(f"/o/acme/{query}").status_code in {200, 400, 404}
