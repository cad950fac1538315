"""What was typed when the session ended: it is there again after signing in, and nothing was submitted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pyotp
import pytest
from bs4 import BeautifulSoup
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console.models import Hook, KeptForm, Token
from console.services.people import kept_forms, sign_in, two_factor
from console.services.people.kept_forms import Typed
from console.services.work import Work
from tests.web.conftest import PASSWORD

NEW = "/o/acme/hooks/new"
ORIGIN = "http://localhost"
TYPED = {
    "name": "Long typed",
    "url": "https://shop.example.com/hook",
    "description": "Ask Ed",
    "patterns": "order.*",
    "retry_kind": "fixed",
    "retry_seconds": "17",
    "header_name": ["X-Api-Key", "X-Shop"],
    "header_value": ["s3cret", "17"],
}


def token_of(page: BeautifulSoup) -> str:
    field = page.select_one("[name=csrf_token]")
    assert field is not None
    return str(field["value"])


@pytest.fixture
def end(work: Work, ada: Any) -> Callable[[Any, str], None]:
    """End the session of a browser: it was signed out in another tab, or on the server, or lost its cookies."""

    def end_session(browser: Any, way: str) -> None:
        if way == "signed out":
            browser.submit("/logout")
        elif way == "ended on the server":
            sign_in.end_other_sessions(work, user=ada.user, keep=None)
        elif way == "cookies lost":
            browser.delete_cookie("hookyard")

    return end_session


WAYS = ["signed out", "ended on the server", "cookies lost"]


def send(browser: Any, path: str, typed: dict[str, Any], token: str, **headers: str) -> Any:
    return browser.post(
        path, data={**typed, "csrf_token": token}, headers={"Referer": f"{ORIGIN}{path}", "Origin": ORIGIN, **headers}
    )


def come_back(browser: Any, url: str, login: str = "ada") -> Any:
    return browser.submit(url, {"login": login, "password": PASSWORD})


def count(session: Session, model: Any) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(model)) or 0


@pytest.mark.both_databases
@pytest.mark.parametrize("way", WAYS)
def test_a_form_whose_session_ended_is_shown_again_with_everything_typed(signed_in, ada, end, session, way) -> None:
    browser = signed_in(ada)
    token = token_of(browser.see(NEW))
    end(browser, way)

    answer = send(browser, NEW, TYPED, token)
    assert answer.status_code == 303
    assert answer.location.startswith("/login?next=")
    assert "s3cret" not in answer.location
    sign_in_page = browser.get(answer.location)
    assert "what you typed is kept" in sign_in_page.text.lower()
    back = come_back(browser, answer.location)
    page = browser.see(back.location)

    assert count(session, Hook) == 0
    assert "nothing was submitted" in page.get_text()
    for name in ("name", "url", "patterns", "retry_seconds"):
        assert page.select_one(f"[name={name}]")["value"] == TYPED[name]
    assert page.select_one("[name=description]").get_text().strip() == "Ask Ed"
    assert [field["value"] for field in page.select("[name=header_name]")][:2] == TYPED["header_name"]
    assert page.select_one("[name=csrf_token]")["value"] != token


def test_it_is_given_back_once_and_only_to_whoever_typed_it(signed_in, ada, ed, end, session) -> None:
    browser = signed_in(ada)
    token = token_of(browser.see(NEW))
    end(browser, "signed out")
    answer = send(browser, NEW, TYPED, token)

    other = come_back(browser, answer.location, login="ed")
    assert "Long typed" not in browser.see(other.location).get_text()
    assert not browser.see(other.location).select('[value="Long typed"]')

    browser.submit("/logout")
    back = come_back(browser, answer.location)
    assert browser.see(back.location).select('[value="Long typed"]')
    assert not browser.see(back.location).select('[value="Long typed"]')
    assert count(session, KeptForm) == 0


def test_the_second_factor_is_asked_for_on_the_way(signed_in, ada, end, work, clock) -> None:
    browser = signed_in(ada)
    token = token_of(browser.see(NEW))
    two_factor.begin(work, user=ada.user, password=PASSWORD)
    app = pyotp.TOTP(str(two_factor.secret_of(work, user=ada.user)))
    two_factor.confirm(work, user=ada.user, code=app.at(clock.now()))
    end(browser, "signed out")
    clock.advance(seconds=30)

    answer = send(browser, NEW, TYPED, token)
    step = come_back(browser, answer.location)
    assert step.location.startswith("/login/code")
    back = browser.submit(step.location, {"code": app.at(clock.now())})

    assert browser.see(back.location).select('[value="Long typed"]')


def test_passwords_are_not_kept(signed_in, ada, end, session, work) -> None:
    browser = signed_in(ada)
    token = token_of(browser.see("/account"))
    end(browser, "signed out")

    typed = {"current": PASSWORD, "new": "another horse battery", "code": "123456", "password": PASSWORD}
    answer = send(browser, "/account/password", typed, token, Referer=f"{ORIGIN}/account")

    assert answer.location == "/login?next=/account"
    assert count(session, KeptForm) == 0


def test_what_is_kept_is_encrypted(signed_in, ada, end, session) -> None:
    browser = signed_in(ada)
    token = token_of(browser.see(NEW))
    end(browser, "signed out")
    send(browser, NEW, TYPED, token)

    session.rollback()
    assert b"s3cret" not in session.scalar(select(KeptForm.sealed))


def test_a_form_that_no_page_of_ours_made_is_not_kept(signed_in, ada, client, end, session) -> None:
    stranger = token_of(client.see("/login"))
    browser = signed_in(ada)
    end(browser, "ended on the server")

    for token in (stranger, "", "made.up.token"):
        send(browser, NEW, TYPED, token)
        browser.delete_cookie("hookyard")
        send(browser, NEW, TYPED, token)

    assert count(session, KeptForm) == 0


def test_a_form_of_a_session_before_is_shown_again_to_its_person_and_to_nobody_else(
    signed_in, ada, ed, session
) -> None:
    browser = signed_in(ada)
    token = token_of(browser.see(NEW))
    browser.submit("/logout")
    come_back(browser, "/login")

    answer = send(browser, NEW, TYPED, token)
    assert browser.see(answer.location).select('[value="Long typed"]')
    browser.submit("/logout")
    come_back(browser, "/login", login="ed")
    refused = send(browser, NEW, TYPED, token)

    assert refused.status_code == 400
    assert "Long typed" not in refused.text
    assert count(session, Hook) == 0


@pytest.mark.parametrize("way", WAYS)
def test_htmx_says_that_the_person_was_signed_out_with_a_link_that_leads_back(
    signed_in, ada, end, session, way: str
) -> None:
    browser = signed_in(ada)
    path = "/o/acme/settings/tokens"
    token = token_of(browser.see(path))
    end(browser, way)

    headers = {"HX-Request": "true", "HX-Current-URL": f"{ORIGIN}{path}"}
    answer = send(browser, path, {"name": "Shop", "preset": "read"}, token, **headers)
    [toast] = json.loads(answer.headers["HX-Trigger"])["toasts"]["items"]

    assert answer.status_code == 401
    assert "HX-Redirect" not in answer.headers
    assert "signed out" in toast["message"]
    back = come_back(browser, toast["link"])
    assert urlsplit(back.location).path == path
    page = browser.see(back.location)
    assert page.select_one("#new-token [name=name]")["value"] == "Shop"
    assert page.select_one("#new-token [value=read]").has_attr("checked")
    assert count(session, Token) == 0


def test_a_button_leads_back_to_its_page_and_does_nothing(signed_in, ada, end, make_hook, session) -> None:
    hook = make_hook()
    browser, path = signed_in(ada), f"/o/acme/hooks/{hook.id}"
    token = token_of(browser.see(path))
    end(browser, "signed out")

    answer = send(browser, f"{path}/delete", {}, token, Referer=f"{ORIGIN}{path}")

    assert parse_qs(urlsplit(answer.location).query) == {"next": [path]}
    session.rollback()
    assert session.get(Hook, hook.number).deleted_at is None


def test_a_form_that_its_page_does_not_fill_is_offered_for_sending(signed_in, ada, end, make_hook) -> None:
    hook = make_hook()
    browser, path = signed_in(ada), f"/o/acme/hooks/{hook.id}"
    token = token_of(browser.see(path))
    end(browser, "signed out")
    typed = {"event_type": "order.paid", "payload": '{"n": 17}'}

    answer = send(browser, f"{path}/test", typed, token, Referer=f"{ORIGIN}{path}")
    page = browser.see(come_back(browser, answer.location).location)

    form = page.select_one("form[data-typed]")
    pairs = [[part.name for part in pair.find_all(recursive=False)] for pair in form.select("dl > *")]
    assert pairs == [["dt", "dd"]] * 2
    assert form["action"] == f"{path}/test"
    assert form.select_one("[name=payload]")["value"] == typed["payload"]
    assert typed["payload"] in page.get_text()


@pytest.mark.parametrize("path", ["events/publish", "events/new-type", "bins", "settings/sources", "replays/new"])
def test_other_forms_show_what_was_typed_too(signed_in, ada, end, path: str) -> None:
    typed = {
        "events/publish": {"type": "a.b", "payload": '{"typed": 1}', "object_pk": "A-17"},
        "events/new-type": {"name": "lead.won", "description": "Won"},
        "bins": {"name": "My bin"},
        "settings/sources": {"slug": "shop", "name": "Shop"},
        "replays/new": {"which": "all", "since": "", "event_type": "cart.*"},
    }[path]
    browser = signed_in(ada)
    token = token_of(browser.see(f"/o/acme/{path}"))
    end(browser, "ended on the server")

    url = f"/o/acme/{path}".removesuffix("/new")
    answer = send(browser, url, typed, token, Referer=f"{ORIGIN}/o/acme/{path}")
    page = browser.see(come_back(browser, answer.location).location)

    for name, text in typed.items():
        [field, *_] = page.select(f"form [name={name}]:not([type=hidden],[type=search]), form [name={name}][checked]")
        assert text in (field.get("value", ""), field.get_text().strip()) or name in {"which", "since"}
    assert not page.select("form[data-typed]")


# --- the service ---------------------------------------------------------------------------------------------------


def test_few_forms_are_kept_for_a_person_and_only_for_an_hour(work, ada, ed, clock, session) -> None:
    ids = [_keep(work, ada, str(number)) for number in range(7)]
    _keep(work, ed, "of ed")

    assert count(session, KeptForm) == kept_forms.MOST + 1
    assert kept_forms.take(work, user_number=ada.user.number, form_id=ids[0]) is None
    assert kept_forms.take(work, user_number=ed.user.number, form_id=ids[6]) is None
    clock.advance(minutes=61)
    assert kept_forms.take(work, user_number=ada.user.number, form_id=ids[6]) is None
    assert kept_forms.forget(work) == kept_forms.MOST
    assert count(session, KeptForm) == 0
    assert timedelta(hours=1) == kept_forms.LASTS


def _keep(work: Work, person: Any, text: str) -> UUID:
    form_id = kept_forms.keep(work, user_number=person.user.number, typed=Typed("/x", (("name", text),)))
    assert form_id is not None
    return form_id


def test_a_form_that_is_too_large_is_not_kept(work, ada, session) -> None:
    typed = Typed("/x", (("payload", "x" * kept_forms.LARGEST),))

    assert kept_forms.keep(work, user_number=ada.user.number, typed=typed) is None
    assert count(session, KeptForm) == 0


def test_nothing_is_kept_for_a_person_who_is_not_there(work, ada, session) -> None:
    assert kept_forms.keep(work, user_number=4711, typed=Typed("/x", (("name", "x"),))) is None
    assert count(session, KeptForm) == 0
