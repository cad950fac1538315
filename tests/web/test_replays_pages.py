"""Replays in the console: what would be sent is seen first, then watched, stopped, resumed."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from console.models import AuditEntry
from console.services.hooks import hooks
from tests.engine import claim, hire, record, rows_of
from tests.web.replays_stage import tend
from tests.web.soup import soup_of, words_of

HTMX = {"HX-Request": "true"}
REPLAYS = "/o/acme/replays"
NEW = f"{REPLAYS}/new"


# --- the list -------------------------------------------------------------------------------------------------------


def test_without_replays_the_list_says_what_one_is(signed_in, ada, vi) -> None:
    page = signed_in(ada).see(REPLAYS)

    assert "No replays yet" in page.get_text()
    assert page.select_one(f'a[href="{NEW}"]') is not None
    assert page.select_one('nav[aria-label=Sections] a[aria-current="page"]').get_text(strip=True) == "Replays"
    assert signed_in(vi).see(REPLAYS).select(f'a[href="{NEW}"]') == []


def test_the_list_says_who_started_what_and_how_far_it_is(signed_in, ada, scene, lose, begin, work, clock) -> None:
    hook = scene.hook()
    lose()
    begin(hook=hook, event_types=("order.*",))
    tend(work, clock, 2)

    [row] = signed_in(ada).see(REPLAYS).select("tbody tr")

    text = " ".join(row.get_text(" ", strip=True).split())
    for words in ("Running", "Failed deliveries of Shop", "order.*", "Ada"):
        assert words in text
    assert [cell.get_text() for cell in row.select("td.num")][:4] == ["0", "0", "0", "1"]


def test_the_list_is_narrowed_to_what_goes_on_or_is_over(signed_in, ada, begin, work, clock) -> None:
    begin()
    tend(work, clock, 2)
    browser = signed_in(ada)

    assert len(browser.see(f"{REPLAYS}?state=over").select("tbody tr")) == 1
    assert "Nothing matches" in browser.see(f"{REPLAYS}?state=going").get_text()
    part = browser.get(f"{REPLAYS}?state=over", headers=HTMX)
    assert "<html" not in part.text
    assert part.headers["HX-Push-Url"] == f"{REPLAYS}?state=over"


def test_another_organization_sees_no_replay(signed_in, mallory, begin) -> None:
    row = begin()
    browser = signed_in(mallory)

    assert "No replays yet" in browser.see("/o/elsewhere/replays").get_text()
    for path in (f"/o/elsewhere/replays/{row.id}", f"{REPLAYS}/{row.id}", REPLAYS):
        assert browser.get(path).status_code == 404


# --- one of them ----------------------------------------------------------------------------------------------------


def test_the_progress_asks_for_itself_until_it_is_over(signed_in, ada, scene, lose, begin, work, clock) -> None:
    scene.hook()
    lose(count=3)
    row = begin()
    browser, path = signed_in(ada), f"{REPLAYS}/{row.id}"

    block = browser.see(path).select_one("#progress")
    assert "Counting" in block.get_text()
    assert browser.get(block["hx-get"], headers=HTMX).status_code == 204

    tend(work, clock, 2)
    answer = browser.get(block["hx-get"], headers=HTMX)
    running = soup_of(answer).select_one("#progress")
    assert "<html" not in answer.text
    assert "0 of 3 done" in " ".join(running.get_text(" ", strip=True).split())
    assert running.has_attr("data-poll")
    assert browser.get(block["hx-get"]).location == path  # without htmx it is a link to the page

    for one in rows_of(claim(work, hire(work))):
        record(work, one)
    tend(work, clock, 3)
    done = soup_of(browser.get(running["hx-get"], headers=HTMX)).select_one("#progress")
    assert not done.has_attr("hx-get")
    assert done.select_one("progress")["value"] == "3"
    assert "Refresh" not in done.get_text()


def test_a_replay_leads_to_its_deliveries(signed_in, ada, scene, lose, begin, work, clock) -> None:
    scene.hook()
    lose()
    row = begin()
    tend(work, clock, 2)
    lose()
    browser = signed_in(ada)

    [link] = browser.see(f"{REPLAYS}/{row.id}").select(".actions a")

    log = browser.see(link["href"])
    assert len(log.select("tbody tr:not(.day)")) == 1
    assert [chip.get_text(" ", strip=True).split()[0] for chip in log.select(".chip")] == ["Replay"]
    assert log.select_one("input[form=log-list-filters][name=replay]")["value"] == str(row.id)


@pytest.mark.parametrize("htmx", [False, True])
def test_a_replay_is_stopped_and_resumed(signed_in, ada, scene, lose, begin, work, clock, htmx) -> None:
    scene.hook()
    lose(count=2)
    row = begin()
    tend(work, clock, 2)
    browser, path = signed_in(ada), f"{REPLAYS}/{row.id}"

    answer = browser.submit(f"{path}/stop", htmx=htmx)
    page = soup_of(answer) if htmx else browser.see(answer.location)
    text = page.get_text(" ", strip=True)
    assert "Stopped" in text
    assert "2 deliveries were not sent and are as before." in text
    assert page.select_one(f'form[action="{path}/resume"]') is not None

    answer = browser.submit(f"{path}/resume", htmx=htmx)
    page = soup_of(answer) if htmx else browser.see(answer.location)
    assert page.select_one(f'form[action="{path}/stop"]') is not None
    actions = work.session.scalars(select(AuditEntry.action).where(AuditEntry.object_type == "replay")).all()
    assert actions == ["replay.started", "replay.stopped", "replay.resumed"]
    audit = browser.see("/o/acme/settings/audit?about=replay")
    assert len(audit.select(f'tbody a[href="{path}"]')) == 3


def test_stopping_what_is_over_is_answered_in_words(signed_in, ada, begin, work, clock) -> None:
    row = begin()
    tend(work, clock, 2)
    browser = signed_in(ada)

    for act in ("stop", "resume"):
        answer = browser.submit(f"{REPLAYS}/{row.id}/{act}", htmx=True)
        assert answer.status_code == 200
        assert '"tone": "warn"' in answer.headers["HX-Trigger"]


def test_several_hooks_are_told_apart_and_what_was_skipped_is_explained(
    signed_in, ada, scene, lose, begin, work, clock
) -> None:
    scene.hook()
    off = scene.hook(name="Second")
    lose(count=2)
    hooks.disable(work, hook=off)
    row = begin()
    tend(work, clock, 2)

    text = words_of(signed_in(ada).see(f"{REPLAYS}/{row.id}"), "#progress")

    assert "Skipped: 2 of a disabled hook." in text
    assert "By hook By hook Hook Matched Delivered Failed Skipped Left Shop 2 0 0 0 2 Second 2 0 0 2 0" in text


def test_an_error_is_shown(signed_in, ada, begin, work, clock) -> None:
    row = begin()
    row.which = "nonsense"
    work.session.commit()
    tend(work, clock)
    row.which = "failed"
    work.session.commit()

    text = words_of(signed_in(ada).see(f"{REPLAYS}/{row.id}"), "#progress")

    assert "Broken off" in text
    assert "Something unexpected went wrong (ValueError)" in text


def test_names_and_filters_are_hostile_text(signed_in, ada, scene, lose, begin) -> None:
    hook = scene.hook(name="<script>alert(1)</script>\u202e")
    lose()
    row = begin(hook=hook)
    browser = signed_in(ada)

    for path in (REPLAYS, f"{REPLAYS}/{row.id}", f"{NEW}?hook={hook.id}&event_type=%3Cscript%3E"):
        answer = browser.get(path)
        assert "<script>alert" not in answer.text
        assert '<script>"' not in answer.text
        assert "\u202e" not in answer.text
