"""APIs of other systems in the console: the switches, and what shows only while an API is on."""

from __future__ import annotations

from typing import Any

import pytest

from console.models import Hook
from console.services.event_types import catalogue
from console.services.organizations import exporting, foreign_apis
from console.services.work import Work
from tests.web.soup import words_of

APIS = "/o/acme/settings/apis"
TYPES = {"waldur": "ssh_key_creation_succeeded", "pretix": "pretix.event.order.paid", "oms": "package.created"}


def states(work: Work, person: Any) -> dict[str, str]:
    found = foreign_apis.states(work, organization_number=person.organization.number)
    work.session.rollback()
    return {name: str(state) for name, state in found.items()}


def test_an_admin_switches_an_api_on_and_is_asked_before_it_goes_off(signed_in: Any, ada: Any, work: Work) -> None:
    browser = signed_in(ada)

    on = browser.submit(f"{APIS}/pretix", {"is_on": "1"})
    page = browser.see(on.location)
    opener = page.select_one("a[href*='confirm=pretix']")
    question = browser.see(opener["href"])
    form = question.select_one("main form.panel")
    is_on = states(work, ada)["pretix"]
    browser.submit(form["action"], {"is_on": form.select_one("[name=is_on]")["value"]})

    assert "get 404" in words_of(question.select_one("main form.panel"))
    assert (is_on, states(work, ada)["pretix"]) == ("on", "off")
    assert [words_of(one) for one in browser.see(APIS).select("ul.items .badge")] == [
        "Not used yet",
        "Not used yet",
        "Off",
        "Not used yet",
    ]


def test_only_admins_see_the_switches(signed_in: Any, ed: Any, work: Work) -> None:
    browser = signed_in(ed)

    assert browser.get(APIS).status_code == 403
    assert browser.submit(f"{APIS}/oms", {"is_on": "0"}).status_code == 403
    assert states(work, ed)["oms"] == "automatic"


def test_an_api_that_does_not_exist_is_not_found(signed_in: Any, ada: Any) -> None:
    assert signed_in(ada).submit(f"{APIS}/stripe", {"is_on": "1"}).status_code == 404


@pytest.mark.parametrize("path", ["events/types", "hooks/new", "events/publish", "replays/new"])
@pytest.mark.parametrize(("api", "name"), TYPES.items())
def test_the_types_of_an_api_show_only_while_it_is_on(
    signed_in: Any, ada: Any, work: Work, path: str, api: str, name: str
) -> None:
    browser = signed_in(ada)

    def is_shown() -> bool:
        return name in browser.get(f"/o/acme/{path}").get_data(as_text=True).replace("<wbr/>", "").replace("<wbr>", "")

    before = is_shown()
    foreign_apis.switch(work, organization=ada.organization, api=api, is_on=True)
    on = is_shown()
    foreign_apis.switch(work, organization=ada.organization, api=api, is_on=False)

    assert (before, on, is_shown()) == (False, True, False)


@pytest.mark.parametrize(("api", "name"), TYPES.items())
def test_search_and_the_list_of_the_api_leave_out_types_of_an_api_that_is_not_on(
    signed_in: Any, ada: Any, ada_api: Any, switch_on: Any, api: str, name: str
) -> None:
    browser = signed_in(ada)

    def found() -> tuple[str | None, list[str]]:
        leads_to = browser.get(f"/o/acme/search?q={name}").location
        listed = ada_api.get("/api/v1/event-types", query_string={"q": name}).get_json()["data"]
        return leads_to, [one["name"] for one in listed]

    before = found()
    switch_on(ada, api)

    assert before == (None, [])
    assert found() == (f"/o/acme/events/types/{name}", [name])


def test_a_payload_format_is_offered_while_its_api_is_on_or_the_hook_has_it(
    signed_in: Any, ada: Any, make_hook: Any, switch_on: Any
) -> None:
    browser, hook = signed_in(ada), make_hook(payload_format="oms", event_types=["package.created"])

    def offered(path: str) -> list[str]:
        return [one["value"] for one in browser.see(f"/o/acme/hooks/{path}").select("#payload_format option")]

    none, own = offered("new"), offered(f"{hook.id}/edit")
    switch_on(ada, "pretix")

    assert none == []  # a single one is no choice
    assert own == ["standard", "oms"]
    assert offered("new") == ["standard", "pretix"]


def test_a_hook_that_names_types_and_groups_of_an_api_that_is_off_keeps_them_when_it_is_saved(
    signed_in: Any, ada: Any, make_hook: Any, work: Work
) -> None:
    hook = make_hook(event_types=["package.created"], event_groups=["ssh"], payload_format="oms")
    browser = signed_in(ada)
    page = browser.see(f"/o/acme/hooks/{hook.id}/edit")

    ticked = {one["value"] for one in page.select("#picker-list input[checked]")}
    fields = {
        one["name"]: one.get("value", "")
        for one in page.select("main form input[name]")
        if one.get("type", "text") in {"hidden", "text", "url"} and not one["name"].startswith("header_")
    }
    answer = browser.submit(
        f"/o/acme/hooks/{hook.id}/edit",
        fields
        | {
            "event_types": "package.created",
            "event_groups": "ssh",
            "payload_format": "oms",
            "content_type": "json",
            "which_sources": "any",
            "name": "Renamed",
        },
    )

    assert ticked == {"package.created", "ssh"}
    assert answer.status_code == 303
    work.session.expire_all()
    kept = work.session.get_one(Hook, hook.number)
    assert (kept.name, kept.event_types, kept.event_groups, kept.payload_format) == (
        "Renamed",
        ["package.created"],
        ["ssh"],
        "oms",
    )


def test_the_page_of_a_hook_says_nothing_of_apis_that_nobody_uses(
    signed_in: Any, ada: Any, make_hook: Any, work: Work, switch_on: Any
) -> None:
    hook, browser = make_hook(), signed_in(ada)

    def faces() -> list[str]:
        page = browser.see(f"/o/acme/hooks/{hook.id}")
        return [words_of(one) for one in page.select("[aria-labelledby=faces-title] .badge")]

    none = faces()
    switch_on(ada, "oms")
    some = faces()
    with work.transaction():
        hook.dialect = "waldur"

    assert none == []
    assert some == ["Hookyard", "OMS"]
    assert faces() == ["Hookyard", "OMS", "Waldur"]


def test_a_type_of_an_api_that_is_not_on_may_be_published_and_added_as_ones_own(
    signed_in: Any, ada: Any, ada_api: Any, make_hook: Any, work: Work, switch_on: Any
) -> None:
    make_hook(event_types=["package.created"])

    published = ada_api.post("/api/v1/events", json={"type": "package.created", "payload": {}}).get_json()
    seen = signed_in(ada).see("/o/acme/events/types").select_one("[aria-labelledby=unknown-title]")
    made = ada_api.post("/api/v1/event-types", json={"name": "package.created", "description": "Ours."})
    switch_on(ada, "oms")

    assert published["deliveries"] == 1
    assert "package.created" in seen.get_text()
    assert made.status_code == 201
    kept = catalogue.get(work, organization_number=ada.organization.number, name="package.created")
    assert (kept.description, kept.is_builtin) == ("Ours.", False)


def test_the_exported_configuration_says_which_apis_are_on(work: Work, ada: Any, switch_on: Any) -> None:
    switch_on(ada, "oms")

    exported = exporting.export(work, organization=ada.organization)

    assert exported["apis"] == {"waldur": "automatic", "web_v1": "automatic", "pretix": "automatic", "oms": "on"}
