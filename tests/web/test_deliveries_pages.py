"""The log of deliveries, its tail, and what people do with them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import update

from console.models import BrowserSession
from console.services.deliveries import deliveries
from console.services.hooks import hook_tests, hooks
from tests.web.soup import soup_of

HTMX = {"HX-Request": "true"}
LOG = "/o/acme/deliveries"


def rows_of(soup: BeautifulSoup) -> list[str]:
    return [" ".join(row.get_text().split()) for row in soup.select("tbody tr:not(.day)")]


def states_of(soup: BeautifulSoup) -> list[str]:
    return [badge.get_text(strip=True) for badge in soup.select("tbody .badge")]


# --- the log --------------------------------------------------------------------------------------------------------


def test_the_empty_log_says_what_a_delivery_is_and_what_to_do(signed_in, ada) -> None:
    page = signed_in(ada).see(LOG)

    assert "No deliveries yet" in page.get_text()
    assert page.select_one('a[href="/o/acme/events/publish"]') is not None


def test_a_row_says_state_event_hook_attempts_answer_duration_and_next_attempt(signed_in, ada, scene, work) -> None:
    scene.hook()
    (delivery,) = scene.publish()
    scene.attempt(delivery, outcome="server_error", status=503, duration_ms=88)
    scene.put(delivery, next_attempt_at=work.now() + timedelta(days=400))

    page = signed_in(ada).see(LOG)

    (row,) = rows_of(page)
    for words in ("Waiting", "order.paid", "Shop", "1/11", "503", "88 ms", "in "):
        assert words in row
    assert f"/o/acme/deliveries/{delivery.id}" in [link["href"] for link in page.select("tbody a")]


def test_tests_and_resends_are_marked(signed_in, ada, scene, work) -> None:
    hook = scene.hook()
    (delivery,) = scene.publish()
    deliveries.resend(work, delivery=delivery)
    hook_tests.send(work, hook=hook)

    page = signed_in(ada).see(LOG)

    assert [tag.get_text() for tag in page.select("tbody .tag")] == ["test", "resend"]


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("", ["Canceled", "Held", "Failed", "Waiting", "Delivered"]),
        ("state=delivered", ["Delivered"]),
        ("state=waiting", ["Waiting"]),
        ("state=failed", ["Failed"]),
        ("state=held", ["Held"]),
        ("state=canceled", ["Canceled"]),
        ("state=pending", ["Waiting"]),
        ("status_class=2xx", ["Delivered"]),
        ("status_class=none", ["Failed"]),
        ("outcome=timeout", ["Failed"]),
        ("event_type=order.*&state=held", ["Held"]),
        ("q=3", ["Held"]),
        ("since=1h&state=held", ["Held"]),
        ("from=2026-11-22T08:00Z&until=2026-11-22T10:00Z&state=held", ["Held"]),
    ],
)
def test_the_log_is_narrowed_by_its_query_string(signed_in, ada, five, query, states) -> None:
    page = signed_in(ada).see(f"{LOG}?{query}")

    shown = states_of(page)
    assert sorted(shown) == sorted(states) if query == "q=3" else shown == states


def test_chips_say_which_filters_hold_and_take_each_away(signed_in, ada, five) -> None:
    page = signed_in(ada).see(f"{LOG}?state=failed&event_type=order.*&q=")

    chips = {chip.span.get_text(" ", strip=True): chip.a["href"] for chip in page.select(".chip")}
    assert chips == {"State Failed": f"{LOG}?event_type=order.%2A", "Event type order.*": f"{LOG}?state=failed"}


def test_no_match_names_the_filters_and_how_many_there_are_without(signed_in, ada, five) -> None:
    page = signed_in(ada).see(f"{LOG}?event_type=nothing.like.this")

    text = " ".join(page.get_text(" ", strip=True).split())
    assert "Nothing matches" in text
    assert "Without this filter there are 5 deliveries." in text
    assert [link["href"] for link in page.select(".blank a")] == [LOG]


@pytest.mark.parametrize(
    "query",
    [
        "state=nonsense",
        "event_type=a.*.b",
        "event_type=<script>",
        "status_class=9xx",
        "since=yesterday",
        "from=0001-01-01T00:00:00%2B23:59",
        "hook=nonsense",
        "hook=00000000-0000-7000-8000-000000000000",
        "from=2026-11-22T10:00Z&until=2026-11-22T09:00Z",
    ],
)
def test_a_filter_that_cannot_be_read_is_said_and_the_form_stays(signed_in, ada, five, query) -> None:
    answer = signed_in(ada).get(f"{LOG}?{query}")

    page = soup_of(answer)
    assert answer.status_code == 422
    assert page.select_one('[role="alert"] a')["href"] == LOG
    assert page.select("form[method=get] [name=event_type]")


def test_the_log_of_one_hook_has_its_own_address_also_when_the_hook_is_deleted(signed_in, ada, scene, work) -> None:
    hook, other = scene.hook(name="One"), scene.hook(name="Other")
    scene.publish()
    hooks.delete(work, hook=hook)

    browser = signed_in(ada)
    page = browser.see(f"/o/acme/hooks/{hook.id}/deliveries")

    assert "Deliveries of One" in page.h1.get_text()
    assert "was deleted" in page.get_text()
    assert len(rows_of(page)) == 1
    assert len(rows_of(browser.see(f"{LOG}?hook={other.id}"))) == 1


def test_long_logs_turn_by_cursors_and_end_with_the_retention(signed_in, ada, scene, monkeypatch) -> None:
    from console.web import lists

    monkeypatch.setattr(lists.turn, "__kwdefaults__", {**lists.turn.__kwdefaults__, "limit": 2})
    scene.hook()
    made = [scene.publish(object_pk=str(number))[0].number for number in range(5)]
    browser = signed_in(ada)

    def numbers(page):
        return [int(row["id"].removeprefix("delivery-")) for row in page.select("tbody tr[id]")]

    first = browser.see(f"{LOG}?state=waiting")
    second = browser.see(first.select_one("a[rel=next]")["href"])
    third = browser.see(second.select_one("a[rel=next]")["href"])
    back = browser.see(third.select_one("a[rel=prev]")["href"])

    assert [numbers(page) for page in (first, second, third, back)] == [
        made[:2:-1],
        made[2:0:-1],
        made[:1],
        made[2:0:-1],
    ]
    assert "older than 30 days are deleted" in third.get_text()
    assert first.select_one("a[rel=prev]") is None


def test_htmx_gets_the_log_alone_and_an_address_without_empty_parameters(signed_in, ada, five) -> None:
    answer = signed_in(ada).get(f"{LOG}?state=failed&hook=&q=", headers=HTMX)

    assert "<html" not in answer.text
    assert soup_of(answer).select_one("#log") is not None
    assert answer.headers["HX-Push-Url"] == f"{LOG}?state=failed"
    assert "HX-Request" in answer.headers["Vary"]


# --- the tail -------------------------------------------------------------------------------------------------------


def news_of(answer) -> BeautifulSoup:
    """Give what a poll brought; the templates in it are htmx's way to carry rows, and closed to selectors."""
    return BeautifulSoup(re.sub("</?template>", "", answer.text), "html.parser")


