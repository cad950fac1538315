"""Changing the organization: a menu that a search narrows, and a page with all of them."""

from __future__ import annotations

import pytest

from console.services.organizations import organizations
from tests.web.conftest import HTMX
from tests.web.soup import soup_of

MANY = 130


@pytest.fixture
def staff(work, ada, mallory):
    """Ada, who may enter more organizations than any menu shows, and acme, the first of them."""
    with work.transaction():
        ada.user.is_staff = True
        for number in range(MANY):
            organizations.add_within(work, slug=f"org-{number:03}", name=f"Customer {number:03}")
    return ada


def _names(part) -> list[str]:
    return [link.span.get_text() for link in part.select("ul.ways a") if link.span]


def test_the_menu_finds_an_organization_beyond_those_it_shows(signed_in, staff) -> None:
    browser = signed_in(staff)
    menu = browser.see("/o/acme/").select_one("details.switcher")

    field = menu.select_one("input[type=search]")
    found = soup_of(browser.get(f"{field['hx-get']}?q=CUSTOMER+129", headers=HTMX))

    assert "Customer 129" not in _names(menu)
    assert field["hx-target"] == "#switcher-results"
    assert menu.select_one("#switcher-results")
    assert [link["href"] for link in found.select("a")] == ["/o/org-129/"]
    assert found.select("h1") == [], "htmx gets the lines alone"


def test_without_javascript_the_search_leads_to_a_page_with_what_matches(signed_in, staff) -> None:
    browser = signed_in(staff)
    form = browser.see("/o/acme/").select_one("details.switcher form")

    page = browser.see(f"{form['action']}?q=org-12")

    assert (form["method"], form.select_one("input")["name"]) == ("get", "q")
    assert _names(page.main) == [f"Customer {number}" for number in range(120, 130)]
    assert "No organization of yours is called “nowhere”" in browser.see("/organizations?q=nowhere").main.get_text()


def test_the_page_leads_through_all_of_them(signed_in, staff) -> None:
    browser, seen, path = signed_in(staff), [], "/organizations"
    while path:
        page = browser.see(path).main
        seen += _names(page)
        more = page.find("a", string="More organizations")
        path = more["href"] if more else None

    assert len(seen) == len(set(seen)) == MANY + 2
    assert {"Customer 000", "Customer 129"} <= set(seen)


def test_the_page_marks_where_one_is_and_is_reached_from_the_menu(signed_in, staff) -> None:
    browser = signed_in(staff)
    menu = browser.see("/o/acme/").select_one("details.switcher")

    page = browser.see(menu.find("a", string="All organizations")["href"])

    assert page.main.select_one("a[aria-current]")["href"] == "/o/acme/"


def test_nobody_sees_the_organizations_of_others(signed_in, client, ed, mallory) -> None:
    page = signed_in(ed).see("/organizations?q=e")

    assert [link["href"] for link in page.main.select("ul.ways a")] == ["/o/acme/"]
    assert page.select("details.switcher") == []
    assert client.get("/organizations").status_code == 303
