"""Whatever a request is made of, each dialect answers in its own shapes, and never with a crash.

What is sent here is wild in method, path, headers and encoding; wild fields are in the tests of each dialect.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dialects.oms_stage import is_of_oms
from tests.dialects.pretix_stage import is_of_pretix
from tests.fuzz import through_the_app

ID = "0193a1c2-7b1e-7c55-9d0a-5b8f0f6f2a11"
NUMBER_OR_ID = st.sampled_from(["1", "0", "-1", "9" * 30, ID, ID.replace("-", ""), "null", "%00", "é", "a b"])
"""What stands in a path for an object; quoted by the one who sends it, but for what is quoted already."""

PATHS = {
    "waldur": ("/api/hooks-web/", "/api/hooks-web/{}/", "/api/hooks-web", "/api/hooks-web/{}"),
    "web_v1": (
        "/api/web/v1/webhooks",
        "/api/web/v1/webhooks/{}",
        "/api/web/v1/webhooks/test/{}",
        "/api/web/v1/webhooks/",
        "/api/web/v1/{}",
        "/v2/api-docs",
    ),
    "pretix": (
        "/api/v1/organizers/acme/webhooks/",
        "/api/v1/organizers/{}/webhooks/",
        "/api/v1/organizers/acme/webhooks/{}/",
        "/api/v1/organizers/acme/webhook/{}/",
        "/api/v1/organizers/acme/webhooks/{}",
    ),
    "oms": (
        "/api/v1/oms/oms_hooks/",
        "/api/v1/oms/oms_hooks/{}/",
        "/api/v1/oms/oms_hooks/registry/",
        "/whisperer/hooks/",
        "/whisperer/hooks/{}/",
        "/api/v1/oms/oms_hook_events/",
        "/api/v1/oms/oms_hook_events/{}/",
        "/api/v1/oms/oms_hook_events/publish-event/",
        "/api/v1/oms/oms_hook_events/resend-event/",
    ),
}
METHODS = st.sampled_from(
    [*("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), *("TRACE", "PROPFIND", "QUERY", "get", "X")]
)
BODIES = st.sampled_from(
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        gzip.compress(b"{}", mtime=0),
        b'{"a": 1, "a": 2}',
        b"[" * 5000,
        b'{"hook": 1e400}',
        b"hook=1&instance=%7B%7D&%=%",
        b"--x\r\nContent-Disposition: form-data; name=hook\r\n\r\n1\r\n--x--\r\n",
        json.dumps({"destination_url": "http://[", "callbackUrl": "\x00", "target_url": [], "events": {}}).encode(),
    ]
) | st.binary(max_size=60)
CONTENT_TYPES = st.sampled_from(
    [
        *(
            "application/json",
            "application/json; charset=utf-16",
            "application/json;charset=nonsense",
            "Application/JSON",
        ),
        *("application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-7", "text/plain", ""),
        *("multipart/form-data; boundary=x", "multipart/form-data", "application/vnd.api+json", ";", "é/ü", "a" * 300),
    ]
)
LATIN = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["*/*", "text/html", "application/*;q=0", ";;;", "application/json;q=x"]) | LATIN,
        "Accept-Charset": st.sampled_from(["utf-16", "nonsense;q=0"]),
        "Accept-Encoding": st.sampled_from(["gzip", "identity;q=0, *;q=0"]),
        "Authorization": st.sampled_from(["Token", "Bearer", "Token a b", "Basic eA==", "token hy_"]) | LATIN,
        "Content-Encoding": st.sampled_from(["gzip", "br", "nonsense"]),
        "Cookie": st.just("hookyard=nonsense; a"),
        "If-Match": st.just('"x"'),
        "Range": st.just("bytes=5-1"),
        "X-HTTP-Method-Override": st.just("DELETE"),
        "X-Idempotency-Key": LATIN,
    },
)


def is_of_waldur(answer: Any) -> bool:
    if answer.status_code in {204, 308}:
        return not answer.data
    if answer.mimetype != "application/json":
        return False
    body = answer.get_json()
    if answer.status_code in {200, 201}:
        return isinstance(body, list) or len(body) == 14
    if answer.status_code == 400 and "detail" not in body:
        return bool(body) and all(isinstance(words, list) and words for words in body.values())
    return answer.status_code in {400, 401, 403, 404, 405, 406, 413, 415} and list(body) == ["detail"]


def is_of_web_v1(answer: Any) -> bool:
    if answer.status_code == 308:
        return not answer.data
    if answer.status_code == 200:
        return not answer.data or answer.mimetype == "application/json"
    body = answer.get_json()
    is_known = answer.status_code in {400, 401, 403, 404, 405, 409, 413, 415}
    return is_known and list(body) == ["timestamp", "status", "error", "message", "path"]


SHAPES: dict[str, Callable[[Any], bool]] = {
    "waldur": is_of_waldur,
    "web_v1": is_of_web_v1,
    "pretix": is_of_pretix,
    "oms": is_of_oms,
}


@pytest.mark.parametrize("dialect", PATHS)
@settings(through_the_app())
@given(data=st.data())
def test_any_request_is_answered(ada_api: Any, dialect: str, data: st.DataObject) -> None:
    place = data.draw(NUMBER_OR_ID)
    path = data.draw(st.sampled_from(PATHS[dialect])).format(quote(place, safe="%"))
    method = data.draw(METHODS)
    query = data.draw(st.sampled_from(["", "?", "?page=1&page=x&=&%", "?a=%ff%00", "?" + "a" * 2000]))

    answer = ada_api.call(
        method,
        path + query,
        data=data.draw(BODIES),
        content_type=data.draw(CONTENT_TYPES),
        headers={name: value.encode().decode("latin-1") for name, value in data.draw(HEADERS).items()},
    )

    assert answer.status_code < 500, answer.text
    assert method == "HEAD" or SHAPES[dialect](answer), (answer.status_code, answer.text)


WALDUR_FIELDS = ("is_active", "event_types", "event_groups", "destination_url", "content_type", "uuid", "a.b", "")
FORM_VALUES = st.text(max_size=20) | st.sampled_from(["https://example.com/", "ssh", "json", "on", "\x00", "INVALID"])


@settings(through_the_app())
@given(
    fields=st.dictionaries(st.sampled_from(WALDUR_FIELDS), st.lists(FORM_VALUES, max_size=3)),
    method=st.sampled_from(["POST", "PUT", "PATCH"]),
)
def test_any_form_is_taken_or_refused_by_waldur(ada_api: Any, fields: dict[str, list[str]], method: str) -> None:
    listed = ada_api.get("/api/hooks-web/").get_json()
    path = f"/api/hooks-web/{listed[0]['uuid']}/" if listed and method != "POST" else "/api/hooks-web/"
    form = {name: [value.encode("utf-8", "replace") for value in values] for name, values in fields.items()}

    answer = ada_api.call(method, path, data=form, content_type="application/x-www-form-urlencoded")

    assert is_of_waldur(answer), (answer.status_code, answer.text)
