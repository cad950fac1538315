"""Stored credentials of a hook stay with the destination that they were given for."""

from __future__ import annotations

import json

import pytest

from console.core.errors import Invalid
from console.models import Hook
from console.services.dialects import oms_hooks
from console.services.dialects.oms_hooks import OmsFields
from console.services.hooks import hook_secrets, hooks, trials
from console.services.hooks.credentials import Kept
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work

URL = "https://shop.example.com/hook"
SECRET_HEADERS = {"Authorization": "Bearer canary", "X-Shop": "berlin"}
AUTH = {"auth_type": "basic", "username": "erp", "password": "hunter2"}
ELSEWHERE = [
    "https://evil.example.com/hook",
    "https://shop.example.com:8443/hook",
    "http://shop.example.com/hook",
    "http://shop.example.com:443/hook",
    "https://shop.example.com.evil.example.com/hook",
]
SAME_PLACE = [
    "https://shop.example.com/another?path=1",
    "https://shop.example.com:443/hook",
    "https://SHOP.example.com/hook",
]


@pytest.fixture
def make(work: Work, ada):
    """Make a hook with secret headers unless told: ``make(headers={})``."""

    def make(**fields: object) -> Hook:
        draft = HookDraft(**{"url": URL, "headers": SECRET_HEADERS, **fields})
        return hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft).hook

    return make


def refused(work: Work, hook: Hook, **fields: object) -> dict[str, str]:
    """Return what a change is refused for, by pointer."""
    with pytest.raises(Invalid) as caught:
        hooks.change(work, hook=hook, draft=HookDraft(**fields))
    work.session.rollback()
    return {one.pointer: one.message for one in caught.value.fields}


def with_password(work: Work) -> dict[str, object]:
    return oms_hooks.keeping(work, None, fields=OmsFields(config={"auth": AUTH}), posted=None)


# --- another destination --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_secret_header_does_not_follow_the_url_to_another_scheme_host_or_port(work: Work, make, url: str) -> None:
    hook = make()

    left_out = refused(work, hook, url=url)
    kept = refused(work, hook, url=url, headers={"Authorization": Kept("Authorization"), "X-Shop": "berlin"})

    assert left_out == kept
    assert list(kept) == ["/headers/Authorization"]
    assert "it was given for https://shop.example.com and is not sent anywhere else" in kept["/headers/Authorization"]
    assert "canary" not in str(kept)
    assert hook.url == URL


@pytest.mark.parametrize("url", SAME_PLACE)
@pytest.mark.both_databases
def test_a_secret_header_stays_while_scheme_host_and_port_do(work: Work, make, url: str) -> None:
    hook = make()

    hooks.change(work, hook=hook, draft=HookDraft(url=url))
    hooks.change(work, hook=hook, draft=HookDraft(headers={"Authorization": Kept("authorization")}, name="New"))

    assert hook_secrets.headers_of(work, hook) == {"Authorization": "Bearer canary"}


def test_whoever_knows_the_value_gives_it_again_or_removes_the_header(work: Work, make) -> None:
    hook, other = make(), make()

    hooks.change(work, hook=hook, draft=HookDraft(url=ELSEWHERE[0], headers=SECRET_HEADERS))
    hooks.change(work, hook=other, draft=HookDraft(url=ELSEWHERE[0], headers={}))

    assert hook_secrets.headers_of(work, hook) == SECRET_HEADERS
    assert hook_secrets.headers_of(work, other) == {}


def test_headers_that_editors_see_follow_the_url(work: Work, make) -> None:
    hook = make(headers={"X-Shop": "berlin"})

    hooks.change(work, hook=hook, draft=HookDraft(url=ELSEWHERE[0]))

    assert hook_secrets.headers_of(work, hook) == {"X-Shop": "berlin"}


def test_an_old_url_that_breaks_the_rules_of_today_keeps_its_credentials_to_itself(work: Work, make) -> None:
    hook = make()
    hook.url = "https://shop.example.com/a b"
    work.session.commit()

    assert list(refused(work, hook, url=URL)) == ["/headers/Authorization"]
    hooks.change(work, hook=hook, draft=HookDraft(name="New"))


def test_a_password_does_not_follow_the_url_whatever_the_payload_format(work: Work, make) -> None:
    hook = make(headers={}, dialect_data=with_password(work))
    same = {**hook.dialect_data, "waldur": {"event_groups": []}}

    for fields in ({}, {"dialect_data": same}, {"payload_format": "oms"}):
        assert list(refused(work, hook, url=ELSEWHERE[0], **fields)) == ["/url"]
    hooks.change(work, hook=hook, draft=HookDraft(url=SAME_PLACE[0]))
    new = HookDraft(url=ELSEWHERE[0], dialect_data=with_password(work), has_new_password=True)
    hooks.change(work, hook=hook, draft=new)
    assert oms_hooks.fields_of(work, hook).config == {"auth": AUTH}


def test_a_test_of_an_unsaved_change_takes_no_credential_elsewhere(work: Work, make, ada) -> None:
    hook = make(dialect_data=with_password(work))
    number = ada.organization.number

    for headers in ({"Authorization": Kept("Authorization")}, {}):
        draft = HookDraft(url=ELSEWHERE[0], headers=headers)
        with pytest.raises(Invalid):
            trials.send(work, organization_number=number, author_number=None, draft=draft, like=hook)
    draft = HookDraft(url=SAME_PLACE[0], headers={"X-Auth": Kept("Authorization")})
    sent = trials.send(work, organization_number=number, author_number=None, draft=draft, like=hook)

    assert hook_secrets.headers_of(work, sent.hook) == {"X-Auth": "Bearer canary"}
    assert oms_hooks.fields_of(work, sent.hook).config == {"auth": AUTH}


# --- kept values ----------------------------------------------------------------------------------------------------


def test_a_kept_value_moves_to_the_new_name_of_its_header(work: Work, make) -> None:
    hook = make()

    hooks.change(work, hook=hook, draft=HookDraft(headers={"X-Authorization": Kept("Authorization")}))

    assert hook_secrets.headers_of(work, hook) == {"X-Authorization": "Bearer canary"}


def test_a_kept_value_does_not_move_to_a_name_whose_value_is_shown(work: Work, make) -> None:
    hook = make()

    for name in ("X-Shop", "User-Agent"):
        assert "would be shown" in refused(work, hook, headers={name: Kept("Authorization")})[f"/headers/{name}"]
    assert hook_secrets.headers_of(work, hook) == SECRET_HEADERS


def test_a_value_that_is_not_stored_cannot_be_kept(work: Work, make, ada) -> None:
    hook, number = make(), ada.organization.number

    assert "No value is stored" in refused(work, hook, headers={"X-Key": Kept("X-Key")})["/headers/X-Key"]
    draft = HookDraft(url=URL, headers={"X-Key": Kept("X-Key")})
    with pytest.raises(Invalid):
        hooks.create(work, organization_number=number, author_number=None, draft=draft)


def test_a_secret_header_needs_a_value(work: Work, make) -> None:
    hook = make()

    assert list(refused(work, hook, headers={"X-Api-Key": "", "X~Key": "", "X-Empty": ""})) == [
        "/headers/X-Api-Key",
        "/headers/X~0Key",
    ]


def test_a_hook_stored_with_an_empty_secret_header_can_still_be_changed(work: Work, make) -> None:
    hook = make()
    hook.sealed_headers = work.keys.seal(json.dumps({"X-Api-Key": ""}))
    work.session.commit()

    hooks.change(work, hook=hook, draft=HookDraft(name="New"))

    assert hook.name == "New"
