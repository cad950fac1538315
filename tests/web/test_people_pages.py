"""The people of the installation: a page for staff alone."""

from __future__ import annotations

import pytest

from console.core.permissions import Permission
from console.services.people import tokens

PATH = "/o/acme/settings/people"


@pytest.fixture
def staff(work, ada):
    """Ada, who runs the installation."""
    with work.transaction():
        ada.user.is_staff = True
    return ada


def _row(page, email: str):
    return next(row for row in page.select("tbody tr") if row.strong.get_text() == email)


def test_staff_see_everybody_and_find_people_by_name(signed_in, staff, ed, mallory) -> None:
    browser = signed_in(staff)

    page, found = browser.see(PATH), browser.see(f"{PATH}?q=mall")

    assert {row.strong.get_text() for row in page.select("tbody tr")} == {
        "ada@example.com",
        "ed@example.com",
        "mallory@example.com",
    }
    assert [row.strong.get_text() for row in found.select("tbody tr")] == ["mallory@example.com"]
    assert "elsewhere" in _row(page, "mallory@example.com").get_text()
    assert "Nobody matches “nowhere”" in browser.see(f"{PATH}?q=nowhere").get_text()
    assert _row(page, "ada@example.com").select("a") == [], "nobody does it to the own account"


def test_deactivating_asks_with_the_tokens_that_end_and_signs_out(signed_in, staff, ed, work) -> None:
    tokens.issue(
        work, user=ed.user, organization=ed.organization, permissions=[Permission.EVENTS_VIEW], name="Shop of Ed"
    )
    browser, eds = signed_in(staff), signed_in(ed)
    link = _row(browser.see(PATH), "ed@example.com").find("a", string="Deactivate")["href"]

    asked = browser.see(link)
    assert "Shop of Ed" in asked.get_text()
    assert eds.get("/o/acme/").status_code == 200, "asking changes nothing"
    answer = browser.submit(asked.select_one("main form")["action"])

    page = browser.see(answer.location)
    assert "ed@example.com can no longer sign in." in page.get_text()
    assert "deactivated" in _row(page, "ed@example.com").get_text()
    assert eds.get("/o/acme/").status_code == 303

    browser.submit(_row(page, "ed@example.com").find("a", string="Activate")["href"])
    assert signed_in(ed).get("/o/acme/").status_code == 200


def test_staff_is_made_and_ended(signed_in, staff, ed, mallory) -> None:
    browser = signed_in(staff)
    link = _row(browser.see(PATH), "mallory@example.com").find("a", string="Make staff")["href"]

    browser.see(link)
    browser.submit(link)
    assert signed_in(mallory).get("/o/acme/").status_code == 200

    browser.submit(_row(browser.see(PATH), "mallory@example.com").find("a", string="End staff")["href"])
    assert signed_in(mallory).get("/o/acme/").status_code == 404


def test_what_cannot_be_is_said_in_a_sentence(signed_in, staff, mallory) -> None:
    browser = signed_in(staff)

    answer = browser.submit(_row(browser.see(PATH), "mallory@example.com").find("a", string="Deactivate")["href"])

    assert "mallory@example.com is the only admin of" in browser.see(answer.location).get_text()


def test_there_is_no_such_page_for_anybody_else(signed_in, ada, ed) -> None:
    for person in (ada, ed):
        browser = signed_in(person)
        for path in (PATH, f"{PATH}/{ed.user.id}/deactivate"):
            assert browser.get(path).status_code == 404
        assert browser.submit(f"{PATH}/{ada.user.id}/end-staff").status_code == 404
        assert "settings/people" not in browser.get("/o/acme/").text


@pytest.mark.parametrize("act", ["explode", "Deactivate"])
def test_an_act_that_there_is_not_is_not_found(signed_in, staff, ed, act) -> None:
    browser = signed_in(staff)

    assert browser.get(f"{PATH}/{ed.user.id}/{act}").status_code == 404
    assert browser.submit(f"{PATH}/{ed.user.id}/{act}").status_code == 404
    assert browser.get(f"{PATH}/00000000-0000-7000-8000-000000000000/deactivate").status_code == 404


def test_a_removed_member_is_told_so_and_not_that_a_role_was_changed(signed_in, ada, vi) -> None:
    removed = signed_in(vi)
    removed.see("/o/acme/")

    signed_in(ada).submit(f"/o/acme/settings/members/{vi.user.id}/remove")

    page = removed.see(removed.get("/o/acme/").location)
    assert "You were removed from an organization." in page.get_text()
