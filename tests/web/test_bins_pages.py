"""The receiver: bins, what they caught, how they answer, and their addresses that anybody may send to."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

import pytest
from sqlalchemy import select

from console.core import signing
from console.models import Bin
from console.services.bins import bins, catching
from console.services.deliveries import deliveries
from console.services.hooks import hook_secrets
from tests.apps import others_waiting
from tests.web.soup import soup_of

HTMX = {"HX-Request": "true"}
BINS = "/o/acme/bins"


@pytest.fixture
def bin_(work, ada) -> Bin:
    return bins.create(work, organization=ada.organization, name="Shop test")


@pytest.fixture
def catch(work, clock):
    """Let a bin catch a request: ``catch(bin_, body=b"…")``."""

    def catch(caught_in: Bin, **fields):
        known = {"method": "POST", "path": f"/in/{caught_in.key}", "headers": [("X-A", "b")], "body": b'{"n": 1}'}
        catching.catch(work, key=caught_in.key, **{**known, **fields})
        clock.advance(seconds=1)

    return catch


# --- the list -------------------------------------------------------------------------------------------------------


def test_without_bins_the_page_says_what_one_is_and_has_the_form(signed_in, ada, vi) -> None:
    page = signed_in(ada).see(BINS)

    assert "No bins yet" in page.get_text()
    assert page.select_one("#new-bin form") is not None
    assert signed_in(vi).see(BINS).select("#new-bin") == []


def test_a_bin_is_made_and_shown_with_its_address(signed_in, ada, work) -> None:
    browser = signed_in(ada)

    answer = browser.submit(BINS, {"name": "Mine", "is_pinned": "y"})

    made = work.session.scalar(select(Bin))
    page = browser.see(answer.location)
    assert made.expires_at is None
    assert f"http://hookyard.test/in/{made.key}" in page.get_text()
    assert page.select_one(f'a[href="/o/acme/hooks/new?bin={made.id}"]') is not None
    assert "Waiting for the first request" in page.get_text()


@pytest.mark.parametrize("htmx", [False, True])
def test_a_bin_without_a_name_is_refused_with_the_form(signed_in, ada, htmx) -> None:
    answer = signed_in(ada).submit(BINS, {"name": ""}, htmx=htmx)

    assert answer.status_code == 422
    assert 'id="name-error-1"' in answer.text
    assert "data-error-summary" in answer.text
    assert ("<html" in answer.text) is not htmx


def test_the_list_counts_requests_and_says_how_each_bin_answers(signed_in, ada, bin_, catch, work) -> None:
    bins.change(work, changed=bin_, answer_status=429, retry_after_s=30, fail_next=2)
    catch(bin_)

    row = signed_in(ada).see(BINS).select_one("tbody tr").get_text(" ", strip=True)

    assert "Answers 429, Retry-After 30 s; fails the next 1 request with 500" in row


# --- one bin --------------------------------------------------------------------------------------------------------


def test_a_request_is_shown_with_everything_it_brought(signed_in, ada, bin_, catch) -> None:
    catch(bin_, method="PUT", path=f"/in/{bin_.key}?a=1", headers=[("X-Shop", "seven")], body=b'{"total": 1.10}')

    page = signed_in(ada).see(f"{BINS}/{bin_.id}")

    text = page.select_one("#caught").get_text()
    for words in ("PUT", "?a=1", "X-Shop", "seven", "1.10", "Not signed", "The request carries no signature."):
        assert words in text
    assert page.select_one("#caught details").has_attr("open")


def test_a_signed_request_says_so_names_its_delivery_and_what_it_repeats(
    signed_in, ada, bin_, catch, scene, work, clock
) -> None:
    hook = scene.hook(url=f"http://hookyard.test/in/{bin_.key}")
    (delivery,) = scene.publish()
    body = deliveries.body_of(delivery).data
    secret = hook_secrets.secrets_of(work, hook)[0][1]
    for _ in range(2):
        now = int(clock.now().timestamp())
        signature = signing.sign(message_id=str(delivery.id), timestamp=now, body=body, secrets=[secret])
        named = {"webhook-id": str(delivery.id), "webhook-timestamp": str(now), "webhook-signature": signature}
        catch(bin_, headers=list(named.items()), body=body)

    page = signed_in(ada).see(f"{BINS}/{bin_.id}")

    newest, oldest = page.select("#caught > li")
    assert "Signature valid" in newest.get_text()
    assert "same webhook-id" in newest.get_text()
    assert "same webhook-id" not in oldest.get_text()
    assert newest.select_one(f'a[href="/o/acme/deliveries/{delivery.id}"]') is not None
    assert newest.select_one(f'a[href="#{oldest["id"]}"]') is not None
    secrets = signed_in(ada).see(f"/o/acme/hooks/{hook.id}/secret").select_one(".items li")
    assert "verified in a bin 1 s ago" in " ".join(secrets.get_text().split())


def test_the_poll_brings_what_is_new_and_is_204_otherwise(signed_in, ada, bin_, catch) -> None:
    catch(bin_)
    browser = signed_in(ada)
    url = browser.see(f"{BINS}/{bin_.id}").select_one("#poller")["hx-get"]

    assert browser.get(url, headers=HTMX).status_code == 204
    catch(bin_, body=b"second")
    part = soup_of(browser.get(url, headers=HTMX))

    assert len(part.select('ol[hx-swap-oob="afterbegin:#caught"] > li')) == 1
    assert "2 requests" in part.select_one("#poller").get_text()
    assert browser.get(part.select_one("#poller")["hx-get"], headers=HTMX).status_code == 204


def test_bytes_that_are_no_text_are_downloaded(signed_in, ada, bin_, catch) -> None:
    catch(bin_, body=bytes(range(256)))
    browser = signed_in(ada)
    page = browser.see(f"{BINS}/{bin_.id}")

    link = page.select_one("#caught a[href$='/body']")
    answer = browser.get(link["href"])

    assert "These bytes are no text" in page.get_text()
    assert answer.data == bytes(range(256))
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment;")


def test_the_answer_is_chosen_in_a_form_that_ready_made_answers_fill_in(signed_in, ada, bin_, work) -> None:
    browser = signed_in(ada)
    page = browser.see(f"{BINS}/{bin_.id}/edit?like=busy")
    assert page.select_one("#answer_status")["value"] == "429"
    assert page.select_one("#retry_after_s")["value"] == "30"

    answer = browser.submit(
        f"{BINS}/{bin_.id}/edit",
        {
            "name": "Shop test",
            "answer_status": "503",
            "answer_body": "one\r\ntwo",
            "retry_after_s": "",
            "delay_ms": "5",
            "fail_next": "2",
        },
    )

    work.session.refresh(bin_)
    assert answer.location == f"{BINS}/{bin_.id}"
    assert (bin_.answer_status, bin_.answer_body, bin_.retry_after_s, bin_.delay_ms, bin_.fail_next) == (
        503,
        "one\ntwo",
        None,
        5,
        2,
    )


@pytest.mark.parametrize(
    ("field", "value"), [("answer_status", "99"), ("delay_ms", "5001"), ("fail_next", "-1"), ("answer_status", "abc")]
)
def test_an_answer_that_cannot_be_is_refused_under_its_field(signed_in, ada, bin_, field, value) -> None:
    good = {"name": "n", "answer_status": "200", "answer_body": "", "delay_ms": "0", "fail_next": "0"}

    answer = signed_in(ada).submit(f"{BINS}/{bin_.id}/edit", {**good, field: value})

    assert answer.status_code == 422
    assert f'id="{field}-error-1"' in answer.text


def test_a_bin_is_pinned_cleared_and_deleted(signed_in, ada, bin_, catch, work) -> None:
    catch(bin_)
    browser, path = signed_in(ada), f"{BINS}/{bin_.id}"

    browser.submit(f"{path}/pin", {"is_pinned": "1"})
    work.session.refresh(bin_)
    assert bin_.expires_at is None

    confirm = browser.see(f"{path}?confirm=clear")
    assert "1 recorded request is forgotten" in confirm.get_text()
    browser.submit(f"{path}/clear")
    assert bins.counts_of(work, bins=[bin_])[bin_.number] == 0

    assert "The address answers 404" in browser.see(f"{path}?confirm=delete").get_text()
    assert browser.submit(f"{path}/delete").location == BINS
    assert browser.get(path).status_code == 404


def test_a_request_that_came_after_the_question_is_not_cleared(signed_in, ada, bin_, catch) -> None:
    catch(bin_)
    browser = signed_in(ada)
    form = (
        browser.see(f"/o/acme/bins/{bin_.id}?confirm=clear")
        .find("button", string="Clear 1 request")
        .find_parent("form")
    )
    catch(bin_)

    answer = browser.submit(form["action"], {"up_to": form.select_one("[name=up_to]")["value"]})

    page = browser.see(answer.location)
    assert "1 request is cleared." in page.get_text()
    assert len(page.select("#caught > li")) == 1


@pytest.mark.parametrize("act", ["pin", "clear", "delete", "edit"])
def test_viewers_look_but_do_not_touch(signed_in, vi, bin_, act) -> None:
    browser = signed_in(vi)

    assert browser.submit(f"{BINS}/{bin_.id}/{act}").status_code == 403
    assert browser.see(f"{BINS}/{bin_.id}").select("main form") == []


@pytest.mark.parametrize("path", ["", "/news", "/edit", "/requests/1/body"])
def test_bins_of_others_are_not_there(signed_in, ada, mallory, work, catch, path) -> None:
    theirs = bins.create(work, organization=mallory.organization, name="theirs")
    catch(theirs)

    assert signed_in(ada).get(f"{BINS}/{theirs.id}{path}").status_code == 404


# --- the address ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_anybody_sends_anything_without_session_or_token(client, bin_, work, method) -> None:
    answer = client.open(f"/in/{bin_.key}?x=1", method=method, data=b"<b>hello</b>")

    (caught,) = bins.requests_of(work, bin_number=bin_.number)
    assert answer.status_code == 200
    assert answer.data == b""
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert (caught.method, caught.path, caught.body) == (method, f"/in/{bin_.key}?x=1", b"<b>hello</b>")


def test_the_answer_is_as_chosen_and_failures_come_first(client, bin_, work) -> None:
    bins.change(work, changed=bin_, answer_status=429, answer_body="<b>slow</b>", retry_after_s=7, fail_next=1)

    first, second = client.post(f"/in/{bin_.key}"), client.post(f"/in/{bin_.key}")

    assert first.status_code == 500
    assert (second.status_code, second.text, second.headers["Retry-After"]) == (429, "<b>slow</b>", "7")
    assert second.mimetype == "text/plain"


def test_a_slow_answer_holds_no_database_connection(client, app, bin_, work, monkeypatch) -> None:
    """The wait is the only place where time stands still, so that is where the pool is looked at."""
    import time

    from console.extensions import db

    bins.change(work, changed=bin_, delay_ms=50)
    held = []
    monkeypatch.setattr(time, "sleep", lambda seconds: held.append((seconds, db.engine.pool.checkedout())))

    client.post(f"/in/{bin_.key}")

    assert held == [(0.05, 0)]


def test_a_slow_answer_comes_at_once_while_as_many_requests_wait_as_may(client, app, bin_, work) -> None:
    bins.change(work, changed=bin_, delay_ms=5000)
    begun = monotonic()

    with others_waiting(app):
        answer = client.post(f"/in/{bin_.key}")

    assert answer.status_code == 200
    assert monotonic() - begun < 3


@pytest.mark.parametrize("key", ["nothing", "A" * 22, "%00", "..%2f"])
def test_unknown_addresses_are_404_in_plain_text(client, ada, key) -> None:
    answer = client.post(f"/in/{key}", data=b"x")

    assert answer.status_code == 404
    if key == "A" * 22:
        assert answer.mimetype == "text/plain"


def test_an_expired_bin_is_404(client, bin_, clock) -> None:
    clock.advance(days=8)

    assert client.post(f"/in/{bin_.key}").status_code == 404


def test_a_body_over_256_kib_is_refused(client, bin_, work) -> None:
    fits = client.post(f"/in/{bin_.key}", data=b"x" * 256 * 1024)
    too_large = client.post(f"/in/{bin_.key}", data=b"x" * (256 * 1024 + 1))

    assert fits.status_code == 200
    assert too_large.status_code == 413
    assert too_large.mimetype == "text/plain"
    assert len(bins.requests_of(work, bin_number=bin_.number)) == 1


def test_the_21st_request_of_a_second_is_refused(client, bin_) -> None:
    answers = [client.post(f"/in/{bin_.key}").status_code for _ in range(21)]

    assert answers == [200] * 20 + [429]


def test_the_address_of_a_bin_that_lives_on_needs_no_renewal(client, bin_, clock) -> None:
    clock.advance(days=6)

    assert client.post(f"/in/{bin_.key}").status_code == 200
    assert bin_.expires_at - clock.now() < timedelta(days=2)


def test_a_redirect_leads_back_to_the_bin_and_nowhere_else(client, bin_, work) -> None:
    bins.change(work, changed=bin_, answer_status=308)

    answer = client.post(f"/in/{bin_.key}?to=https://elsewhere.example.com/")

    assert (answer.status_code, answer.headers["Location"]) == (308, f"/in/{bin_.key}")


@pytest.mark.parametrize(("way", "recorded"), [("before", 0), ("within", 200)])
def test_a_bin_that_breaks_off_has_caught_the_request(client, bin_, work, way, recorded) -> None:
    bins.change(work, changed=bin_, breaks_off=way, answer_body="half")

    with pytest.raises(ConnectionResetError):
        client.post(f"/in/{bin_.key}", data=b"hello", buffered=True)

    (caught,) = bins.requests_of(work, bin_number=bin_.number)
    assert (caught.body, caught.answered_status) == (b"hello", recorded)


@pytest.mark.parametrize(
    ("like", "name", "value"), [("redirect", "answer_status", "308"), ("torn", "breaks_off", "within")]
)
def test_redirects_and_torn_answers_are_ready_made(signed_in, ada, bin_, work, like, name, value) -> None:
    browser = signed_in(ada)
    page = browser.see(f"{BINS}/{bin_.id}/edit?like={like}")
    form = {one["name"]: one.get("value", "") for one in page.select("#answer input[name]")}
    chosen = page.select_one("[name=breaks_off] option[selected]")["value"]

    answer = browser.submit(f"{BINS}/{bin_.id}/edit", {**form, "breaks_off": chosen, "answer_body": ""})

    work.session.refresh(bin_)
    assert answer.status_code == 303
    assert str(getattr(bin_, name)) == value