def tail_of(soup: BeautifulSoup) -> str:
    return str(soup.select_one("#tail")["hx-get"])


def test_new_rows_come_once_and_nothing_new_is_204(signed_in, ada, five, scene) -> None:
    browser = signed_in(ada)
    url = tail_of(browser.see(LOG))

    assert browser.get(url, headers=HTMX).status_code == 204
    (delivery,) = scene.publish()
    answer = news_of(browser.get(url, headers=HTMX))

    assert [row["id"] for row in answer.select("tbody[hx-swap-oob='afterbegin:#fresh'] tr")] == [
        f"delivery-{delivery.number}"
    ]
    assert browser.get(tail_of(answer), headers=HTMX).status_code == 204


def test_the_tail_brings_rows_that_stand_differently_now(signed_in, ada, five, scene) -> None:
    browser = signed_in(ada)
    url = tail_of(browser.see(LOG))
    scene.put(five[1], state="delivered", next_attempt_at=None)

    answer = news_of(browser.get(url, headers=HTMX))

    (row,) = answer.select("tr[hx-swap-oob=true]")
    assert row["id"] == f"delivery-{five[1].number}"
    assert "Delivered" in row.get_text()
    assert not answer.select("#fresh, tbody[hx-swap-oob]")
    assert browser.get(tail_of(answer), headers=HTMX).status_code == 204


