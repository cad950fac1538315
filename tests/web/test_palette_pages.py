"""The command palette, its plain page, and the sheet of shortcuts."""

from __future__ import annotations

import pytest

HTMX = {"HX-Request": "true"}
GO = "/o/acme/go"


def lines_of(soup) -> list[str]:
    return [" ".join(link.get_text().split()) for link in soup.select(".ways a")]


def test_without_words_it_lists_pages_and_actions(signed_in, ada) -> None:
    lines = lines_of(signed_in(ada).see(GO))

    assert lines[:2] == ["Dashboard", "Hooks"]
    assert "Audit log settings" in lines


def test_every_section_of_the_settings_is_found_and_the_installations_by_its_staff_alone(signed_in, ada, work) -> None:
    browser = signed_in(ada)
    lines = " ".join(lines_of(browser.see(f"{GO}?q=settings")))
    assert "Organization settings" in lines
    assert "System" not in lines

    ada.user.is_staff = True
    work.session.commit()

    assert "System settings" in " ".join(lines_of(browser.see(f"{GO}?q=settings")))


def test_words_find_pages_actions_and_hooks_and_the_last_line_searches(signed_in, ada, scene) -> None:
    hook = scene.hook(name="Failing shop")
    page = signed_in(ada).see(f"{GO}?q=fail")

    assert lines_of(page) == [
        "Hooks that fail",
        "Failed deliveries",
        "Failing shop Every event",
        "Search everything for “fail” ids, URLs, event types, objects",
    ]
    assert [link["href"] for link in page.select(".ways a")] == [
        "/o/acme/hooks?show=failing",
        "/o/acme/deliveries?state=failed",
        f"/o/acme/hooks/{hook.id}",
        "/o/acme/search?q=fail",
    ]


def test_htmx_gets_the_lines_alone(signed_in, ada) -> None:
    answer = signed_in(ada).get(f"{GO}?q=tok", headers=HTMX)

    assert "<html" not in answer.text
    assert 'data-words="tok"' in answer.text
    assert "/o/acme/settings/tokens" in answer.text


def test_people_see_only_where_they_may_go(signed_in, vi) -> None:
    lines = lines_of(signed_in(vi).see(GO))

    assert "Deliveries" in lines
    assert not {"New hook", "Publish an event", "Members settings", "Audit log settings"} & set(lines)


def test_hooks_of_strangers_are_not_found(signed_in, ada, elsewhere) -> None:
    elsewhere.hook(name="Theirs")

    assert len(lines_of(signed_in(ada).see(f"{GO}?q=theirs"))) == 1


@pytest.mark.parametrize("path", ["/o/acme/", "/o/acme/deliveries", GO])
def test_every_page_carries_the_sheet_of_shortcuts(signed_in, vi, path) -> None:
    page = signed_in(vi).see(path)

    sheet = page.select_one("dialog#shortcuts")
    assert [link["data-key"] for link in sheet.select("a[data-key]")] == ["g d", "g h", "g l", "g e", "g r", "g b"]
    assert len(page.select("#palette-q")) == 1


def test_enter_before_the_list_came_goes_where_its_first_line_leads(signed_in, ada, scene) -> None:
    browser = signed_in(ada)
    form = browser.see("/o/acme/").select_one("#palette form")
    assert form.select_one("[type=hidden][name=now]") is not None

    assert browser.get(f"{form['action']}?now=1&q=audit").location == "/o/acme/settings/audit"
    assert browser.get(f"{form['action']}?now=1&q=A-1012").location == "/o/acme/search?q=A-1012"
    assert browser.get(f"{GO}?now=1&q=").status_code == 200
