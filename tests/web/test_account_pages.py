"""A person's own account."""

from __future__ import annotations

import pytest

from console.services.people import sign_in
from console.web.agents import name_of

NEW = "another long password"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def test_the_account_names_browsers_and_organizations(signed_in, ada) -> None:
    page = signed_in(ada).see("/account")

    assert "This browser" in page.get_text()
    assert "acme" in page.get_text()
    assert page.select("nav.nav")


def test_the_account_needs_a_signed_in_person(client, ada) -> None:
    assert client.get("/account").location == "/login?next=/account"


def test_the_password_is_changed_and_other_browsers_are_signed_out(signed_in, ada, client) -> None:
    here, there = signed_in(ada), signed_in(ada)

    answer = here.submit("/account/password", {"current": "correct horse battery", "new": NEW})

    assert answer.location == "/account"
    assert "is changed" in here.see("/account").get_text()
    assert there.get("/account").status_code == 303
    assert client.submit("/login", {"login": "ada", "password": NEW}).status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "field"),
    [
        ("wrong wrong wrong", NEW, "current"),
        ("correct horse battery", "short", "new"),
        ("", "", "current"),
    ],
)
def test_a_refused_change_says_why(signed_in, ada, current, new, field) -> None:
    answer = signed_in(ada).submit("/account/password", {"current": current, "new": new})

    assert answer.status_code == 422
    assert f'id="{field}-error-1"' in answer.text
    assert "data-error-summary" in answer.text


def test_another_browser_can_be_signed_out(signed_in, ada, work) -> None:
    here, there = signed_in(ada), signed_in(ada)
    other = sign_in.sessions_of(work, user=ada.user)
    numbers = sorted(session.number for session in other)

    answer = here.submit(f"/account/sessions/{numbers[1]}/end")

    assert answer.location == "/account"
    assert there.get("/account").status_code == 303
    assert here.get("/account").status_code == 200


def test_all_others_are_signed_out_with_htmx_in_place(signed_in, ada) -> None:
    here, there = signed_in(ada), signed_in(ada)

    answer = here.submit("/account/sessions/end-others", htmx=True)

    assert answer.status_code == 200
    assert "<html" not in answer.text
    assert 'id="sessions"' in answer.text
    assert "toasts" in answer.headers["HX-Trigger"]
    assert there.get("/account").status_code == 303


def test_sessions_of_others_cannot_be_ended(signed_in, ada, ed, work) -> None:
    here = signed_in(ada)
    signed_in(ed)
    theirs = sign_in.sessions_of(work, user=ed.user)[0]

    assert here.submit(f"/account/sessions/{theirs.number}/end").status_code == 404


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14) AppleWebKit/605 Version/17 Safari/605.1", "Safari on macOS"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/120.0 Safari/537 Edg/120.0", "Edge on Windows"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/120 Mobile Safari/537", "Chrome on Android"),
        ("", "A browser"),
    ],
)
def test_browsers_are_named(agent: str, name: str) -> None:
    assert name_of(agent) == name


def test_times_are_shown_in_the_zone_of_the_reader(signed_in, ada, ed) -> None:
    browser = signed_in(ada)

    browser.submit("/account/time-zone", {"time_zone": "Asia/Tokyo"})

    assert "Times are in JST" in browser.see("/o/acme/deliveries").get_text()
    assert "Times are in UTC" in signed_in(ed).see("/o/acme/deliveries").get_text()


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd"])
def test_an_unknown_time_zone_is_refused(signed_in, ada, name) -> None:
    answer = signed_in(ada).submit("/account/time-zone", {"time_zone": name})

    assert answer.status_code == 422
    assert 'id="time_zone-error-1"' in answer.text


def test_single_key_shortcuts_are_switched_off_for_a_person_in_every_browser(signed_in, ada, vi) -> None:
    here, there, other = signed_in(ada), signed_in(ada), signed_in(vi)
    form = here.see("/account").select_one("form:has(button[role=switch])")

    here.submit(form["action"], {"has_shortcuts": form.select_one("[name=has_shortcuts]")["value"]})

    assert here.see("/account").select_one("button[role=switch]")["aria-checked"] == "false"
    assert there.see("/o/acme/").html["data-keys"] == "off"
    assert other.see("/o/acme/").html["data-keys"] == "on"

    here.submit(form["action"], {"has_shortcuts": "1"})

    assert there.see("/o/acme/").html["data-keys"] == "on"


def test_a_password_that_is_guessed_first_is_refused_in_words(signed_in, ada) -> None:
    browser = signed_in(ada)

    for new in ("password1234", "ada-acme-2026"):
        answer = browser.submit("/account/password", {"current": "correct horse battery", "new": new})

        assert answer.status_code == 422
        assert "Take three or four words" in answer.text


def test_the_switch_is_on_the_page(signed_in, ada) -> None:
    assert signed_in(ada).see("/account").select_one("button[role=switch]")["aria-checked"] == "true"
