"""A hook's form while somebody types: what it says of each field, and the previews."""

from __future__ import annotations

import json

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.models import Hook
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft

HTMX = {"HX-Request": "true"}
FORM = {"name": "Shop", "url": "https://shop.example.com/hook", "payload_format": "standard", "content_type": "json"}


@pytest.fixture
def browser(signed_in, ed):
    """A browser in which Ed is signed in."""
    return signed_in(ed)


@pytest.fixture
def hook(work, ed) -> Hook:
    draft = HookDraft(name="Shop", url="https://shop.example.com/hook", event_types=["order.*", "webhook.test"])
    made = hooks.create(work, organization_number=ed.organization.number, author_number=None, draft=draft)
    work.session.commit()
    return made.hook


def part(browser, name: str, **form) -> BeautifulSoup:
    """Ask for one part of the form as htmx does."""
    data = {**FORM, **form, "csrf_token": browser.token()}
    answer = browser.post(f"/o/acme/hooks/parts/{name}", data=data, headers=HTMX)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    return BeautifulSoup(answer.text, "html.parser")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://example.com/x", "Requests go to example.com."),
        ("http://example.com/x", "plain http"),
        ("https://xn--bcher-kva.example/", "bücher.example"),
        ("https://10.0.0.1/", "HOOKYARD_ALLOW_NETS"),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_the_url_is_judged_in_words(browser, url, words) -> None:
    said = part(browser, "url_words", url=url).get_text(" ", strip=True)

    assert words in said
    assert bool(said) == bool(url)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"patterns": "replay.*"}, "Matches 1 type today: replay.finished"),
        ({"event_groups": ["hookyard"]}, "Matches 9 types today"),
        ({"all_events": "y"}, "Hears every event"),
        ({"patterns": "nobody.knows"}, "no type of today"),
        ({"patterns": "what?"}, "what?:"),
        ({}, "would receive nothing"),
    ],
)
def test_what_a_choice_matches_is_said_at_once(browser, form, words) -> None:
    assert words in " ".join(part(browser, "matching", **form).get_text(" ", strip=True).split())


def test_the_waits_of_a_policy_are_listed(browser) -> None:
    said = part(browser, "times", retry_kind="list", retry_delays="10,60").get_text(" ", strip=True)

    assert (
        "3 attempts: the first at once, then after 10 s, 1 min . Gives up after 1 min 10 s" in said
        or "10 s, 1 min" in said
    )


def test_a_policy_that_is_none_says_why(browser) -> None:
    said = part(browser, "times", retry_kind="fixed", retry_seconds="x")
    assert said.get_text(strip=True) == "Seconds between attempts: Give a number."
    assert said.select_one(".field-error")


def test_a_kind_that_was_only_just_chosen_is_not_called_wrong(browser) -> None:
    said = part(browser, "times", retry_kind="exponential")

    assert said.get_text(strip=True) == "The waits stand here when “Times longer” is filled in."
    assert not said.select_one(".field-error")


def test_each_kind_of_policy_shows_its_own_fields(browser) -> None:
    names = {one["name"] for one in part(browser, "retry", retry_kind="random").select("input")}

    assert names == {"retry_min", "retry_max", "retry_attempts", "retry_jitter", "retry_expires_after"}
    assert not part(browser, "retry", retry_kind="").select("input")


def test_the_preview_holds_the_very_bytes(browser) -> None:
    said = part(
        browser, "preview", event_types=["webhook.test"], header_name=["Authorization"], header_value=["Bearer canary"]
    )

    body = json.loads(said.select_one("pre.raw code").get_text())
    assert body["type"] == "webhook.test"
    assert body["data"] == {"message": "Test of a hook"}
    assert "webhook-signature" in said.get_text()


def test_a_part_without_htmx_is_the_whole_form(browser) -> None:
    answer = browser.submit("/o/acme/hooks/parts/matching", {**FORM, "patterns": "replay.*"})

    assert answer.status_code == 200
    assert "<h1>" in answer.text


def test_without_javascript_a_button_shows_the_previews_and_saves_nothing(browser, work) -> None:
    answer = browser.submit("/o/acme/hooks/new", {**FORM, "patterns": "replay.*", "look": "1"})

    assert answer.status_code == 200
    assert "Matches 1 type today" in answer.text
    assert work.session.scalar(select(Hook)) is None
