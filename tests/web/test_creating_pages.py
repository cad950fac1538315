"""Every form that creates something has one result, however often it is sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyotp
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from console.models import Bin, Event, EventType, Hook, HookSecret, Invitation, RecoveryCode, Replay, Source, Token
from console.web.creating import MARK
from tests.web.conftest import PASSWORD

HTMX = {"HX-Request": "true"}
HOOK = {"url": "https://shop.example.com/hook", "name": "New", "all_events": "y"}
ACME = "/o/acme"
CREATING: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "bins.create": (f"{ACME}/bins", f"{ACME}/bins", Bin, {"name": "Bin"}),
    "events.store": (f"{ACME}/events/publish", f"{ACME}/events/publish", Event, {"type": "a.b", "payload": "{}"}),
    "events.type_create": (f"{ACME}/events/new-type", f"{ACME}/events/new-type", EventType, {"name": "lead.won"}),
    "events.types_import_store": (
        f"{ACME}/events/import-types",
        f"{ACME}/events/import-types",
        EventType,
        {"types": '[{"name": "lead.lost"}]'},
    ),
    "hooks.create": (f"{ACME}/hooks/new", f"{ACME}/hooks/new", Hook, HOOK),
    "hooks.duplicate": (f"{ACME}/hooks/HOOK", f"{ACME}/hooks/HOOK/duplicate", Hook, {}),
    "hooks.rotate": (f"{ACME}/hooks/HOOK/secret", f"{ACME}/hooks/HOOK/secret/rotate", HookSecret, {"overlap": "3600"}),
    "replays.create": (f"{ACME}/replays/new?which=failed", f"{ACME}/replays", Replay, {"which": "failed"}),
    "settings.member_invite": (
        f"{ACME}/settings/members",
        f"{ACME}/settings/members/invitations",
        Invitation,
        {"email": "new@example.com", "role": "viewer"},
    ),
    "settings.source_create": (f"{ACME}/settings/sources", f"{ACME}/settings/sources", Source, {"slug": "shop"}),
    "settings.token_create": (
        f"{ACME}/settings/tokens",
        f"{ACME}/settings/tokens",
        Token,
        {"name": "Shop", "preset": "publish", "expires_in_days": "90"},
    ),
}
"""The page, the address of its form, what it creates, and what is typed."""

OF_TWO_FACTORS = {"two_factor.confirm", "two_factor.renew_codes"}
"""Recovery codes: they have a test of their own."""

REPEATABLE = {
    "it is about the person and the browser": {
        "account.change_password",
        "account.change_time_zone",
        "account.end_others",
        "account.end_session",
        "account.switch_shortcuts",
        "sessions.check_code",
        "sessions.create",
        "sessions.delete",
        "two_factor.begin",
        "two_factor.turn_off",
    },
    "a link works once, a step is taken once": {
        "joining.accept_invitation",
        "joining.create_account",
        "setup.create",
        "setup.make_bin",
        "setup.make_hook",
    },
    "the same again is the same": {
        "bins.change",
        "bins.pin",
        "events.type_change",
        "events.type_deprecate",
        "hooks.switch",
        "hooks.update",
        "settings.api_switch",
        "settings.member_role",
        "settings.organization_defaults",
        "settings.organization_rename",
        "settings.person_change",
    },
    "it is gone already": {
        "bins.clear",
        "bins.delete",
        "deliveries.cancel",
        "deliveries.cancel_many",
        "events.type_delete",
        "hooks.cancel_backlog",
        "hooks.delete",
        "hooks.end_overlap",
        "replays.stop",
        "settings.member_remove",
        "settings.member_withdraw",
        "settings.organization_close",
        "settings.token_revoke",
    },
    "somebody wants it again": {
        "catch.catch",
        "deliveries.resend",
        "deliveries.resend_many",
        "deliveries.send_now",
        "events.resend",
        "hooks.send_test",
        "hooks.send_waiting",
        "replays.resume",
        "setup.send_test",
    },
    "nothing is stored": {
        "events.check",
        "hooks.explain_draft",
        "hooks.part",
        "hooks.reveal",
    },
}
"""All other forms, by why they may be sent twice: who adds one decides."""


def test_every_form_has_one_result_or_is_known_to_be_repeatable(app: Flask) -> None:
    pages = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and not rule.endpoint.startswith("api") and "." in rule.endpoint
    }
    once = {endpoint for endpoint in pages if app.view_functions[endpoint].__dict__.get(MARK)}

    assert once == set(CREATING) | OF_TWO_FACTORS
    assert pages - once == set.union(*REPEATABLE.values())


@pytest.fixture
def opened(signed_in: Callable[[Any], Any], ada: Any, make_hook: Callable[..., Hook], scene: Any) -> Any:
    """Open the form of an endpoint; give the browser, the address of the form, and what it sends."""

    def open_form(endpoint: str) -> tuple[Any, str, dict[str, Any]]:
        hook = make_hook()
        [delivery] = scene.publish()
        scene.put(delivery, state="failed", next_attempt_at=None, finished_at=delivery.created_at)
        browser = signed_in(ada)
        page, action, _model, typed = CREATING[endpoint]
        page, action = (text.replace("HOOK", str(hook.id)) for text in (page, action))
        [form, *_] = browser.see(page).select(f'form[method=post][action="{action}"]')
        hidden = {field["name"]: field["value"] for field in form.select("input[type=hidden]") if field.get("value")}
        assert hidden["form_key"]
        if endpoint == "replays.create":
            counted = browser.see(page).select_one("[name=counted]")
            typed = {**typed, "counted": counted["value"]}
        return browser, action, {**hidden, **typed}

    return open_form


def count(session: Session, model: Any) -> int:
    session.rollback()
    return session.scalar(select(func.count()).select_from(model)) or 0


@pytest.mark.parametrize("endpoint", CREATING)
def test_a_form_sent_twice_creates_one_thing_and_leads_to_it_twice(opened, session, endpoint: str) -> None:
    browser, action, typed = opened(endpoint)
    before = count(session, CREATING[endpoint][2])

    first, second = browser.submit(action, typed), browser.submit(action, typed)

    assert count(session, CREATING[endpoint][2]) == before + 1
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location


@pytest.mark.both_databases
def test_a_form_that_races_itself_creates_one_thing(opened, app: Flask, session) -> None:
    browser, action, typed = opened("settings.token_create")
    cookies = [browser.get_cookie(cookie.key) for cookie in browser._cookies.values()]
    session.commit()

    def send(_number: int) -> tuple[int, str | None]:
        other = FlaskClient(app, app.response_class)
        for cookie in cookies:
            other.set_cookie(cookie.key, cookie.value)
        answer = other.post(action, data=typed)
        return answer.status_code, answer.location

    with ThreadPoolExecutor(4) as threads:
        answers = set(threads.map(send, range(4)))

    assert len(answers) == 1
    assert count(session, Token) == 1


@pytest.mark.parametrize("endpoint", ["settings.token_create", "settings.member_invite", "hooks.rotate"])
def test_whoever_sees_only_the_second_answer_still_gets_the_secret_and_only_once(opened, app, endpoint: str) -> None:
    browser, action, typed = opened(endpoint)
    before = [browser.get_cookie(cookie.key) for cookie in browser._cookies.values()]

    browser.submit(action, typed)
    for cookie in before:  # the browser gave up the first answer, its cookies too
        browser.set_cookie(cookie.key, cookie.value)
    second = browser.submit(action, typed)

    assert browser.see(second.location).select_one(".once code, .notice code") is not None
    again = browser.submit(action, typed)
    assert browser.see(again.location).select_one(".once code") is None


def test_the_same_form_with_other_content_creates_another_thing(opened, session) -> None:
    browser, action, typed = opened("bins.create")

    browser.submit(action, typed)
    browser.submit(action, {**typed, "name": "Another"})

    assert count(session, Bin) == 2


def test_a_form_with_an_error_is_not_spent(opened, session) -> None:
    browser, action, typed = opened("hooks.create")
    before = count(session, Hook)

    assert browser.submit(action, {**typed, "url": "nonsense"}).status_code == 422
    assert browser.submit(action, {**typed, "url": "nonsense"}).status_code == 422
    assert browser.submit(action, typed).status_code == 303
    assert count(session, Hook) == before + 1


def test_a_repetition_through_htmx_leads_to_the_first_result(opened, session) -> None:
    browser, action, typed = opened("settings.source_create")

    answers = [browser.submit(action, typed, htmx=True) for _ in range(2)]

    assert {answer.headers["HX-Redirect"] for answer in answers} == {f"{ACME}/settings/sources"}
    assert count(session, Source) == 1


def test_a_late_repetition_is_told_that_nothing_was_created_again(opened, clock) -> None:
    browser, action, typed = opened("events.store")
    browser.submit(action, typed)

    clock.advance(minutes=1)
    answer = browser.submit(action, typed)

    assert "nothing was created again" in browser.see(answer.location).get_text()


def test_the_key_of_one_person_is_nothing_to_another(opened, signed_in, ed, session) -> None:
    _browser, action, typed = opened("bins.create")
    other = signed_in(ed)

    _browser.submit(action, typed)
    other.submit(action, typed)

    assert count(session, Bin) == 2


def test_recovery_codes_are_shown_to_whoever_sees_only_the_second_answer(signed_in, ada, clock, session) -> None:
    browser = signed_in(ada)
    browser.submit("/account/two-factor", {"password": PASSWORD})
    page = browser.see("/account/two-factor")
    key = page.select_one('form[action$="/confirm"] [name=form_key]')["value"]
    typed = {"code": pyotp.TOTP(page.select_one("p code").get_text()).at(clock.now()), "form_key": key}

    first, second = (browser.submit("/account/two-factor/confirm", typed) for _ in range(2))

    assert first.location == second.location
    assert len(browser.see(second.location).select_one("pre.code").get_text().split()) == count(session, RecoveryCode)
