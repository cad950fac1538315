"""Parts of a form that are asked for at every key, and all errors of a form at once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from benchmarks.pages import noted
from console.core.errors import Invalid
from console.services.event_types import catalogue
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.web.hx import Later
from tests.web.soup import soup_of

HTMX = {"HX-Request": "true"}
PARTS = "/o/acme/hooks/parts"
TYPED = {"url": "https://shop.example.com/hook", "patterns": "order.*", "filter": "total > `1`", "retry_kind": "fixed"}
OF_EVERY_REQUEST = 4
"""Queries for the session, the organization, the role, and the APIs that are on."""

MOST = {
    "url_words": 0,
    "dialect": 0,
    "retry": 0,
    "times": 0,
    "matching": 3,
    "filter_words": 5,
    "preview": 5,
}
"""The queries of each part beyond those."""


@pytest.mark.parametrize("part", MOST)
def test_a_part_of_the_hook_form_asks_only_what_it_shows(app, signed_in, ada, scene, part: str) -> None:
    scene.hook()
    scene.publish()
    browser = signed_in(ada)
    form = {**TYPED, "csrf_token": browser.token()}
    browser.post(f"{PARTS}/{part}", data=form, headers=HTMX)

    with noted(app) as statements:
        answer = browser.post(f"{PARTS}/{part}", data=form, headers=HTMX)

    assert answer.status_code == 200
    asked = [one.sql for one in statements if one.sql.lstrip().upper().startswith("SELECT")]
    assert len(asked) <= OF_EVERY_REQUEST + MOST[part], "\n".join(asked)


def test_what_is_computed_late_is_computed_once() -> None:
    seen: list[int] = []
    late = Later(lambda: seen.append(1) or len(seen))

    assert (late.value(), late.value(), seen) == (1, 1, [1])


WRONG: dict[str, Any] = {
    "url": "nonsense",
    "name": "x" * 201,
    "patterns": "a..b",
    "filter": "total >",
    "retry_kind": "fixed",
    "retry_seconds": "soon",
    "retry_attempts": "many",
    "timeout": "forever",
    "max_in_flight": "999",
    "header_name": ["", "Host"],
    "header_value": ["lonely", "x"],
}


@pytest.mark.parametrize("way", ["new", "edit", "try"])
def test_the_hook_form_says_all_that_is_wrong_at_once(signed_in, ada, make_hook, session: Session, way: str) -> None:
    hook = make_hook()
    path = f"/o/acme/hooks/{hook.id}/edit" if way == "edit" else "/o/acme/hooks/new"
    typed = {**WRONG, "version": str(hook.version), **({"try": "1"} if way == "try" else {})}

    answer = signed_in(ada).submit(path, typed)

    assert answer.status_code == 422
    summary = soup_of(answer).select_one("[data-error-summary]")
    assert summary is not None
    named = {link["href"].removeprefix("#") for link in summary.select("a")}
    assert named >= {
        "url",
        "name",
        "patterns",
        "filter",
        "retry_seconds",
        "retry_attempts",
        "timeout",
        "max_in_flight",
        "headers",
    }


def test_an_error_that_the_form_knows_is_said_once(signed_in, ada) -> None:
    answer = signed_in(ada).submit("/o/acme/hooks/new", {"url": "", "timeout": "x"})

    assert [len(one.select("a")) for one in soup_of(answer).select("[data-error-summary]")] == [2]


def test_the_form_of_an_event_type_says_all_that_is_wrong_at_once(signed_in, ada) -> None:
    typed = {"name": "", "sample": "{", "schema": "]"}

    answer = signed_in(ada).submit("/o/acme/events/new-type", typed)

    links = soup_of(answer).select("[data-error-summary] a")
    assert {link["href"] for link in links} == {"#name", "#sample", "#schema"}


@pytest.mark.parametrize(
    ("path", "typed", "named"),
    [
        (
            "events/new-type",
            {"name": "a b", "groups": "-", "sample": "{", "schema": "{}"},
            ["name", "groups", "sample"],
        ),
        ("events/new-type", {"name": "", "groups": "-", "checks": "y"}, ["name", "groups", "checks"]),
        ("events/new-type", {"name": "a.b", "schema": "{", "checks": "y"}, ["schema"]),
        ("events/edit-type/order.paid", {"groups": "-", "sample": "{", "checks": "y"}, ["groups", "sample", "checks"]),
        ("events/publish", {"type": "a b", "payload": "{", "key": "x" * 300}, ["type", "payload", "key"]),
        ("events/publish", {"type": "", "payload": "", "object_pk": "x" * 300}, ["type", "payload", "object_pk"]),
        ("settings/sources", {"slug": "a b", "name": "x" * 300}, ["slug", "name"]),
    ],
)
def test_what_a_form_knows_and_what_its_service_knows_is_said_at_once_and_once(
    signed_in, ada, work, path: str, typed: dict[str, str], named: list[str]
) -> None:
    catalogue.create(work, organization_number=ada.organization.number, name="order.paid")

    answer = signed_in(ada).submit(f"/o/acme/{path}", typed)

    assert answer.status_code == 422
    links = [link["href"].removeprefix("#") for link in soup_of(answer).select("[data-error-summary] a")]
    assert sorted(links) == sorted(named)


def test_the_service_names_every_bad_part_of_a_field(work, ada) -> None:
    draft = HookDraft(
        url="https://shop.example.com/", event_groups=["no", "none"], rate_limit={"count": 0, "seconds": 0}
    )

    with pytest.raises(Invalid) as refused:
        hooks.create(work, organization_number=ada.organization.number, author_number=None, draft=draft)

    pointers = {one.pointer for one in refused.value.fields}
    assert pointers == {"/event_groups/0", "/event_groups/1", "/rate_limit/count", "/rate_limit/seconds"}