def test_the_tail_keeps_to_the_filter(signed_in, ada, five, scene) -> None:
    other = scene.hook(name="Other", all_events=False, event_types=["shipment.sent"])
    browser = signed_in(ada)
    of_type = tail_of(browser.see(f"{LOG}?event_type=order.*&tail=1"))
    of_hook = tail_of(browser.see(f"/o/acme/hooks/{other.id}/deliveries"))

    scene.publish("shipment.sent")

    assert browser.get(of_type, headers=HTMX).status_code == 204
    answer = browser.get(of_hook, headers=HTMX)
    assert "show" in soup_of(answer).select_one("[data-relist]").get_text()
    assert soup_of(answer).a["href"] == f"/o/acme/hooks/{other.id}/deliveries"


def test_too_many_new_rows_and_those_of_another_day_are_a_new_list(signed_in, ada, five, scene, clock, session) -> None:
    browser = signed_in(ada)
    url = tail_of(browser.see(f"{LOG}?tail=1&state=waiting"))

    clock.advance(days=1)
    session.execute(update(BrowserSession).values(seen_at=clock.now()))
    scene.publish()
    answer = soup_of(browser.get(url, headers=HTMX))

    link = answer.select_one("#tail > a[data-relist]")
    assert link.get_text(strip=True) == "1 new delivery: show"
    assert link["href"] == f"{LOG}?tail=1&state=waiting"
    assert not answer.select("[data-poll]")


def test_a_past_period_and_older_pages_have_no_tail(signed_in, ada, five) -> None:
    browser = signed_in(ada)

    for query in ("?until=2027-01-01T00:00Z", f"?before={five[3].number}"):
        page = browser.see(LOG + query)
        assert page.select_one("#tail") is None
        assert page.select_one("#filter-tail").has_attr("disabled")


@pytest.mark.parametrize(
    "query", ["", "?after=x", "?after=1&since=yesterday", "?after=1&event_type=a.*.b", "?after=1&hook=x"]
)
def test_a_tail_that_makes_no_sense_is_quiet(signed_in, ada, five, query: str) -> None:
    assert signed_in(ada).get(f"{LOG}/tail{query}", headers=HTMX).status_code == 204


def test_the_tail_shows_nothing_of_strangers(signed_in, ada, five, elsewhere) -> None:
    elsewhere.hook()
    (foreign,) = elsewhere.publish()

    answer = signed_in(ada).get(f"{LOG}/tail?after={five[-1].number}&open={foreign.number}x1", headers=HTMX)

    assert answer.status_code == 204


def test_rows_take_the_filter_along(signed_in, ada, five) -> None:
    page = signed_in(ada).see(f"{LOG}?state=failed&q=&tail=1")

    assert page.select_one("tbody a.title-link")["href"] == f"{LOG}/{five[2].id}?state=failed"


def test_the_query_string_cannot_speak_to_the_links(signed_in, ada, five) -> None:
    page = signed_in(ada).see(f"{LOG}?_external=1&_scheme=javascript&organization=elsewhere&_anchor=x")

    for link in page.select("a[href], [hx-get]"):
        address = link.get("href") or link["hx-get"]
        assert address.startswith(("/", "#"))
        assert not address.startswith("//")


