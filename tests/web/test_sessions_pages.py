"""Signing in and out, where somebody lands afterwards, and the root address."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import func, select

from console.models import Membership, SignInFailure
from console.services.people import members, sign_in
from console.settings import Settings
from console.web.sessions import safe_next
from tests.apps import app_of
from tests.hashing import others_hashing

GOOD_NEXT = ["/", "/o/acme/", "/o/acme/hooks?q=a+b&show=failing", "/o/acme/search?q=https://example.com/x", "/a#b"]
BAD_NEXT = [
    None,
    "",
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/o//evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\x00/evil",
    " /o/acme",
    "javascript:alert(1)",
    "o/acme",
    "/o/acme\r\nSet-Cookie: a=b",
    "/\u2028/evil.example",
    "/" + "a" * 3000,
    "http:evil.example",
    "?next=/",
    "/?a=\\evil",
]


@pytest.mark.parametrize("value", GOOD_NEXT)
def test_a_path_of_the_console_may_come_next(value: str) -> None:
    assert safe_next(value) == value


@pytest.mark.parametrize("value", BAD_NEXT)
def test_no_other_address_may_come_next(value: str | None) -> None:
    assert safe_next(value) is None


@pytest.mark.parametrize("value", [value for value in BAD_NEXT if value and "\x00" not in value])
def test_a_bad_next_leads_home_after_signing_in(client, ada, value) -> None:
    page = client.get("/login", query_string={"next": value})
    assert "evil" not in page.text

    answer = client.post(
        "/login",
        query_string={"next": value},
        data={"login": ada.user.email, "password": "correct horse battery", "csrf_token": client.token()},
    )

    assert (answer.status_code, answer.location) == (303, "/")


def test_the_sign_in_page_is_sound(client, ada) -> None:
    page = client.see("/login")

    assert page.find("input", attrs={"autocomplete": "current-password"})
    assert page.find("input", attrs={"autocomplete": "username"})


def test_signing_in_leads_to_the_page_that_was_asked_for(client, ada) -> None:
    asked = client.get("/o/acme/hooks?show=failing")
    assert asked.status_code == 303

    answer = client.submit(asked.location, {"login": "ADA", "password": "correct horse battery"})

    assert (answer.status_code, answer.location) == (303, "/o/acme/hooks?show=failing")
    client.see(answer.location)


@pytest.mark.parametrize("login", ["ada@example.com", "nobody@example.com"])
def test_a_wrong_password_and_an_unknown_person_get_the_same_answer(client, ada, login) -> None:
    answer = client.submit("/login", {"login": login, "password": "wrong, quite wrong"})

    assert answer.status_code == 422
    assert sign_in.WRONG in answer.text
    assert f'value="{login}"' in answer.text
    assert "wrong, quite wrong" not in answer.text


def test_an_empty_form_names_both_fields(client, ada) -> None:
    answer = client.submit("/login", {"login": "", "password": ""})

    assert answer.status_code == 422
    assert "data-error-summary" in answer.text
    assert answer.text.count("field-error") == 2


def test_too_many_failures_say_how_long_to_wait(client, ada) -> None:
    for _ in range(5):
        client.submit("/login", {"login": "ada", "password": "wrong, quite wrong"})

    answer = client.submit("/login", {"login": "ada", "password": "correct horse battery"})

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "Try again in" in answer.text


def test_a_form_without_its_token_is_refused(client, ada) -> None:
    form = {"login": "ada", "password": "correct horse battery"}

    answer = client.post("/login", data=form, headers={"Origin": "http://localhost"})

    assert answer.status_code == 400
    assert "Send again" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:8001"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": "http://localhost:port"},
        {"Referer": "http://localhost.evil.example/login"},
        {"Origin": "null"},
        {},
    ],
)
def test_the_form_of_another_site_is_not_offered_for_sending_again(client, ada, headers) -> None:
    form = {"login": "ada", "password": "correct horse battery"}

    answer = client.post("/login", data=form, headers=headers)

    assert answer.status_code == 400
    assert "Send again" not in answer.text
    assert "correct horse" not in answer.text


def test_signing_out_ends_the_session_on_the_server(signed_in, ada, app: Flask) -> None:
    browser = signed_in(ada)
    stolen = app.test_client()
    stolen.set_cookie("hookyard", browser.get_cookie("hookyard").value)
    assert stolen.get("/o/acme/").status_code == 200

    answer = browser.submit("/logout")

    assert (answer.status_code, answer.location) == (303, "/login")
    assert stolen.get("/o/acme/").status_code == 303


def test_whoever_was_signed_out_elsewhere_is_told_why(signed_in, ada, work) -> None:
    browser = signed_in(ada)
    sign_in.end_other_sessions(work, user=ada.user, keep=None)

    page = browser.see("/login")

    assert "You were signed out from another browser." in page.get_text()


def test_signing_in_again_ends_the_session_before(signed_in, ada, work) -> None:
    browser = signed_in(ada)
    browser.submit("/login", {"login": "ada", "password": "correct horse battery"})

    assert len(sign_in.sessions_of(work, user=ada.user)) == 1


def test_a_signed_in_person_is_sent_on_from_the_sign_in_page(signed_in, ada) -> None:
    assert signed_in(ada).get("/login").status_code == 303


def test_an_expired_session_sends_htmx_to_sign_in_with_a_401(client, ada) -> None:
    answer = client.get("/o/acme/hooks", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/login")
    assert answer.text == ""


def test_who_signs_in_again_comes_back_to_the_page_that_was_open_not_to_its_part(client, ada) -> None:
    shown = "https://hooks.example/o/acme/deliveries?state=failed"

    answer = client.get("/o/acme/live", headers={"HX-Request": "true", "HX-Current-URL": shown})
    elsewhere = client.get(
        "/o/acme/live", headers={"HX-Request": "true", "HX-Current-URL": "https://evil.example//x.example/"}
    )

    assert answer.headers["HX-Redirect"] == "/login?next=/o/acme/deliveries?state%3Dfailed"
    ways = [answer.headers["HX-Redirect"], elsewhere.headers["HX-Redirect"]]
    back = [client.submit(way, {"login": "ada", "password": "correct horse battery"}).location for way in ways]
    assert back == ["/o/acme/deliveries?state=failed", "/"]


def test_the_root_leads_to_set_up_then_to_sign_in_then_to_the_dashboard(client, request) -> None:
    assert client.get("/").location == "/setup"

    request.getfixturevalue("ada")
    assert client.get("/").location == "/login"

    client.submit("/login", {"login": "ada", "password": "correct horse battery"})
    assert client.get("/").location == "/o/acme/"


def test_the_root_leads_to_the_organization_that_was_looked_at_last(signed_in, ada, mallory, work) -> None:
    with work.transaction():
        work.session.add(
            Membership(user=ada.user, organization=mallory.organization, role="viewer", created_at=work.now())
        )
    browser = signed_in(ada)

    browser.get("/o/elsewhere/")
    assert browser.get("/").location == "/o/elsewhere/"

    browser.get("/o/acme/")
    assert browser.get("/").location == "/o/acme/"


def test_signing_in_again_leads_to_the_organization_that_was_used_last(signed_in, ada, mallory, work) -> None:
    with work.transaction():
        work.session.add(
            Membership(user=ada.user, organization=mallory.organization, role="viewer", created_at=work.now())
        )
    signed_in(ada).get("/o/elsewhere/")

    assert signed_in(ada).get("/").location == "/o/elsewhere/"


def test_staff_begin_in_their_own_organization_not_in_the_first_of_all(signed_in, ada, mallory, work) -> None:
    with work.transaction():
        mallory.user.is_staff = True
    browser = signed_in(mallory)

    assert browser.get("/").location == "/o/elsewhere/"

    browser.get("/o/acme/")
    assert signed_in(mallory).get("/").location == "/o/acme/"


def test_where_somebody_was_last_is_no_way_into_what_they_left(signed_in, ada, ed, mallory, work) -> None:
    signed_in(ed).get("/o/acme/")
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)
    members.remove_member(work, membership=membership)

    assert "Ask an admin" in signed_in(ed).see("/").get_text()


def test_somebody_without_an_organization_is_told_what_to_do(signed_in, ada, ed, work) -> None:
    browser = signed_in(ed)
    membership = members.get_member(work, organization_number=ed.organization.number, user_id=ed.user.id)
    work.session.delete(membership)

    page = browser.see("/")

    assert "Ask an admin" in page.get_text()


def test_no_cache_keeps_what_a_signed_in_person_saw(signed_in, ada, client) -> None:
    browser = signed_in(ada)

    assert browser.get("/o/acme/").headers["Cache-Control"] == "no-store"
    assert browser.get("/o/acme/hooks", headers={"HX-Request": "true"}).headers["Cache-Control"] == "no-store"
    with browser.get("/static/console.css") as style:
        assert "no-store" not in style.headers["Cache-Control"]


def test_the_organization_of_others_is_not_there(signed_in, mallory, ada) -> None:
    assert signed_in(mallory).get("/o/acme/hooks").status_code == 404


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {}])
def test_another_sites_form_signs_nobody_out(signed_in, ada, headers) -> None:
    """Browsers leave our cookie out of such a request; an answer that sets one would take the place of the real one.

    Over plain http they send no Sec-Fetch-Site.
    """
    browser = signed_in(ada)
    stranger = browser.application.test_client()

    answer = stranger.post("/logout", headers={"Origin": "http://localhost.evil.example.com", **headers})

    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers
    assert browser.get("/o/acme/").status_code == 200


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("http://hookyard.test", "hookyard"),
        ("http://hookyard.test:8000", "hookyard-8000"),
        ("https://hookyard.test", "__Host-hookyard"),
        ("https://hookyard.test:8443", "__Host-hookyard-8443"),
    ],
)
def test_consoles_on_other_ports_of_a_host_keep_cookies_of_their_own(settings, ada, work, base_url, name) -> None:
    work.session.commit()

    with app_of(Settings(**{**settings.model_dump(), "base_url": base_url})) as app:
        cookie = app.test_client().get("/login").headers["Set-Cookie"]

    assert cookie.startswith(f"{name}=")
    assert ("Secure" in cookie) is base_url.startswith("https")
    assert "Domain" not in cookie
    assert "Path=/" in cookie


def test_a_sign_in_that_finds_no_turn_keeps_the_name_and_says_when_to_try_again(client, ada, work) -> None:
    form = {"login": ada.user.email, "password": "correct horse battery", "csrf_token": client.token()}

    with others_hashing():
        refused = client.post("/login", data=form)
    failures = work.session.scalar(select(func.count()).select_from(SignInFailure))
    accepted = client.post("/login", data=form)

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "3")
    assert "Too many people are signing in at this moment. Try again in a few seconds." in refused.text
    assert f'value="{ada.user.email}"' in refused.text
    assert failures == 0
    assert accepted.status_code == 303
