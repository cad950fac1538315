"""Every template and block, in every state of what it shows, as a whole page, as htmx gets it, and alone.

The addresses come from the routes, the forms from the pages, the blocks from the templates: what is new is visited, or
the last tests say that nothing renders it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Any

import pytest
from bs4 import BeautifulSoup, SoupStrainer, Tag
from werkzeug.routing import Rule

from console.models import DeliveryState
from tests.web.matrix_stage import House, Recorder, asked_blocks, build

HTMX = {"HX-Request": "true"}
ENDS = (
    "delete",
    "remove",
    "close",
    "revoke",
    "/end",
    "logout",
    "sign",
    "withdraw",
    "clear",
    "password",
    "/off",
    "people",
)
"""What ends something that others show: such forms are sent last."""

ADDRESSES = re.compile(r'\b(formaction|action|hx-get)="([^"]*)"')
QUERIES = (
    "?confirm=delete",
    "?confirm=clear",
    "?confirm=resend",
    "?confirm=cancel",
    "?confirm=pretix",
    "?state=failed",
    "?state=nonsense",
    "?q=nothing",
    "?test={test}",
)

ELSEWHERE = {
    "base.html": "its blocks are all filled by pages",
    "plain.html": "its blocks are all filled by pages",
    "deliveries/relist.html": "when more is new than a poll brings; test_deliveries_pages.py",
    "home/nowhere.html": "somebody in no organization; test_sessions_pages.py",
    "joining/show.html": "opened by a link; test_joining_pages.py",
    "sessions/code.html": "the second step of signing in; test_two_factor_pages.py",
    "deliveries/tail.html": "when something is new; test_deliveries_pages.py",
    "setup/link.html": "while nobody is an admin; test_setup_pages.py",
    "setup/show.html": "while nobody is an admin; test_setup_pages.py",
}
"""Pages of one state of the installation or of a person, and who looks at them."""


@dataclass
class Visited:
    """What came of all visits: requests that failed, and the forms and parts that pages showed, one of each kind."""

    broken: list[str] = field(default_factory=list)
    forms: dict[tuple[Any, ...], tuple[str, dict[str, list[str]]]] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    read: set[tuple[str, str]] = field(default_factory=set)


def get_rules(app) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and of_the_console(app, rule)]


def of_the_console(app, rule: Rule) -> bool:
    return app.view_functions[rule.endpoint].__module__.startswith("console.web") and rule.endpoint != "catch.catch"


def addresses(rule: Rule, house: House, *, organization: str = "acme") -> Iterator[str]:
    """Yield the addresses of a route, for everything that it can show."""
    values = dict(house.values) | {"organization": [organization]}
    if rule.endpoint == "hooks.trial_result":
        values["delivery_id"] = values["trial"]
    if rule.endpoint == "hooks.test_result":
        values |= {"hook_id": [house.hooks[0].id], "delivery_id": [one.id for one in house.tests]}
    names = sorted(rule.arguments)
    missing = [name for name in names if name not in values]
    assert not missing, f"{rule.rule} is new: say in matrix_stage.py which {missing} it shows"
    for chosen in product(*(values[name] for name in names)):
        built = rule.build(dict(zip(names, chosen, strict=True)))
        assert built is not None
        yield built[1]


def visit(browser, house: House, rules: list[Rule], visited: Visited, *, organization: str = "acme") -> None:
    """Look at the first things that each page can show."""
    for rule in rules:
        for path in islice(addresses(rule, house, organization=organization), 2):
            get(browser, path, visited)


def visit_thoroughly(browser, house: House, rules: list[Rule], visited: Visited) -> None:
    """Look at everything, whole and as htmx asks for it, and at the first page of a route with each query."""
    for rule in rules:
        for place, path in enumerate(addresses(rule, house)):
            is_page = look_at(browser, path, visited)
            get(browser, path, visited, headers=HTMX)
            if is_page and not place:
                for query in QUERIES:
                    look_at(browser, path + query.format(test=house.tests[0].id), visited)
    for path in list(visited.parts.values()):
        get(browser, path, visited, headers=HTMX)


def look_at(browser, path: str, visited: Visited) -> bool:
    """Get a page and read its forms; return whether it is one."""
    answer = get(browser, path, visited)
    is_page = answer.mimetype == "text/html" and answer.status_code == 200
    if is_page:
        collect(answer.text, visited)
    return is_page


def get(browser, path: str, visited: Visited, *, headers: dict[str, str] | None = None):
    answer = browser.get(path, headers=headers or {})
    if answer.status_code >= 500:
        visited.broken.append(f"{answer.status_code} GET {path} {headers}")
    return answer


def collect(page: str, visited: Visited) -> None:
    """Keep one form and one address of a part of each kind: by address without ids, and by the names of the fields."""
    shapes = {(kind, shape_of(address)) for kind, address in ADDRESSES.findall(page)}
    if shapes <= visited.read:
        return  # reading a page takes longer than rendering it
    visited.read |= shapes
    soup = BeautifulSoup(page, "html.parser", parse_only=SoupStrainer(["form", "div", "section", "span", "a"]))
    for form in soup.select("form[method=post]"):
        for action in {form["action"], *(one["formaction"] for one in form.select("[formaction]"))}:
            fields = fields_of(form)
            visited.forms.setdefault((shape_of(action), *sorted(fields)), (action, fields))
    for part in soup.select("[hx-get]"):
        visited.parts.setdefault(shape_of(part["hx-get"]), part["hx-get"])


def shape_of(address: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", address.partition("?")[0])


def fields_of(form: Tag) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for control in form.select("input[name], textarea[name], select[name]"):
        name, kind = control["name"], control.get("type")
        if kind in {"checkbox", "radio"} and not control.has_attr("checked"):
            continue
        option = control.select_one("option[selected]") or control.select_one("option")
        value = option.get("value", "") if option else control.get("value") or control.get_text()
        fields.setdefault(name, []).append(value)
    ids = [box["value"] for box in form.select("[name=ids]")]
    fields.pop("csrf_token", None)
    return fields | ({"ids": ids} if ids else {})


def send(browser, visited: Visited) -> None:
    """Send every form, as it is and empty, by htmx and without; what ends things comes last."""
    ordered = sorted(visited.forms.values(), key=lambda one: any(word in one[0] for word in ENDS))
    for action, fields in ordered:
        for data, htmx in product(({}, fields), (True, False)):
            answer = browser.submit(action, dict(data), htmx=htmx)
            if answer.status_code >= 500:
                visited.broken.append(f"{answer.status_code} POST {action} {data} {htmx}")


@pytest.mark.timeout(300)
def test_everything_is_rendered_in_every_state(
    app, scene, work, ada, ed, vi, mallory, signed_in, clock, monkeypatch
) -> None:
    """No template fails, each is rendered, and each part that a view can answer with is rendered alone."""
    recorder, visited = Recorder(app), Visited()
    monkeypatch.setattr(app, "testing", False)  # a template that fails is an answer with 500: all of them are told
    house = build(scene, work, ada, clock)
    mallory.user.is_staff = True
    work.session.commit()
    rules = get_rules(app)
    assert {one.state for one in house.deliveries} == set(DeliveryState)

    with recorder.recording():
        for browser in (app.test_client(), signed_in(vi), signed_in(ed)):
            visit(browser, house, rules, visited)
        visit(signed_in(mallory), house, rules, visited, organization=mallory.organization.slug)
        get(signed_in(mallory), f"/o/{mallory.organization.slug}/settings/people", visited, headers=HTMX)
        recorder.repeats = True
        visit_thoroughly(signed_in(ada), house, rules, visited)
        recorder.repeats = False
        row = f"/o/acme/deliveries/{house.deliveries[0].id}/resend"
        visited.forms["a row of a list",] = row, {"row": ["plain"]}
        send(signed_in(ada), visited)

    assert visited.broken == []
    names = set(app.jinja_env.list_templates())
    blocks = {(name, block) for name in names for block in app.jinja_env.get_template(name).blocks}
    unseen = {name for name, _ in blocks - recorder.inside - recorder.alone} | (names - recorder.templates)
    assert unseen - {name for name, _ in recorder.alone} == set(ELSEWHERE)
    assert asked_blocks() - recorder.alone == set()