# --- doing ----------------------------------------------------------------------------------------------------------


def test_the_selected_ones_that_wait_are_canceled_after_a_page_that_asks(signed_in, ada, five, elsewhere, work) -> None:
    elsewhere.hook()
    (foreign,) = elsewhere.publish()
    browser = signed_in(ada)
    (button,) = browser.see(LOG).select(".bulk button[formaction]")

    asked = browser.submit(button["formaction"], {"ids": [str(one.id) for one in [*five, foreign]]})

    work.session.expire_all()
    assert [one.state for one in five] == ["delivered", "pending", "failed", "held", "canceled"]
    form = BeautifulSoup(asked.text, "html.parser").find("button", string="Cancel 2 deliveries").find_parent("form")
    ids = [one["value"] for one in form.select("[name=ids]")]
    answer = browser.submit(form["action"], {"ids": ids, "confirmed": form.select_one("[name=confirmed]")["value"]})

    work.session.expire_all()
    assert [one.state for one in five] == ["delivered", "canceled", "failed", "canceled", "canceled"]
    assert foreign.state == "pending"
    page = browser.get(answer.location).text
    assert "2 deliveries are canceled." in page
    assert "4 others that you selected are not waiting" in asked.text


def test_canceled_deliveries_have_a_preset_of_their_own(signed_in, ada, five) -> None:
    browser = signed_in(ada)
    preset = browser.see(LOG).select_one("nav[aria-label=State]").find("a", string="Canceled")

    assert [row["id"] for row in browser.see(preset["href"]).select("tr[id^=delivery-]")] == [
        f"delivery-{five[4].number}"
    ]


def test_viewers_cancel_nothing(signed_in, vi, five, work) -> None:
    answer = signed_in(vi).submit(f"{LOG}/cancel", {"ids": [str(five[1].id)]})

    work.session.expire_all()
    assert answer.status_code == 403
    assert five[1].state == "pending"


def test_the_selected_ones_are_resent_in_one_form(signed_in, ada, five, work) -> None:
    browser = signed_in(ada)
    form = browser.see(LOG).select_one("form[data-bulk]")
    assert form["action"] == f"{LOG}/resend"
    back = form.select_one("[name=back]")["value"]

    answer = browser.submit(form["action"], {"ids": [str(one.id) for one in five[:3]], "back": back})

    assert answer.status_code == 303
    assert answer.location == LOG
    assert "3 deliveries are sent now." in browser.see(LOG).get_text()


def test_a_resend_says_when_the_hook_is_switched_off(signed_in, ada, scene, work) -> None:
    hook = scene.hook(name="Shop")
    hooks.disable(work, hook=hook)
    held, other = scene.publish()[0], scene.publish()[0]
    browser = signed_in(ada)
    [button] = browser.see(f"{LOG}?state=held").select(f"#delivery-{held.number} [data-key=e]")
    assert "although its hook is switched off" in button["title"]

    in_list = browser.submit(f"{LOG}/{held.id}/resend", {"row": "selectable"}, htmx=True)
    on_page = browser.submit(f"{LOG}/{other.id}/resend")

    words = "Shop is switched off; this delivery is sent now, with the same webhook-id, all the same."
    assert words in in_list.headers["HX-Trigger"]
    assert words in browser.see(on_page.location).get_text()
    assert "paused" not in soup_of(in_list).get_text()
    assert held.state == "pending"
    browser.submit(f"{LOG}/resend", {"ids": [str(held.id), str(other.id)]})
    assert "2 of them go to a hook that is switched off, all the same." in browser.see(LOG).get_text()


def test_cancel_is_offered_for_what_waits(signed_in, ada, five) -> None:
    page = signed_in(ada).see(LOG)

    waiting = [tick.find_parent("tr")["id"] for tick in page.select("[name=ids][data-waits]")]
    assert sorted(waiting) == sorted(f"delivery-{five[place].number}" for place in (1, 3))
    assert page.select_one(".bulk [data-needs]")["formaction"] == f"{LOG}/cancel"
    assert page.select_one(".bulk [type=reset]").get_text() == "Clear selection"


