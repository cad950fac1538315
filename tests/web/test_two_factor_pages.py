"""Two-factor sign-in in the browser."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest

from console.services.people import accounts, sign_in, two_factor

PASSWORD = "correct horse battery"
PAGE = "/account/two-factor"


@pytest.fixture
def phone(signed_in: Any, ada: Any, clock: Any) -> Any:
    """Turn it on for ada, and give what her app shows and her recovery codes."""
    browser = signed_in(ada)
    assert browser.submit(PAGE, {"password": PASSWORD}).location == PAGE
    page = browser.see(PAGE)
    assert page.select_one("img[alt^='QR code']")["src"].startswith("data:image/svg+xml")
    app = pyotp.TOTP(page.select_one("p code").get_text())
    answer = browser.submit(f"{PAGE}/confirm", {"code": app.at(clock.now())})
    codes = browser.see(answer.location).select_one("pre.code").get_text().split()
    clock.advance(seconds=30)
    return browser, lambda: app.at(clock.now()), codes


def _give_password(client: Any, **query: str) -> Any:
    path = "/login" + (f"?next={query['next']}" if query else "")
    return client.submit(path, {"login": "ada", "password": PASSWORD})


def test_signing_in_asks_for_the_code_after_the_password(phone: Any, client: Any) -> None:
    answer = _give_password(client, next="/o/acme/hooks")
    assert answer.location == "/login/code?next=/o/acme/hooks"
    assert client.get("/account").status_code == 303, "the password alone opens nothing"

    answer = client.submit(answer.location, {"code": phone[1]()})

    assert answer.location == "/o/acme/hooks"
    assert client.get("/account").status_code == 200


def test_a_recovery_code_signs_in(phone: Any, client: Any) -> None:
    answer = client.submit(_give_password(client).location, {"code": phone[2][0]})

    assert answer.location == "/"
    assert "9 of 10 left" in client.see(PAGE).get_text()


def test_a_wrong_code_is_refused_under_the_field_and_guessing_waits(phone: Any, client: Any) -> None:
    page = _give_password(client).location
    for _ in range(5):
        answer = client.submit(page, {"code": "no code"})
        assert answer.status_code == 422
        assert 'id="code-error-1"' in answer.text

    answer = client.submit(page, {"code": phone[1]()})

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "5")


def test_the_code_is_asked_only_of_whoever_gave_the_password_a_moment_ago(phone: Any, client: Any, clock: Any) -> None:
    assert client.get("/login/code").location == "/login"
    assert client.submit("/login/code", {"code": phone[1]()}).location == "/login"

    page = _give_password(client).location
    clock.advance(seconds=601)

    assert client.submit(page, {"code": phone[1]()}).location == "/login"
    assert client.get("/account").status_code == 303


@pytest.mark.parametrize("change", ["password changed", "switched off and on", "other browsers signed out"])
def test_an_open_second_step_ends_with_what_it_rests_on(
    phone: Any, client: Any, ada: Any, work: Any, change: str
) -> None:
    page = _give_password(client).location
    if change == "password changed":
        accounts.set_password(work, user=ada.user, new="another correct horse")
    elif change == "switched off and on":
        with work.transaction():
            ada.user.is_active = False
            sign_in.end_sessions_within(work, user=ada.user, keep=None, reason="Switched off.")
        with work.transaction():
            ada.user.is_active = True
    else:
        sign_in.end_other_sessions(work, user=ada.user, keep=None)

    shown = client.get(page)
    answer = client.submit(page, {"code": phone[2][0]})

    assert (shown.location, answer.location) == ("/login", "/login")
    assert client.get("/account").status_code == 303
    assert two_factor.recovery_codes_left(work, user=ada.user) == 10, "the code was not used up"


def test_the_recovery_codes_are_shown_once_and_renewed_with_the_password(phone: Any) -> None:
    browser, _, codes = phone
    assert browser.see(PAGE).select("pre.code") == []

    answer = browser.submit(f"{PAGE}/codes", {"password": PASSWORD})

    renewed = browser.see(answer.location).select_one("pre.code").get_text().split()
    assert len(renewed) == 10
    assert not set(renewed) & set(codes)


@pytest.mark.parametrize("step", ["", "/codes", "/off"])
def test_every_step_takes_the_right_password(signed_in: Any, phone: Any, ed: Any, step: str) -> None:
    browser = signed_in(ed) if not step else phone[0]
    for password in ("", "not the password"):
        answer = browser.submit(PAGE + step, {"password": password})
        assert answer.status_code == 422
        assert "data-error-summary" in answer.text


def test_turned_off_the_password_is_enough_again(phone: Any, client: Any) -> None:
    assert phone[0].submit(f"{PAGE}/off", {"password": PASSWORD}).location == "/account"

    assert _give_password(client).location == "/"


def test_a_wrong_first_code_turns_nothing_on(signed_in: Any, ed: Any, client: Any) -> None:
    browser = signed_in(ed)
    browser.submit(PAGE, {"password": PASSWORD})

    answer = browser.submit(f"{PAGE}/confirm", {"code": "12"})

    assert answer.status_code == 422
    assert "recovery code" not in answer.text  # there are none yet
    assert browser.see(PAGE).select("img[alt^='QR code']"), "the same app may try again"
