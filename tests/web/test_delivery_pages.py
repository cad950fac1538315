"""One delivery with its attempts, and the way from one to the next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.core.signing import sign
from console.models import Delivery
from console.services.deliveries import deliveries
from console.services.hooks import hook_secrets
from console.services.organizations import defaults
from console.services.organizations.defaults import Choice
from tests.web.soup import soup_of

HTMX = {"HX-Request": "true"}
LOG = "/o/acme/deliveries"


# --- one delivery ---------------------------------------------------------------------------------------------------


def headline(page: BeautifulSoup) -> str:
    return " ".join(page.select_one("#live .panel-head").get_text().split())


@pytest.fixture
def delivery(scene) -> Delivery:
    scene.hook()
    return scene.publish()[0]


def test_a_waiting_delivery_says_why_how_often_and_when_next(signed_in, ada, scene, delivery, work) -> None:
    for number in range(1, 5):
        scene.attempt(delivery, number=number, status=None, outcome="timeout", charged=True, error="No answer.")
    scene.put(delivery, chain_failures=4, next_attempt_at=work.now() + timedelta(days=400))

    page = signed_in(ada).see(f"{LOG}/{delivery.id}")

    assert "No answer within 15 s, tried 4 of 11 times, next at" in headline(page)
    assert len(page.select(".timeline details")) == 4
    assert [details.has_attr("open") for details in page.select(".timeline details")] == [False, False, False, True]
    assert len(page.select(".timeline .planned")) == 7
    assert "raise the hook's timeout" in page.get_text()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": "pending", "attempt_count": 0}, "Not sent yet, first attempt"),
        ({"state": "sending", "attempt_count": 2}, "Attempt 2 is on its way."),
        (
            {"state": "delivered", "attempt_count": 1, "last_status": 200, "last_duration_ms": 143},
            "The receiver answered 200 in 143 ms, at the first attempt.",
        ),
        (
            {"state": "failed", "attempt_count": 11, "last_status": 503, "last_outcome": "server_error"},
            "The receiver answered 503, tried 11 times.",
        ),
        (
            {"state": "failed", "attempt_count": 1, "last_status": None, "last_outcome": "tls_error"},
            "TLS failed, tried 1 time.",
        ),
        ({"state": "held", "attempt_count": 0}, "The hook is disabled, never sent."),
        ({"state": "canceled", "attempt_count": 0}, "Never sent."),
    ],
)
def test_the_headline_is_a_sentence_in_every_state(signed_in, ada, scene, delivery, values, words) -> None:
    scene.put(delivery, **values)

    assert words in headline(signed_in(ada).see(f"{LOG}/{delivery.id}"))


@pytest.mark.parametrize(("state", "tone"), [("delivered", None), ("failed", "bad"), ("canceled", "off")])
def test_the_last_station_has_the_colour_of_the_end(signed_in, ada, scene, delivery, state, tone) -> None:
    scene.put(delivery, state=state, finished_at=delivery.created_at)

    last = signed_in(ada).see(f"{LOG}/{delivery.id}").select(".strip > li")[-1]

    assert last["class"] == ["done", *([tone] if tone else [])]


def test_an_attempt_shows_what_was_sent_and_what_came_back(signed_in, ada, scene, delivery) -> None:
    scene.attempt(delivery)
    scene.put(delivery, state="delivered")

    page = signed_in(ada).see(f"{LOG}/{delivery.id}")
    text = page.get_text()

    for words in (delivery.url, "webhook-id", '"ok"', "nginx", "HTTP 200", "203.0.113.7", "TLS", "First byte"):
        assert words in text
    command = next(button["data-copy"] for button in page.select("button.copy") if "Copy as curl" in button.get_text())
    assert "curl --globoff" in command
    assert "-H 'webhook-signature: <webhook-signature>'" in command
    assert '--data-raw \'{"type":"order.paid"' in command
    assert "••" not in command


def test_a_response_is_shown_in_the_charset_that_it_names(signed_in, ada, scene, delivery) -> None:
    scene.attempt(
        delivery,
        response_headers=[("content-type", "text/plain; charset=iso-8859-1")],
        response_body="Grüße aus Köln".encode("latin-1"),
    )

    text = signed_in(ada).see(f"{LOG}/{delivery.id}").get_text()

    assert "Grüße aus Köln" in text
    assert "These bytes are no text" not in text


def test_bytes_that_had_to_be_replaced_are_said_to_be(signed_in, ada, scene, delivery) -> None:
    scene.attempt(
        delivery,
        response_headers=[],
        response_body="Viele Grüße aus einer Stadt am Rhein, in der es warm ist".encode("latin-1"),
    )

    assert "Some bytes are not valid UTF-8" in signed_in(ada).see(f"{LOG}/{delivery.id}").get_text()


def test_peers_are_for_admins_and_answers_for_editors(signed_in, ada, ed, vi, scene, delivery) -> None:
    scene.attempt(delivery)
    path = f"{LOG}/{delivery.id}"

    seen = {person.user.username: signed_in(person).see(path).get_text() for person in (ada, ed, vi)}

    assert ["203.0.113.7" in seen[name] for name in ("ada", "ed", "vi")] == [True, False, False]
    assert ['"ok"' in seen[name] for name in ("ada", "ed", "vi")] == [True, True, False]
    assert "Editors and admins see the body" in seen["vi"]


def test_bodies_are_downloaded_as_attachments_that_no_browser_runs(signed_in, ada, vi, scene, delivery) -> None:
    scene.attempt(delivery, response_body=b"<script>alert(1)</script>")
    browser = signed_in(ada)

    sent = browser.get(f"{LOG}/{delivery.id}/request-body")
    got = browser.get(f"{LOG}/{delivery.id}/attempts/1/response-body")

    assert sent.data == deliveries.body_of(delivery).data
    assert got.data == b"<script>alert(1)</script>"
    for answer in (sent, got):
        assert answer.mimetype == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert signed_in(vi).get(f"{LOG}/{delivery.id}/attempts/1/response-body").status_code == 403
    assert browser.get(f"{LOG}/{delivery.id}/attempts/2/response-body").status_code == 404


def test_chains_are_told_apart_and_say_who_resent(signed_in, ada, scene, delivery) -> None:
    scene.attempt(delivery, status=503, outcome="server_error")
    scene.put(delivery, state="failed")
    browser = signed_in(ada)
    browser.submit(f"{LOG}/{delivery.id}/resend")
    scene.attempt(delivery, number=2, chain=2, trigger="resend")

    page = browser.see(f"{LOG}/{delivery.id}")

    assert [chain.get_text(strip=True) for chain in page.select(".timeline .chain")] == [
        "Automatic",
        "Resent by ada@example.com (Ada)",
    ]


def test_the_live_part_is_204_until_something_changes_and_stops_when_final(signed_in, ada, scene, delivery) -> None:
    browser = signed_in(ada)
    url = browser.see(f"{LOG}/{delivery.id}").select_one("#live")["hx-get"]

    assert browser.get(url, headers=HTMX).status_code == 204
    scene.attempt(delivery)
    scene.put(delivery, state="delivered", finished_at=scene.work.now())
    answer = browser.get(url, headers=HTMX)

    part = soup_of(answer)
    assert part.select_one("#live").get("hx-get") is None
    assert part.select_one("#attempts[hx-swap-oob]") is not None
    assert part.select_one("#actions[hx-swap-oob]") is not None
    assert "HX-Request" in answer.headers["Vary"]


def test_after_half_a_minute_the_page_looks_less_often(signed_in, ada, delivery, clock) -> None:
    browser = signed_in(ada)
    url = browser.see(f"{LOG}/{delivery.id}").select_one("#live")["hx-get"]

    clock.advance(seconds=31)
    part = soup_of(browser.get(url, headers=HTMX)).select_one("#live")

    assert part["hx-trigger"].startswith("every 5s")
    assert browser.get(part["hx-get"], headers=HTMX).status_code == 204


@pytest.mark.parametrize("path", ["", "/live", "/request-body", "/attempts/1/response-body", "?confirm=resend"])
def test_deliveries_of_others_are_not_there(signed_in, ada, elsewhere, path) -> None:
    elsewhere.hook()
    (theirs,) = elsewhere.publish()
    elsewhere.attempt(theirs)

    assert signed_in(ada).get(f"{LOG}/{theirs.id}{path}").status_code == 404


def test_deliveries_of_others_are_not_resent(signed_in, ada, elsewhere, work) -> None:
    hook = elsewhere.hook()
    (theirs,) = elsewhere.publish()
    browser = signed_in(ada)

    assert browser.submit(f"{LOG}/{theirs.id}/resend").status_code == 404
    browser.submit(f"{LOG}/resend", {"ids": [str(theirs.id)]})
    assert browser.get(f"/o/acme/hooks/{hook.id}/deliveries").status_code == 404
    assert work.session.scalar(select(Delivery.chain).where(Delivery.number == theirs.number)) == 1


# --- one attempt, and the way through the list ----------------------------------------------------------------------


@pytest.fixture
def tried(scene, work) -> Delivery:
    """A delivery that failed once and arrived at the second attempt."""
    scene.hook()
    (delivery,) = scene.publish()
    scene.attempt(delivery, number=1, status=503, outcome="server_error", response_body=b"down for now")
    stamp = [["webhook-id", str(delivery.id)], ["webhook-timestamp", str(int(work.now().timestamp()))]]
    scene.attempt(delivery, number=2, request_headers=[*stamp, ["webhook-signature", "••••••"]])
    return scene.put(delivery, state="delivered", next_attempt_at=None)


def test_only_the_latest_attempt_is_there_at_once_and_others_are_fetched(signed_in, ada, tried) -> None:
    browser = signed_in(ada)
    page = browser.see(f"{LOG}/{tried.id}")

    earlier, latest = page.select(".timeline > li > details")
    fetched = browser.get(earlier.select_one("[hx-get]")["hx-get"], headers=HTMX)

    assert "down for now" not in page.get_text()
    assert latest.has_attr("open")
    assert "down for now" in fetched.text
    assert "<html" not in fetched.text


def test_an_attempt_has_an_address_of_its_own(signed_in, ada, tried) -> None:
    browser = signed_in(ada)
    link = browser.see(f"{LOG}/{tried.id}").select_one(".timeline a[href*='attempt=1']")

    page = browser.see(link["href"].split("#")[0])
    plain = browser.get(f"{LOG}/{tried.id}/attempts/1")

    assert "down for now" in page.select_one("#attempt-1 details[open]").get_text()
    assert page.select_one("#attempt-2 details[open]") is None
    assert plain.location == f"{LOG}/{tried.id}?attempt=1#attempt-1"


@pytest.mark.parametrize("number", ["3", "0", "99999999999999999999"])
def test_an_attempt_that_was_not_made_is_not_found(signed_in, ada, tried, number) -> None:
    browser = signed_in(ada)

    assert browser.get(f"{LOG}/{tried.id}/attempts/{number}", headers=HTMX).status_code == 404
    assert browser.see(f"{LOG}/{tried.id}?attempt={number}").select_one("#attempt-2 details[open]") is not None


def test_the_signature_of_each_secret_is_there_to_compare(signed_in, ada, vi, tried, work) -> None:
    hook = tried.hook
    old = hook_secrets.secrets_of(work, hook)[0][1]
    work.clock.advance(minutes=1)
    new = hook_secrets.rotate(work, hook=hook, overlap_s=3600).secret
    body = deliveries.body_of(tried).data
    stamp = int(tried.attempts[1].request_headers[1][1])
    expected = [sign(message_id=str(tried.id), timestamp=stamp, body=body, secrets=[one]) for one in (new, old)]

    page = signed_in(ada).see(f"{LOG}/{tried.id}").select_one("#attempt-2")

    assert [code.get_text() for code in page.select("li > code")] == expected
    assert "it did not sign it" in page.get_text()
    assert f"{tried.id}.{stamp}." in page.get_text()
    assert expected[0] not in signed_in(vi).get(f"{LOG}/{tried.id}").text


def test_newer_and_older_keep_to_the_filter_the_delivery_was_opened_from(signed_in, ada, five, scene) -> None:
    first, last = five[0], five[4]
    for one in (first, five[2], last):
        scene.put(one, state="failed")
    browser = signed_in(ada)

    page = browser.see(f"{LOG}/{five[2].id}?state=failed")
    newer, older = page.select(".neighbours a")

    assert (newer["href"], newer["rel"]) == (f"{LOG}/{last.id}?state=failed", ["prev"])
    assert (older["href"], older["rel"]) == (f"{LOG}/{first.id}?state=failed", ["next"])
    assert page.select_one(".crumbs a")["href"] == f"{LOG}?state=failed"
    assert [link.get_text() for link in browser.see(f"{LOG}/{last.id}").select(".neighbours a")] == ["Older"]


@pytest.mark.parametrize("query", ["?state=nonsense", "?since=yesterday", "?event_type=*.x.*", "?hook=nobody"])
def test_a_filter_that_makes_no_sense_does_not_hide_the_delivery(signed_in, ada, five, query) -> None:
    assert signed_in(ada).see(f"{LOG}/{five[2].id}{query}").select(".neighbours") == []


# --- how long it is kept ----------------------------------------------------------------------------------------------


def test_a_delivery_says_how_long_it_is_kept(signed_in, ada, scene, delivery, work) -> None:
    defaults.change(work, organization=ada.organization, choice=Choice(retention_days=7))
    browser = signed_in(ada)
    waiting = browser.see(f"{LOG}/{delivery.id}")
    scene.put(delivery, state="delivered", next_attempt_at=None, finished_at=work.now())

    ended = browser.see(f"{LOG}/{delivery.id}")

    assert "Kept 7 days after it ends" in " ".join(waiting.select_one("aside").get_text(" ", strip=True).split())
    until = work.now() + timedelta(days=7)
    assert f"at least until {until:%A} {until.day} {until:%B}" in " ".join(ended.select_one("aside").get_text().split())
