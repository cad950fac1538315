"""Whatever is sent, pretix's dialect answers in its own words, and never with a crash."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.services.work import Work
from tests.dialects.drf_stage import URL
from tests.dialects.pretix_stage import DOCUMENTED, KEYS, LEAST, W, add_sources, is_of_pretix, make, path_of
from tests.fuzz import through_the_app

FUZZ = through_the_app()
NUMBERS = st.integers() | st.integers(-(10**30), 10**30) | st.floats()
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
URLS = [
    "http://[",
    "https://例え.jp/",
    "x" * 1025,
    "http://127.1/",
    "http://10.0.0.1/",
    "HTTPS://Example.COM",
    "http://a@b/",
]
NEAR = {
    "enabled": st.sampled_from([True, "yes", 0, "2"]) | ANY_JSON,
    "target_url": st.sampled_from([URL, *URLS]) | ANY_JSON,
    "all_events": st.booleans() | ANY_JSON,
    "limit_events": st.lists(st.sampled_from(["democon", "democon", "foo", "", None, 5])) | ANY_JSON,
    "action_types": st.lists(st.sampled_from(["pretix.event.order.paid", "pretix.event.item.*", "foo"])) | ANY_JSON,
    "comment": st.text(max_size=300) | ANY_JSON,
    "id": ANY_JSON,
}
BODIES = st.one_of(
    st.fixed_dictionaries({}, optional=NEAR).map(lambda body: json.dumps(body).encode()),
    st.fixed_dictionaries({name: NEAR[name] for name in LEAST}).map(lambda body: json.dumps(body).encode()),
    ANY_JSON.map(lambda body: json.dumps(body).encode()),
    st.binary(max_size=200),
)
TYPES = st.sampled_from(["application/json"] * 6 + ["application/x-www-form-urlencoded", "text/plain", ""])


@pytest.fixture(autouse=True)
def _events(work: Work, ada: Any) -> None:
    add_sources(work, ada, "democon")


@FUZZ
@given(method=st.sampled_from(["POST", "PUT", "PATCH"]), body=BODIES, kind=TYPES)
def test_any_body_is_taken_or_refused(ada_api: Any, method: str, body: bytes, kind: str) -> None:
    listed = ada_api.get(W).get_json()["results"]
    webhook = listed[0] if listed else make(ada_api, **DOCUMENTED)
    path = W if method == "POST" else path_of(webhook)

    answer = ada_api.call(method, path, data=body, content_type=kind)

    assert is_of_pretix(answer), answer.text
    if answer.status_code in {200, 201}:
        shown = answer.get_json()
        assert ada_api.get(path_of(shown)).get_json() == shown
        assert shown["action_types"] == sorted(set(shown["action_types"]))


@FUZZ
@given(
    fields=st.dictionaries(
        st.sampled_from(KEYS), st.lists(st.text(max_size=20) | st.sampled_from([URL, "democon", "no"]), max_size=3)
    ),
    method=st.sampled_from(["POST", "PUT", "PATCH"]),
)
def test_any_form_is_taken_or_refused(ada_api: Any, fields: dict[str, list[str]], method: str) -> None:
    listed = ada_api.get(W).get_json()["results"]
    path = W if method == "POST" else path_of(listed[0] if listed else make(ada_api))
    form = {name: [value.encode("utf-8", "replace") for value in values] for name, values in fields.items()}

    answer = ada_api.call(method, path, data=form, content_type="application/x-www-form-urlencoded")

    assert is_of_pretix(answer), answer.text


PARAMETERS = st.sampled_from(["enabled", "page", "page_size", "ordering", "unknown"])


@FUZZ
@given(query=st.dictionaries(PARAMETERS, st.text(max_size=30) | st.integers().map(str) | st.just("true")))
def test_any_query_is_answered(ada_api: Any, query: dict[str, str]) -> None:
    make_one = ada_api.get(W).get_json()["count"] == 0
    if make_one:
        make(ada_api)

    answer = ada_api.get(W, query_string={name: value.encode("utf-8", "replace") for name, value in query.items()})

    assert is_of_pretix(answer), answer.text
    assert answer.status_code in {200, 404}


@FUZZ
@given(
    organizer=st.just("acme") | st.text(min_size=1, max_size=20),
    webhook=st.text(min_size=1, max_size=40) | st.integers().map(str),
    place=st.sampled_from(["webhooks", "webhook", "orders"]),
    method=st.sampled_from(["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"]),
    end=st.sampled_from(["/", ""]),
)
def test_any_path_is_answered(ada_api: Any, organizer: str, webhook: str, place: str, method: str, end: str) -> None:
    def part(text: str) -> str:
        return quote(text.replace("/", "|").replace(".", "_"), safe="", errors="replace")

    path = f"/api/v1/organizers/{part(organizer)}/{place}/{part(webhook)}{end}"

    answer = ada_api.call(method, path, json={})

    assert method == "HEAD" or is_of_pretix(answer), answer.text
    assert answer.status_code < 500


HEADERS = {
    "Accept": st.sampled_from(["*/*", "text/html", "application/*;q=0", ";;;", "application/json;q=x"]),
    "Authorization": st.sampled_from(["Token", "token  x", "Token a b", "Basic eA==", "", "Token é"]),
    "X-Idempotency-Key": st.text(
        st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80
    ),
}


@FUZZ
@given(headers=st.fixed_dictionaries({}, optional=HEADERS), method=st.sampled_from(["GET", "POST", "PUT"]))
def test_any_header_is_answered(ada_api: Any, headers: dict[str, str], method: str) -> None:
    answer = ada_api.call(method, W, json=LEAST, headers=headers)

    assert is_of_pretix(answer), answer.text
