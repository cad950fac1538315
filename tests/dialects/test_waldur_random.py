"""Waldur's hooks, over HTTP: anything at all is answered in the words of Waldur."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from console.models import Hook
from console.services.work import Work
from tests.dialects.waldur_stage import CUSTOMER, ROOT, SSH, URL
from tests.fuzz import through_the_app

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)
TYPES = st.sampled_from([*SSH, CUSTOMER, "INVALID"])
NEAR = {
    "destination_url": st.sampled_from([URL, "http://[", "https://例え.jp/\ud800", "x" * 300]) | ANY_JSON,
    "is_active": st.booleans() | ANY_JSON,
    "content_type": st.sampled_from(["json", "form", "xml"]) | ANY_JSON,
    "event_types": st.lists(TYPES) | ANY_JSON,
    "event_groups": st.lists(st.sampled_from(["ssh", "users", "INVALID"])) | ANY_JSON,
}
BODIES = st.one_of(
    st.fixed_dictionaries({}, optional=NEAR).map(lambda body: json.dumps(body).encode()),
    ANY_JSON.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=200),
)
FUZZ = through_the_app()


def is_an_answer_of_waldur(answer: Any) -> bool:
    """Say whether an answer has one of the shapes that Waldur's clients know."""
    if answer.status_code in {200, 201}:
        return answer.mimetype == "application/json"
    body = answer.get_json()
    if answer.status_code == 400 and "detail" not in body:
        return all(isinstance(words, list) and words for words in body.values())
    return answer.status_code in {400, 404, 405, 406, 413, 415} and list(body) == ["detail"]


@FUZZ
@given(
    method=st.sampled_from(["POST", "PUT", "PATCH"]),
    body=BODIES,
    kind=st.sampled_from(["application/json"] * 6 + ["application/x-www-form-urlencoded", "text/plain", ""]),
)
def test_any_body_is_taken_or_refused_in_the_words_of_waldur(
    ada_api: Any, ada: Any, work: Work, method: str, body: bytes, kind: str
) -> None:
    hook = work.session.scalar(select(Hook).where(Hook.deleted_at.is_(None)).limit(1))
    path = ROOT if method == "POST" or hook is None else f"{ROOT}{hook.id}/"

    answer = ada_api.call(method, path, data=body, content_type=kind)

    assert is_an_answer_of_waldur(answer), answer.text


FILTERS = ("author_uuid", "author_email", "author_fullname", "author_username", "content_type", "destination_url")
MORE_FILTERS = ("is_active", "last_published", "page", "page_size", "query", "unknown")


@FUZZ
@given(query=st.dictionaries(st.sampled_from(FILTERS + MORE_FILTERS), st.text(max_size=30) | st.integers().map(str)))
def test_any_query_is_answered_in_the_words_of_waldur(ada_api: Any, query: dict[str, str]) -> None:
    answer = ada_api.get(ROOT, query_string={name: value.encode("utf-8", "replace") for name, value in query.items()})

    assert is_an_answer_of_waldur(answer), answer.text
    if answer.status_code == 200:
        assert answer.headers["X-Result-Count"] == "0"


@FUZZ
@given(uuid=st.text(min_size=1, max_size=40), method=st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "POST"]))
def test_any_uuid_is_answered_in_the_words_of_waldur(ada_api: Any, uuid: str, method: str) -> None:
    answer = ada_api.call(method, f"{ROOT}{quote(uuid.replace('/', '|'), errors='replace')}/", json={})

    assert is_an_answer_of_waldur(answer), answer.text