def test_what_failed_is_counted_and_leads_to_the_replay_of_it(signed_in, ada, scene, lose) -> None:
    hook = scene.hook()
    scene.hook(name="Second")
    lose(count=2)
    scene.publish()
    browser = signed_in(ada)

    for address, count in (
        (f"{LOG}?state=failed", 4),
        (f"/o/acme/hooks/{hook.id}/deliveries?state=failed&since=24h", 2),
    ):
        page = browser.see(address)
        [link] = [link for link in page.select("#log a.button") if "Resend all" in link.get_text()]
        assert f"{count} failed" in page.select_one("#log").get_text()
        assert link.get_text() == f"Resend all {count}…"
        assert f"{count} deliveries will be sent" in browser.see(link["href"]).get_text()
    assert "Resend all…" in browser.see(f"{LOG}?state=failed&event_type=order.*").get_text()
    assert "Resend all" not in browser.see(LOG).get_text()


def test_resending_nothing_says_to_select_first(signed_in, ada, five) -> None:
    browser = signed_in(ada)

    answer = browser.submit(f"{LOG}/resend", {"ids": ["nonsense"], "back": "//evil.example"})

    assert answer.location == LOG
    assert "Select at least one" in browser.see(LOG).get_text()


def test_a_row_is_resent_in_place(signed_in, ada, five, work) -> None:
    browser = signed_in(ada)
    url = f"{LOG}/{five[2].id}/resend"

    plain = browser.submit(url)
    swapped = browser.submit(url, {"row": "selectable"}, htmx=True)

    assert plain.location == f"{LOG}/{five[2].id}"
    assert swapped.status_code == 200
    assert soup_of(swapped).select_one(f"tr#delivery-{five[2].number} [name=ids]") is not None
    assert "toasts" in swapped.headers["HX-Trigger"]
    assert five[2].state == "pending"


def test_a_waiting_delivery_is_sent_now_or_canceled(signed_in, ada, scene, work, clock, ring) -> None:
    scene.hook()
    (delivery,) = scene.publish()
    scene.put(delivery, next_attempt_at=clock.now() + timedelta(hours=1))
    browser = signed_in(ada)

    browser.submit(f"{LOG}/{delivery.id}/send-now")
    work.session.refresh(delivery)
    assert delivery.next_attempt_at == clock.now()

    browser.submit(f"{LOG}/{delivery.id}/cancel")
    work.session.refresh(delivery)
    assert delivery.state == "canceled"
    assert browser.submit(f"{LOG}/{delivery.id}/cancel").status_code == 303
    assert "has ended already" in browser.see(f"{LOG}/{delivery.id}").get_text()


def test_a_delivery_that_arrived_is_resent_after_a_page_that_says_so(signed_in, ada, five) -> None:
    browser = signed_in(ada)

    page = browser.see(f"{LOG}/{five[0].id}?confirm=resend")

    assert "already delivered" in page.get_text()
    assert page.select_one("main form")["action"] == f"{LOG}/{five[0].id}/resend"


@pytest.mark.parametrize("path", ["resend", "send-now", "cancel"])
def test_viewers_change_nothing(signed_in, vi, five, work, path) -> None:
    before = [(one.state, one.chain) for one in five]

    answer = signed_in(vi).submit(f"{LOG}/{five[1].id}/{path}")

    assert answer.status_code == 403
    for one in five:
        work.session.refresh(one)
    assert [(one.state, one.chain) for one in five] == before


def test_viewers_see_no_buttons_and_no_checkboxes(signed_in, vi, five) -> None:
    browser = signed_in(vi)

    assert browser.see(LOG).select("main table [type=checkbox], main form[method=post] button") == []
    assert browser.see(f"{LOG}/{five[1].id}").select("main form[method=post]") == []
