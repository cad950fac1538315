"""A new replay in the console: what would be sent is seen before anything is."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from console.core.outcomes import Outcome
from console.models import Replay
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from tests.engine import claim, hire, record, rows_of
from tests.web.replays_stage import hidden_of
from tests.web.soup import soup_of, words_of

HTMX = {"HX-Request": "true"}
REPLAYS = "/o/acme/replays"
NEW = f"{REPLAYS}/new"


def test_the_preview_shows_what_would_be_sent_before_anything_is(signed_in, ada, scene, lose, work) -> None:
    scene.hook()
    scene.hook(name="Second")
    first, *_ = lose(count=2)

    page = signed_in(ada).see(NEW)

    preview = words_of(page, "#preview")
    assert "4 deliveries will be sent" in preview
    assert "Replay 4 deliveries" in preview
    assert "By hook By hook Hook To send Left out Shop 2 0 Second 2 0" in preview
    assert page.select_one(f'#preview a[href="/o/acme/deliveries/{first.id}"]') is not None
    assert work.session.scalars(select(Replay)).all() == []


def test_an_event_that_was_missed_stands_in_the_preview(signed_in, ada, scene) -> None:
    scene.publish()
    hook = scene.hook()

    preview = words_of(signed_in(ada).see(f"{NEW}?which=missing&hook={hook.id}"), "#preview")

    assert "1 delivery will be sent" in preview
    assert "no delivery" in preview


def test_the_form_and_its_preview_are_swapped_together_on_change(signed_in, ada, scene, lose) -> None:
    hook = scene.hook()
    lose("order.paid")
    lose("cart.left")

    answer = signed_in(ada).get(
        f"{NEW}?which=failed&hook={hook.id}&event_type=order.*&since=8h&from=&until=", headers=HTMX
    )

    part = soup_of(answer)
    assert "<html" not in answer.text
    assert len(part.select("#replay")) == 1
    assert "1 delivery will be sent" in words_of(part, "#preview")
    assert part.select_one("#since-8h").has_attr("checked")
    assert part.select_one("#replay-types")["value"] == "order.*"
    assert parse_qs(urlsplit(answer.headers["HX-Push-Url"]).query).keys() == {"which", "hook", "event_type", "since"}


def test_what_is_left_out_is_said_with_its_reason(signed_in, ada, scene, lose, work) -> None:
    scene.hook()
    disabled = scene.hook(name="Second")
    lose(count=2)
    hooks.disable(work, hook=disabled)
    browser = signed_in(ada)

    assert "Left out: 2 of a disabled hook." in words_of(browser.see(NEW), "#preview")
    alone = words_of(browser.see(f"{NEW}?hook={disabled.id}"), "#preview")
    assert "2 deliveries will be sent" in alone
    assert "gets them nonetheless" in alone


def test_where_nothing_matches_each_condition_says_how_many_there_would_be_without_it(
    signed_in, ada, scene, lose, clock
) -> None:
    hook = scene.hook()
    lose(count=2)
    clock.advance(days=2)

    page = signed_in(ada).see(f"{NEW}?hook={hook.id}&event_type=order.*&since=1h")

    chips = [" ".join(chip.get_text(" ", strip=True).split()) for chip in page.select("#preview .chip")]
    assert chips == ["Which Failed → 0", "Hook Shop → 0", "Event types order.* → 0", "Made in the last hour → 2"]
    freed = page.select("#preview .chip a")[-1]["href"]
    assert "2 deliveries will be sent" in words_of(signed_in(ada).see(freed), "#preview")


def test_where_everything_is_left_out_the_reason_is_said(signed_in, ada, scene) -> None:
    scene.hook()
    scene.publish()

    assert "waiting for an attempt already" in words_of(signed_in(ada).see(f"{NEW}?which=all"), "#preview")


def test_an_empty_log_says_so(signed_in, ada) -> None:
    assert "nothing in the log" in words_of(signed_in(ada).see(f"{NEW}?which=all"), "#preview")


def test_the_filter_of_the_log_is_taken_over(signed_in, ada, scene, lose) -> None:
    scene.hook()
    for delivery in lose(count=2):
        scene.attempt(delivery, status=500, outcome="server_error")
        scene.put(delivery, state="failed")
    lose("cart.left")
    browser = signed_in(ada)

    page = browser.see(f"{NEW}?which=all&state=failed&status_class=5xx&since=24h&event_type=order.*")

    assert "2 deliveries will be sent" in words_of(page, "#preview")
    assert [" ".join(chip.get_text(" ", strip=True).split()) for chip in page.select(".chip")] == [
        "State Failed",
        "Status 5xx",
    ]
    answer = browser.submit(REPLAYS, hidden_of(page))
    assert "state failed · answered with 5xx" in words_of(browser.see(answer.location), ".lede")


def test_select_all_that_match_leads_here_with_the_filter(signed_in, ada, scene, lose) -> None:
    scene.hook()
    lose(count=51)
    browser = signed_in(ada)

    [link] = browser.see("/o/acme/deliveries?state=failed&event_type=order.*").select(f'.bulk a[href^="{NEW}"]')

    assert link.get_text() == "Replay all that match…"  # nothing tells cheaply how many: the preview counts
    assert "51 deliveries will be sent" in words_of(browser.see(link["href"]), "#preview")
    [link] = browser.see("/o/acme/deliveries?state=failed").select(f'.bulk a[href^="{NEW}"]')
    assert link.get_text() == "Replay all 51 that match…"
    [link] = browser.see("/o/acme/deliveries").select(f'.bulk a[href^="{NEW}"]')
    assert "which=all" in link["href"]


def test_the_time_since_a_hook_fails_can_be_chosen(signed_in, ada, scene, lose, work, clock) -> None:
    hook = scene.hook()
    lose()
    clock.advance(hours=5)
    worker = hire(work)
    scene.publish()
    for row in rows_of(claim(work, worker)):
        record(work, row, Outcome.SERVER_ERROR, status=500)
    for delivery in lose():
        assert delivery.hook_number == hook.number
    browser = signed_in(ada)

    [link] = browser.see(f"/o/acme/hooks/{hook.id}").select(f'#recent a[href^="{NEW}"]')
    page = browser.see(link["href"])

    assert page.select_one("#since-failing").has_attr("checked")
    assert "1 delivery will be sent" in words_of(page, "#preview")
    assert browser.see(NEW).select("#since-failing") == []


def test_exact_times_are_read_in_the_readers_zone_and_kept(signed_in, ada, scene, lose, clock) -> None:
    scene.hook()
    lose()
    browser = signed_in(ada)

    for start, count in (("2026-11-22T08:59", 1), ("2026-11-22T09:01", 0)):
        page = browser.see(f"{NEW}?since=exact&from={start}&until=2026-11-22T10:00", follow_redirects=True)
        assert page.select_one("#since-exact").has_attr("checked")
        assert page.select_one("#replay-from")["value"] == start
        assert (f"{count} delivery will be sent" in words_of(page, "#preview")) is bool(count)


@pytest.mark.parametrize(
    "query",
    [
        "event_type=a+*.b",
        "hook=nobody",
        "state=asleep",
        "replay=none",
        "since=yesterday",
        "since=exact&from=2026-11-22T09:00Z&until=2026-11-22T08:00Z",
        "status_class=9xx",
    ],
)
@pytest.mark.parametrize("headers", [{}, HTMX])
def test_what_cannot_be_read_is_said(signed_in, ada, query, headers) -> None:
    answer = signed_in(ada).get(f"{NEW}?{query}", headers=headers)

    assert answer.status_code == 422
    assert "data-error-summary" in answer.text


def test_what_was_previewed_is_started(signed_in, ada, scene, lose, work) -> None:
    hook = scene.hook()
    lose(count=2)
    lose("cart.left")
    browser = signed_in(ada)
    page = browser.see(f"{NEW}?which=failed&hook={hook.id}&event_type=order.*&since=24h")

    answer = browser.submit(REPLAYS, hidden_of(page))

    row = work.session.scalar(select(Replay))
    assert answer.location == f"{REPLAYS}/{row.id}"
    assert (row.which, row.hook_number, row.event_types) == ("failed", hook.number, ["order.*"])
    assert row.since == work.now() - timedelta(hours=24)
    assert row.author_number == ada.user.number
    assert "The replay has started." in browser.see(answer.location).get_text()


def test_a_form_that_changed_since_it_was_counted_shows_the_new_count_instead_of_sending(
    signed_in, ada, scene, lose, work
) -> None:
    scene.hook()
    lose(count=2)
    lose("cart.left")
    browser = signed_in(ada)
    form = hidden_of(browser.see(NEW))

    answer = browser.submit(REPLAYS, form | {"event_type": "cart.left"})

    page = browser.see(answer.location)
    assert work.session.scalars(select(Replay)).all() == []
    assert "Nothing was sent" in page.get_text()
    assert "1 delivery will be sent Failed deliveries of all hooks, of cart.left, made in the last 24 h." in words_of(
        page, "#preview"
    )


@pytest.mark.parametrize(
    "counted", ["", "x", "a b c d", "a 2026-11-22T09:00:00 1 1", "é 2026-11-22T09:00:00+00:00 ² 1"]
)
def test_what_was_never_counted_is_not_sent(signed_in, ada, scene, lose, work, counted) -> None:
    scene.hook()
    lose()
    browser = signed_in(ada)

    answer = browser.submit(REPLAYS, {"which": "failed", "counted": counted})

    assert answer.location.startswith(NEW)
    assert work.session.scalars(select(Replay)).all() == []


def test_an_old_count_is_made_anew(signed_in, ada, scene, lose, work, clock) -> None:
    scene.hook()
    lose()
    browser = signed_in(ada)
    form = hidden_of(browser.see(NEW))
    clock.advance(hours=2)

    browser.submit(REPLAYS, form)

    assert work.session.scalars(select(Replay)).all() == []


def test_what_came_after_the_count_is_not_sent(signed_in, ada, scene, lose, work) -> None:
    scene.hook()
    [counted] = lose()
    browser = signed_in(ada)
    form = hidden_of(browser.see(f"{NEW}?which=all"))
    lose()

    browser.submit(REPLAYS, form)

    row = work.session.scalar(select(Replay))
    assert (row.last_delivery, row.last_event) == (counted.number, counted.event_number)


def test_the_preview_button_leads_to_the_page_for_the_form_without_scripts(signed_in, ada, scene, lose) -> None:
    scene.hook()
    lose("cart.left")
    browser = signed_in(ada)

    answer = browser.submit(REPLAYS, hidden_of(browser.see(NEW)) | {"event_type": "cart.*", "preview": "1"})

    assert parse_qs(urlsplit(answer.location).query).keys() == {"which", "event_type", "since"}
    assert "Nothing was sent" not in browser.see(answer.location).get_text()


def test_the_preview_alone_is_swapped_while_somebody_uses_the_form(signed_in, ada, scene, lose) -> None:
    scene.hook()
    lose()
    browser = signed_in(ada)
    headers = HTMX | {"HX-Target": "preview"}

    typed = browser.get(f"{NEW}?which=all&event_type=order.*&hook=", headers=headers)
    chosen = browser.get(f"{NEW}?which=all", headers=headers | {"HX-Trigger-Name": "hook"})
    wrong = browser.get(f"{NEW}?event_type=a*.", headers=headers)

    assert soup_of(typed).select("#what-to-replay, #made") == []
    assert typed.headers["HX-Replace-Url"] == f"{NEW}?which=all&event_type=order.%2A"
    assert [part["id"] for part in soup_of(chosen).select("#preview, #made[hx-swap-oob]")] == ["preview", "made"]
    assert "data-error-summary" not in wrong.text  # it would take the focus away from who types


def test_the_preview_names_all_that_narrows_it(signed_in, ada, scene, lose) -> None:
    hook = scene.hook()
    lose()

    page = signed_in(ada).see(f"{NEW}?which=all&hook={hook.id}&event_type=order.*&since=8h&state=failed")

    words = "All deliveries of Shop, of order.*, made in the last 8 h, state Failed."
    assert words in words_of(page, "#preview")


def test_too_many_at_a_time_are_refused_in_words(signed_in, ada, scene, lose, begin) -> None:
    for _ in range(20):
        begin()
    scene.hook()
    lose()
    browser = signed_in(ada)

    answer = browser.submit(REPLAYS, hidden_of(browser.see(f"{NEW}?which=failed&hook=")))

    assert "20 replays are not over yet" in browser.see(answer.location).get_text()


def test_viewers_may_look_but_start_and_stop_nothing(signed_in, vi, begin) -> None:
    row = begin()
    browser = signed_in(vi)

    page = browser.see(f"{REPLAYS}/{row.id}")

    assert page.select("form[action$='/stop']") == []
    assert browser.get(NEW).status_code == 403
    for path in (REPLAYS, f"{REPLAYS}/{row.id}/stop", f"{REPLAYS}/{row.id}/resume"):
        assert browser.submit(path, {"which": "all"}).status_code == 403


def test_where_nothing_matches_and_no_condition_is_the_only_reason_that_is_said(signed_in, ada, scene) -> None:
    scene.hook()

    page = signed_in(ada).see(f"{NEW}?event_type=no.such")

    assert "Nothing matches, whichever one of the conditions is left out." in words_of(page, "#preview")
    assert not page.select("#preview .chip")


def test_what_is_still_retried_is_no_failure_and_its_place_is_named(signed_in, ada, scene, lose) -> None:
    hook = scene.hook()
    browser = signed_in(ada)
    scene.publish()

    nothing = browser.see(f"{NEW}?which=failed&hook={hook.id}")
    lose()
    some = browser.see(f"{NEW}?which=failed&hook={hook.id}")
    missing = browser.see(f"{NEW}?which=missing&hook={hook.id}")

    for page in (nothing, some):
        link = page.select_one("#preview a[href*='state=waiting']")
        assert link.get_text() == "1 delivery waits for the next attempt"
        assert "1 delivery" in str(browser.see(link["href"])) or browser.see(link["href"]).select("tbody .title-link")
    assert "Nothing to send" in nothing.get_text()
    assert "1 delivery will be sent" in some.get_text()
    assert missing.select("#preview a[href*='state=waiting']") == []


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("failed", "Filters are not asked again: all of these were sent before."),
        ("all", "Filters are asked only about events that a hook has missed; the rest was sent before."),
    ],
)
def test_the_preview_speaks_of_filters_only_where_a_hook_has_one(
    signed_in, ada, scene, lose, work, which, words
) -> None:
    hook = scene.hook()
    lose()
    browser = signed_in(ada)
    without = words_of(browser.see(f"{NEW}?which={which}"), "#preview")
    hooks.change(work, hook=hook, draft=HookDraft(filter="order"))

    assert "ilter" not in without
    assert words in words_of(browser.see(f"{NEW}?which={which}"), "#preview")
