"""Hooks of the dialects in the hook form: they are edited there, and an edit shows in the dialect."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import select

from console.models import Hook
from console.services.dialects import oms_hooks

OMS = "/api/v1/oms/oms_hooks/"
URL = "https://receiver.example.com/hook"
COUNTDOWN = {"choice": "fixed", "kwargs": {"seconds": 60}}
AUTH = {"auth_type": "basic", "username": "oms", "password": "canary"}
POSTS = {
    "/api/hooks-web/": {
        "destination_url": URL,
        "event_groups": ["ssh"],
        "event_types": ["customer_update_succeeded"],
        "content_type": "form",
    },
    "/api/v1/organizers/acme/webhooks/": {
        "target_url": URL,
        "all_events": False,
        "limit_events": [],
        "action_types": ["pretix.event.order.changed.*", "pretix.event.order.paid"],
        "comment": "Orders",
    },
    "/api/web/v1/webhooks": {
        "callbackUrl": URL,
        "events": ["package.created", "shipment.*"],
        "name": "Warehouse",
        "headers": {"X-Shop": "7", "Authorization": "Bearer canary"},
    },
    OMS: {
        "target_url": URL,
        "event_type": "package.created",
        "secret_key": "a shared secret",
        "callback": "publish_response",
        "additional_headers": {"X-Shop": "7"},
        "config": {"auth": AUTH, "shop": 7},
        "retry_countdown_config": COUNTDOWN,
    },
}


class Stage:
    """Ed's browser beside Ed's token."""

    def __init__(self, browser: Any, client: Any, token: str, work: Any) -> None:
        self.browser, self.client, self.token, self.work = browser, client, token, work

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self.work.session.commit()
        answer = self.client.open(path, method=method, json=body, headers={"Authorization": f"Token {self.token}"})
        assert answer.status_code in {200, 201}, answer.text
        return answer.get_json()

    def make(self, path: str, **fields: Any) -> tuple[str, dict[str, Any]]:
        """Make a hook through a dialect; give its path and what the dialect says of it."""
        made = self.call("POST", path, POSTS[path] | fields)
        slash = "/" if path.endswith("/") else ""
        one = f"{path.rstrip('/')}/{made.get('uuid', made.get('id'))}{slash}"
        return one, self.call("GET", one)

    def hook(self) -> Hook:
        """Give the newest hook."""
        self.work.session.commit()
        return self.work.session.scalars(
            select(Hook).order_by(Hook.number.desc()).limit(1), execution_options={"populate_existing": True}
        ).one()

    def see(self) -> BeautifulSoup:
        return self.browser.see(f"/o/acme/hooks/{self.hook().id}/edit")

    def submit(self, **changed: Any) -> Any:
        """Send the edit form as a browser does, with some fields *changed*; None takes a field away."""
        fields = fields_of(self.see())
        for name, value in changed.items():
            fields.pop(name, None)
            if value is not None:
                fields[name] = value
        return self.browser.submit(f"/o/acme/hooks/{self.hook().id}/edit", fields)

    def oms(self) -> dict[str, Any]:
        return self.call("GET", f"{OMS}{self.hook().number}/")


def fields_of(page: BeautifulSoup) -> dict[str, Any]:
    """Give what a browser would send of the form that edits a hook."""
    form = page.select_one("form.form")
    assert form
    fields: dict[str, Any] = {}
    for one in form.select("input[name], textarea[name], select[name]"):
        kind = one.get("type", "")
        if kind in {"checkbox", "radio"} and not one.has_attr("checked"):
            continue
        if one.name == "select":
            chosen = one.select_one("option[selected]") or one.select_one("option")
            value = chosen["value"] if chosen else ""
        else:
            value = one.get_text().removeprefix("\n") if one.name == "textarea" else one.get("value", "y")
        fields.setdefault(str(one["name"]), []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items() if name != "csrf_token"}


@pytest.fixture
def stage(signed_in: Any, app: Flask, token_of: Any, ed: Any, work: Any) -> Stage:
    hooks = ("WEBHOOKS:VIEW", "WEBHOOKS:ADD", "WEBHOOKS:EDIT", "WEBHOOKS:REMOVE")
    return Stage(signed_in(ed), app.test_client(), token_of(ed, *hooks), work)


NAMES = ("Waldur", "pretix", "web/v1", "OMS")
CHANGING = {"modified", "modified_date", "updated"}


@pytest.mark.parametrize("path", POSTS)
def test_a_form_that_is_saved_as_it_is_changes_nothing_in_the_dialect(stage: Stage, path: str) -> None:
    one, before = stage.make(path)
    kept = stage.hook().dialect_data

    answer = stage.submit()

    assert answer.status_code == 303, BeautifulSoup(answer.text, "html.parser").select(".field-error, .error-summary")
    after = stage.call("GET", one)
    assert {name: value for name, value in after.items() if name not in CHANGING} == {
        name: value for name, value in before.items() if name not in CHANGING
    }
    assert stage.hook().dialect_data == kept


@pytest.mark.parametrize(
    "countdown",
    [
        {"choice": "linear", "kwargs": {"base": 5}},
        {"choice": "exponential", "kwargs": {"base": 2}},
        {"choice": "exponential", "kwargs": {"base": 2, "factor": 3, "limit": 600}},
        {"choice": "random", "kwargs": {"min_value": 1, "max_value": 9}},
    ],
)
def test_a_countdown_survives_the_form(stage: Stage, countdown: dict[str, Any]) -> None:
    stage.make(OMS, retry_countdown_config=countdown)

    assert stage.submit(name="Renamed").status_code == 303

    assert stage.hook().name == "Renamed"
    assert stage.oms()["retry_countdown_config"] == countdown


@pytest.mark.parametrize(("path", "name"), list(zip(POSTS, NAMES, strict=True)))
def test_a_hook_wears_the_badge_of_its_dialect_and_is_in_the_native_api(stage: Stage, path: str, name: str) -> None:
    stage.make(path)

    assert name in stage.browser.see(f"/o/acme/hooks/{stage.hook().id}").select_one("main").get_text()
    assert name in stage.browser.see("/o/acme/hooks").select_one("main table").get_text()
    assert stage.call("GET", f"/api/v1/hooks/{stage.hook().id}")["url"] == URL


def test_what_oms_keeps_is_in_the_form_but_for_the_password(stage: Stage) -> None:
    stage.make(OMS)

    page = stage.see()

    fields = fields_of(page)
    assert fields["oms_username"] == "oms"
    assert fields["oms_callback"] == "publish_response"
    assert fields["oms_signs"] == "y"
    assert '"shop": 7' in fields["oms_config"]
    assert "canary" not in str(page)
    assert "Kept unless" in page.select_one("#oms_password-help").get_text()


def test_an_edit_of_it_shows_in_the_dialect(stage: Stage) -> None:
    stage.make(OMS)

    stage.submit(
        oms_username="robot",
        oms_password="other",
        oms_callback="",
        oms_config='{"shop": 8, "more": [1]}',
        retry_seconds="5",
        header_name=["X-Shop"],
        header_value=["8"],
    )

    shown = stage.oms()
    assert shown["config"] == {"auth": AUTH | {"username": "robot", "password": "other"}, "shop": 8, "more": [1]}
    assert (shown["callback"], shown["secret_key"]) == (None, "a shared secret")
    assert shown["retry_countdown_config"] == {"choice": "fixed", "kwargs": {"seconds": 5}}
    assert shown["additional_headers"] == {"X-Shop": "8"}


def test_a_password_is_kept_with_another_user_name_and_goes_with_none(stage: Stage) -> None:
    stage.make(OMS)

    stage.submit(oms_username="robot")
    assert stage.oms()["config"]["auth"] == AUTH | {"username": "robot"}

    stage.submit(oms_username="")
    assert stage.oms()["config"] == {"shop": 7}


def test_a_signature_is_switched_off_and_on(stage: Stage) -> None:
    stage.make(OMS)

    stage.submit(oms_signs=None)
    assert stage.oms()["secret_key"] is None
    assert not oms_hooks.fields_of(stage.work, stage.hook()).signs("oms")

    stage.submit(oms_signs="y")
    assert oms_hooks.fields_of(stage.work, stage.hook()).signs("oms")
    assert stage.oms()["secret_key"] is None  # it was never given as one of oms


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("oms_config", "{", "JSON"),
        ("oms_config", "[1]", "JSON object"),
        ("oms_config", '{"auth": 1}', "above"),
        ("oms_callback", "os.system", "no such callback"),
    ],
)
def test_what_cannot_be_is_said_under_its_field(stage: Stage, field: str, value: str, words: str) -> None:
    stage.make(OMS)
    kept = stage.hook().dialect_data

    answer = stage.submit(**{field: value})

    page = BeautifulSoup(answer.text, "html.parser")
    assert answer.status_code == 422
    assert any(words in one.get_text() for one in page.select(".field-error"))
    assert stage.hook().dialect_data == kept


def test_a_user_name_needs_a_password(stage: Stage) -> None:
    stage.make(OMS, config={})

    answer = stage.submit(oms_username="robot")

    assert (answer.status_code, "Give the password" in answer.text) == (422, True)
    assert stage.oms()["config"] == {}


def test_an_auth_of_another_kind_is_kept_as_it_is(stage: Stage) -> None:
    stage.make(OMS, config={"auth": {"auth_type": "digest"}})

    stage.submit(oms_config='{"a": 1}')

    assert stage.oms()["config"] == {"a": 1, "auth": {"auth_type": "digest"}}


def test_a_hook_for_oms_is_made_in_the_console(stage: Stage) -> None:
    form = {
        "name": "Made here",
        "url": URL,
        "payload_format": "oms",
        "content_type": "json",
        "event_types": ["package.created"],
        "retry_kind": "fixed",
        "retry_seconds": "1",
        "oms_shown": "1",
        "oms_signs": "y",
        "oms_username": "robot",
        "oms_password": " with spaces ",
    }

    assert stage.browser.submit("/o/acme/hooks/new", form).status_code == 303

    shown = stage.oms()
    assert shown["config"] == {"auth": {"auth_type": "basic", "username": "robot", "password": " with spaces "}}
    assert oms_hooks.fields_of(stage.work, stage.hook()).signs("oms")


def test_without_the_fields_in_the_form_nothing_of_oms_changes(stage: Stage) -> None:
    stage.make(OMS)
    kept = stage.hook().dialect_data

    stage.submit(oms_shown=None, oms_signs=None, oms_username=None, oms_config=None, oms_callback=None)

    assert stage.hook().dialect_data == kept


@pytest.mark.parametrize("payload_format", ["standard", "waldur", "pretix", "oms"])
def test_the_preview_is_what_the_format_sends(stage: Stage, payload_format: str) -> None:
    form = {"url": URL, "payload_format": payload_format, "content_type": "json", "event_types": ["package.created"]}

    asked = stage.browser.submit("/o/acme/hooks/parts/preview", form, htmx=True)

    words = BeautifulSoup(asked.text, "html.parser").get_text()
    keys = {"standard": '"data"', "waldur": '"levelname"', "pretix": '"notification_id"', "oms": '"payload"'}
    assert keys[payload_format] in words


def test_choosing_the_format_brings_its_fields(stage: Stage) -> None:
    def asked(part: str, **fields: str) -> BeautifulSoup:
        path = f"/o/acme/hooks/parts/{part}"
        answer = stage.browser.submit(path, {"url": URL, **fields}, htmx=True)
        return BeautifulSoup(answer.text, "html.parser")

    assert asked("dialect", payload_format="pretix").select("input") == []
    assert asked("dialect", payload_format="oms").select_one("#oms_signs[checked]")
    preview = asked("preview", payload_format="oms", oms_shown="1", oms_signs="y", oms_username="robot").get_text()
    assert "X-Whisperer-Event" in preview
    assert "X-Whisperer-Signature" in preview
    assert "Basic ••••" in preview


def test_two_people_who_changed_a_hook_see_no_password(stage: Stage) -> None:
    stage.make(OMS)
    fields = fields_of(stage.see())
    stage.submit(name="Theirs")

    path = f"/o/acme/hooks/{stage.hook().id}/edit"
    answer = stage.browser.submit(path, fields | {"name": "Yours", "oms_password": "typed-canary"})

    assert answer.status_code == 409
    assert "canary" not in answer.text
