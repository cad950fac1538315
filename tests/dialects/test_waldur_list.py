"""The list of Waldur's hooks: its pages and filters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from console.models import HookState
from console.services.work import Work
from tests.dialects.waldur_stage import NO_CHOICE, ROOT, URL, make, row_of, uuids


@pytest.mark.both_databases
def test_twelve_hooks_take_two_pages(ada_api: Any) -> None:
    made = [make(ada_api)["uuid"] for _ in range(12)]

    first, second = ada_api.get(ROOT), ada_api.get(f"{ROOT}?page=2")
    head = ada_api.head(ROOT)

    root = f"http://hookyard.test{ROOT}"
    assert uuids(first) == made[:1:-1]
    assert uuids(second) == made[1::-1]
    assert first.headers["X-Result-Count"] == head.headers["X-Result-Count"] == "12"
    assert first.headers["Link"] == f'<{root}>; rel="first", <{root}?page=2>; rel="next", <{root}?page=2>; rel="last"'
    assert second.headers["Link"] == f'<{root}>; rel="first", <{root}>; rel="prev", <{root}?page=2>; rel="last"'
    assert (head.status_code, head.data, head.headers["Link"]) == (200, b"", first.headers["Link"])


def test_links_keep_the_filters_and_write_no_bare_comma(ada_api: Any) -> None:
    for _ in range(3):
        make(ada_api, destination_url="https://example.com/a,b")

    answer = ada_api.get(f"{ROOT}?page_size=1&destination_url=https://example.com/a,b&page=2")

    kept = f"http://hookyard.test{ROOT}?destination_url=https%3A%2F%2Fexample.com%2Fa%2Cb"
    first = f"<{kept}&page_size=1>"
    neighbours = f'{first}; rel="prev", <{kept}&page=3&page_size=1>; rel="next"'
    assert answer.headers.get_all("Link") == [
        f'{first}; rel="first", {neighbours}, <{kept}&page=3&page_size=1>; rel="last"'
    ]


def test_an_empty_list_is_a_page(ada_api: Any) -> None:
    answer = ada_api.get(ROOT)

    assert (answer.status_code, answer.text, answer.headers["X-Result-Count"]) == (200, "[]", "0")
    assert ada_api.get(f"{ROOT}?page=2").status_code == 404


@pytest.mark.parametrize("page", ["0", "2", "x", "last"])
def test_a_page_that_is_not_there(ada_api: Any, page: str) -> None:
    answer = ada_api.get(f"{ROOT}?page={page}")

    assert (answer.status_code, answer.get_json()) == (404, {"detail": "Invalid page."})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["ed", "ada"]),
        ("author_username=ed", ["ed"]),
        ("author_username=e", []),
        ("author_username=ED", []),
        ("author_email=ada@example.com", ["ada"]),
        ("author_email=ada", []),
        ("author_fullname=ED", ["ed"]),
        ("author_fullname=d", ["ed", "ada"]),
        ("author_fullname=%25", []),
        ("query=EXAMPLE.com", ["ed", "ada"]),
        ("query=Ad", ["ada"]),
        ("query=nobody", []),
        (f"destination_url={URL}", ["ada"]),
        ("destination_url=https://receiver", []),
        ("is_active=true", ["ada"]),
        ("is_active=0", ["ed"]),
        ("is_active=maybe", ["ed", "ada"]),
        ("content_type=1", ["ada"]),
        ("content_type=2", ["ed"]),
        ("content_type=", ["ed", "ada"]),
        ("last_published=2026-11-21T23:10:01.044605%2B00:00", ["ada"]),
        ("last_published=2026-11-21T23:10:01Z", []),
        ("content_type=2&author_username=ada", []),
        ("unknown=1", ["ed", "ada"]),
    ],
)
def test_the_list_is_filtered(ada_api: Any, ed_api: Any, work: Work, query: str, found: list[str]) -> None:
    make_two(ada_api, ed_api, work)

    answer = ada_api.get(f"{ROOT}?{query}")

    assert [hook["author_username"] for hook in answer.get_json()] == found
    assert answer.headers["X-Result-Count"] == str(len(found))


def make_two(ada_api: Any, ed_api: Any, work: Work) -> None:
    """Make a hook of Ada's, to which something was sent, and one of Ed's, switched off and for forms."""
    of_ada = row_of(work, make(ada_api))
    make(ed_api, destination_url=f"{URL}/ed", is_active=False, content_type="form")
    sent_at = datetime(2026, 11, 21, 23, 10, 1, 44605, tzinfo=UTC)
    work.session.execute(
        update(HookState).where(HookState.hook_number == of_ada.number).values(last_delivery_at=sent_at)
    )


@pytest.mark.both_databases
def test_filters_work_together_on_either_database(ada_api: Any, ed_api: Any, ada: Any, work: Work) -> None:
    make_two(ada_api, ed_api, work)
    filters = (
        f"author_uuid={ada.user.id}&author_email=ada@example.com&author_username=ada&author_fullname=AD&query=EXAMPLE"
        f"&destination_url={URL}&is_active=1&content_type=1&last_published=2026-11-21T23:10:01.044605Z"
    )

    assert [hook["author_username"] for hook in ada_api.get(f"{ROOT}?{filters}").get_json()] == ["ada"]
    assert ada_api.get(f"{ROOT}?{filters}&is_active=0").get_json() == []


@pytest.mark.parametrize("dashed", [True, False])
def test_the_list_is_filtered_by_the_authors_uuid(ada_api: Any, ed_api: Any, ed: Any, *, dashed: bool) -> None:
    make(ada_api)
    hook = make(ed_api)

    answer = ada_api.get(f"{ROOT}?author_uuid={ed.user.id if dashed else ed.user.id.hex}")

    assert uuids(answer) == [hook["uuid"]]


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("author_uuid=x", {"author_uuid": ["Enter a valid UUID."]}),
        ("content_type=form", {"content_type": [NO_CHOICE.format("form")]}),
        ("content_type=3", {"content_type": [NO_CHOICE.format("3")]}),
        ("last_published=yesterday", {"last_published": ["Enter a valid date/time."]}),
        ("query=%00", {"query": ["Null characters are not allowed."]}),
        ("page=0&author_uuid=x", {"author_uuid": ["Enter a valid UUID."]}),
    ],
)
def test_a_wrong_filter_is_refused(ada_api: Any, query: str, errors: dict[str, list[str]]) -> None:
    answer = ada_api.get(f"{ROOT}?{query}")

    assert (answer.status_code, answer.get_json()) == (400, errors)
