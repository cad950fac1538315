"""Secrets in the form of a hook and on its page: kept by row, bound to the URL, shown before the first test."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from console.core.redact import MASK
from console.models import Delivery, Hook, HookSecret
from console.services.bins import bins, catching
from console.services.dialects import oms_hooks
from console.services.dialects.oms_hooks import OmsFields
from console.services.hooks import hook_secrets
from tests.web.hooks_stage import finish

SECRETS = {"Authorization": "Bearer canary", "X-Shop": "berlin"}
NEW = "https://evil.example.com/hook"


def form_of(page: BeautifulSoup) -> dict[str, Any]:
    """Return what a browser would send of the form on a page of a hook."""
    fields: dict[str, list[str]] = {}
    for one in page.select("form.form :is(input, textarea, select)[name]"):
        if one.find_parent("template") or (one.get("type") in {"checkbox", "radio"} and not one.has_attr("checked")):
            continue
        chosen = one.select_one("option[selected]") or one.select_one("option") or one
        fields.setdefault(one["name"], []).append(chosen.get("value", "") or one.get_text() * (one.name == "textarea"))
    return fields


def renamed(form: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {**form, "header_name": [new if name == old else name for name in form["header_name"]]}


def saved(work) -> Hook:
    work.session.commit()
    work.session.expire_all()
    return work.session.scalars(select(Hook).where(Hook.is_trial.is_(False)).order_by(Hook.number.desc())).first()


@pytest.fixture
def browser(signed_in, ed):
    """A browser in which Ed, an editor, is signed in."""
    return signed_in(ed)


@pytest.fixture
def hook(make_hook) -> Hook:
    return make_hook(headers=SECRETS)


# --- a kept secret belongs to its row -------------------------------------------------------------------------------


def test_a_renamed_header_keeps_its_secret_value(browser, hook, work) -> None:
    address = f"/o/acme/hooks/{hook.id}/edit"
    form = renamed(form_of(browser.see(address)), "Authorization", "X-Authorization")

    refused = browser.submit(address, {**form, "timeout": "99"})  # the row keeps its secret over an error elsewhere
    again = form_of(BeautifulSoup(refused.text, "html.parser"))
    answer = browser.submit(address, {**again, "timeout": ""})

    assert (refused.status_code, answer.status_code) == (422, 303)
    assert "canary" not in refused.text
    assert hook_secrets.headers_of(work, saved(work)) == {"X-Authorization": "Bearer canary", "X-Shop": "berlin"}


def test_a_secret_header_without_a_value_is_an_error_at_its_row(browser, hook, work) -> None:
    address = f"/o/acme/hooks/{hook.id}/edit"
    form = form_of(browser.see(address))
    more = {"header_name": ["X-Api-Key"], "header_value": [""], "header_kept": [""]}

    answer = browser.submit(address, {**form, **more})

    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 422
    assert page.select_one(".pair [aria-invalid]")["aria-describedby"] == "headers-error-1"
    assert "X-Api-Key" in page.select_one("#headers-error-1").get_text()
    assert hook_secrets.headers_of(work, saved(work)) == SECRETS


def test_clearing_the_name_of_a_row_removes_its_header(browser, hook, work) -> None:
    address = f"/o/acme/hooks/{hook.id}/edit"

    browser.submit(address, renamed(form_of(browser.see(address)), "Authorization", ""))

    assert hook_secrets.headers_of(work, saved(work)) == {"X-Shop": "berlin"}


# --- and to its destination -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize("button", [{}, {"try": "1"}])
def test_an_editor_does_not_get_an_admins_secret_by_another_url(browser, hook, work, button, htmx) -> None:
    address = f"/o/acme/hooks/{hook.id}/edit"

    answer = browser.submit(address, {**form_of(browser.see(address)), **button, "url": NEW}, htmx=htmx)

    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 422
    row = page.select_one(".pair:has([aria-invalid])")
    assert row.select_one("[name=header_name]")["value"] == "Authorization"
    assert row.select_one("[name=header_value]")["placeholder"] == "Type the value"
    assert "given for https://shop.example.com" in page.select_one("#headers-error-1").get_text()
    assert saved(work).url == "https://shop.example.com/hook"
    assert work.session.scalar(select(Delivery)) is None


def test_an_admin_who_knows_the_value_types_it_again(browser, hook, work) -> None:
    address = f"/o/acme/hooks/{hook.id}/edit"
    form = form_of(browser.see(address))

    browser.submit(address, {**form, "url": NEW, "header_value": ["Bearer canary", "berlin", ""]})

    assert (saved(work).url, hook_secrets.headers_of(work, saved(work))) == (NEW, SECRETS)


def test_a_copy_keeps_the_secrets_for_the_same_destination_alone(browser, hook, work) -> None:
    browser.submit(f"/o/acme/hooks/{hook.id}/duplicate")
    address = f"/o/acme/hooks/{saved(work).id}/edit"

    answer = browser.submit(address, {**form_of(browser.see(address)), "url": NEW})

    assert answer.status_code == 422
    assert hook_secrets.headers_of(work, saved(work)) == SECRETS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "oms_password"),
        ({"oms_username": "other"}, "oms_password"),
        ({"payload_format": "standard"}, "url"),
        ({"payload_format": "standard", "oms_password": "guess"}, "url"),
    ],
)
def test_a_password_is_given_again_with_another_url(browser, make_hook, work, changes, field) -> None:
    auth = {"auth_type": "basic", "username": "erp", "password": "hunter2"}
    kept = oms_hooks.keeping(work, None, fields=OmsFields(config={"auth": auth}), posted=None)
    hook = make_hook(payload_format="oms", dialect_data=kept)
    address = f"/o/acme/hooks/{hook.id}/edit"
    form = {**form_of(browser.see(address)), "url": NEW}

    answer = browser.submit(address, {**form, **changes})

    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 422
    assert "not sent anywhere else" in page.select_one(f"#{field}-error-1").get_text()
    assert "hunter2" not in answer.text
    assert browser.submit(address, {**form, "oms_password": "new"}).status_code == 303
    assert oms_hooks.fields_of(work, saved(work)).config["auth"]["password"] == "new"


# --- headers that may not be sent -----------------------------------------------------------------------------------


def test_the_page_says_which_stored_headers_are_not_sent(browser, hook, work) -> None:
    hook.sealed_headers = work.keys.seal(json.dumps({"X-Original-URL": "/admin", "X-Shop": "berlin"}))
    work.session.commit()

    page = browser.see(f"/o/acme/hooks/{hook.id}")
    browser.submit(f"/o/acme/hooks/{hook.id}/duplicate")

    assert "Not sent: X-Original-URL." in page.get_text(" ", strip=True)
    assert browser.see(f"/o/acme/hooks/{hook.id}/edit").select_one("[name=header_name]")["value"] == "X-Original-URL"
    assert hook_secrets.headers_of(work, saved(work)) == {"X-Shop": "berlin"}


# --- the secret of a new hook ---------------------------------------------------------------------------------------


def new_form(browser) -> dict[str, Any]:
    page = browser.see("/o/acme/hooks/new")
    return {**form_of(page), "url": "https://shop.example.com/hook", "all_events": "y"}


def shown_secret(page: BeautifulSoup) -> str:
    return page.select_one(".once code").get_text()


@pytest.mark.parametrize("htmx", [False, True])
def test_the_secret_shown_in_the_form_signs_the_test_and_stays(browser, work, htmx) -> None:
    first = browser.see("/o/acme/hooks/new")
    secret = shown_secret(first)
    form = {**form_of(first), "url": "https://shop.example.com/hook", "all_events": "y"}

    refused = BeautifulSoup(browser.submit("/o/acme/hooks/new", {**form, "timeout": "99"}).text, "html.parser")
    tried = browser.submit("/o/acme/hooks/new", {**form_of(refused), "timeout": "", "try": "1"}, htmx=htmx)
    trial = work.session.scalar(select(Hook).where(Hook.is_trial))
    whole = form if htmx else form_of(BeautifulSoup(tried.text, "html.parser"))
    answer = browser.submit("/o/acme/hooks/new", whole)

    assert secret.startswith("whsec_")
    assert shown_secret(refused) == secret
    assert (tried.status_code, answer.status_code) == (200, 303)
    assert [text for _, text in hook_secrets.secrets_of(work, trial)] == [secret]
    assert [text for _, text in hook_secrets.secrets_of(work, saved(work))] == [secret]
    assert secret in browser.see(answer.location).get_text()


def test_each_form_has_a_secret_of_its_own(browser) -> None:
    assert shown_secret(browser.see("/o/acme/hooks/new")) != shown_secret(browser.see("/o/acme/hooks/new"))


def test_a_secret_cannot_be_chosen_by_what_is_sent(browser, signed_in, ada, work) -> None:
    anothers = form_of(signed_in(ada).see("/o/acme/hooks/new"))["sealed_secret"]
    stored = [work.keys.seal("whsec_of_somebody").decode()]
    form = new_form(browser)

    for chosen in (anothers, stored, ["whsec_plain"], ["\u00fc"]):
        answer = browser.submit("/o/acme/hooks/new", {**form, "sealed_secret": chosen})
        page = BeautifulSoup(answer.text, "html.parser")
        assert answer.status_code == 422
        assert "no longer valid" in page.select_one("#sealed_secret-error-1").get_text()
        assert form_of(page)["sealed_secret"] != chosen
    assert work.session.scalar(select(HookSecret)) is None


def test_viewers_are_given_no_secret(signed_in, vi) -> None:
    browser = signed_in(vi)

    for part in ("preview", "dialect", "retry"):
        for htmx in (True, False):
            answer = browser.submit(f"/o/acme/hooks/parts/{part}", {"payload_format": "standard"}, htmx=htmx)
            assert answer.status_code == 200
            assert "whsec_" not in answer.text
    assert browser.get("/o/acme/hooks/new").status_code == 403
    assert browser.submit("/o/acme/hooks/new", {"try": "1", "url": NEW}).status_code == 403


# --- rotation -------------------------------------------------------------------------------------------------------


def secrets_of(work, hook) -> list[str]:
    work.session.commit()
    work.session.expire_all()
    return [text for _, text in hook_secrets.secrets_of(work, hook)]


def confirmed(answer) -> dict[str, str]:
    """Return the fields of the form that goes on."""
    form = BeautifulSoup(answer.text, "html.parser").select_one("main form.panel")
    return {one["name"]: one["value"] for one in form.select("input") if one["name"] != "csrf_token"}


@pytest.mark.parametrize("own", ["", "a secret of the receiver's that is long enough"])
def test_a_secret_that_ends_at_once_is_asked_about_first(browser, make_hook, work, own) -> None:
    hook = make_hook()
    [old] = secrets_of(work, hook)
    address = f"/o/acme/hooks/{hook.id}/secret/rotate"

    asked = browser.submit(address, {"overlap": "0", "version": hook.version, "secret": own})

    text = BeautifulSoup(asked.text, "html.parser").get_text(" ", strip=True)
    assert secrets_of(work, hook) == [old]
    assert "it refuses every request" in text
    assert hook_secrets.ending(old) in text
    assert old not in asked.text
    assert not own or own not in asked.text

    answer = browser.submit(address, confirmed(asked))

    [new] = secrets_of(work, hook)
    assert answer.status_code == 303
    assert new == own if own else new != old


def test_a_secret_carried_over_from_elsewhere_is_not_taken(browser, make_hook, work) -> None:
    hook = make_hook()
    before = secrets_of(work, hook)
    form = {"overlap": "0", "version": hook.version, "confirmed": "1", "sealed_secret": "made up"}

    answer = browser.submit(f"/o/acme/hooks/{hook.id}/secret/rotate", form)

    assert answer.status_code == 422
    assert "Type the secret again" in answer.text
    assert secrets_of(work, hook) == before


def test_the_end_of_an_overlap_is_asked_about_first(browser, make_hook, work) -> None:
    hook = make_hook()
    [old] = secrets_of(work, hook)
    new = hook_secrets.rotate(work, hook=hook).secret
    address = f"/o/acme/hooks/{hook.id}/secret/end-overlap"

    page = browser.see(f"/o/acme/hooks/{hook.id}/secret").get_text(" ", strip=True)
    asked = browser.get(address)
    stale = browser.submit(address, {**confirmed(asked), "version": "1"})

    assert (hook_secrets.ending(old) in page, hook_secrets.ending(new) in page) == (True, True)
    assert (hook_secrets.ending(old) in asked.text, hook_secrets.ending(new) in asked.text) == (True, True)
    assert stale.status_code == 409
    assert secrets_of(work, hook) == [new, old]

    assert browser.submit(address, confirmed(asked)).status_code == 303
    assert secrets_of(work, hook) == [new]
    assert browser.get(address).location == f"/o/acme/hooks/{hook.id}/secret"


def test_a_short_secret_is_not_given_away_by_its_end(browser, make_hook) -> None:
    hook = make_hook(secret="shorty-xyz9")

    assert "xyz9" not in browser.get(f"/o/acme/hooks/{hook.id}/secret").text


# --- what viewers see -----------------------------------------------------------------------------------------------


def test_viewers_see_only_harmless_headers_of_responses(signed_in, ada, vi, scene) -> None:
    scene.hook()
    [delivery] = scene.publish()
    headers = [["Set-Cookie", "canary"], ["X-Trace", "t1"], ["Server", "nginx"]]
    scene.attempt(delivery, response_headers=headers)

    def shown(person) -> dict[str, str]:
        page = signed_in(person).see(f"/o/acme/deliveries/{delivery.id}")
        rows = page.select("[aria-labelledby$=-response] table.headers tr")
        return {row.th.get_text(): row.td.get_text() for row in rows}

    assert shown(ada) == {"Set-Cookie": MASK, "X-Trace": "t1", "Server": "nginx"}
    assert shown(vi) == {"Set-Cookie": MASK, "X-Trace": MASK, "Server": "nginx"}


def test_the_result_of_a_test_shows_no_cookie(browser, make_hook, work) -> None:
    hook = make_hook()
    browser.submit(f"/o/acme/hooks/{hook.id}/test", {"event_type": "order.paid"})
    delivery = work.session.scalar(select(Delivery))
    finish(work, delivery)
    work.session.refresh(delivery, ["attempts"])
    delivery.attempts[0].response_headers = [["Set-Cookie", "canary"], ["X-Trace", "t1"]]
    work.session.commit()

    text = browser.see(f"/o/acme/hooks/{hook.id}?test={delivery.id}").get_text()

    assert "canary" not in text
    assert "t1" in text


def test_bins_show_viewers_only_harmless_headers(signed_in, ada, vi, work) -> None:
    bin_ = bins.create(work, organization=ada.organization, name="Shop")
    headers = [("X-Session", "canary"), ("X-Tenant", "t1"), ("webhook-signature", "v1,abc"), ("User-Agent", "curl")]
    catching.catch(work, key=bin_.key, method="POST", path=f"/in/{bin_.key}", headers=headers, body=b"")
    path = f"/o/acme/bins/{bin_.id}"

    editor, viewer = (signed_in(person).get(path).text for person in (ada, vi))

    assert [word in editor for word in ("canary", "t1", "v1,abc", "curl")] == [False, True, True, True]
    assert [word in viewer for word in ("canary", "t1<", "v1,abc", "curl")] == [False, False, False, True]
