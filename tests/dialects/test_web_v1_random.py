"""WebhooksApi web/v1: no call whatever is a 500."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.web_v1_stage import (
    ERROR_KEYS,
    ID,
    LONG_URL,
    PARMS,
    URL,
    Caller,
    refusal,
)
from tests.fuzz import through_the_app

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=8,
)
URLS = st.sampled_from([URL, f"{URL}/2", "http://10.0.0.1/", "HTTP://EXAMPLE.com", "http://[::1%25a]/", LONG_URL])
EVENTS = st.lists(st.sampled_from(["package.created", "package.*", "*", "nothing", "a..b", "*.*.*"]), max_size=4)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=110) | JSON,
        "description": st.text(max_size=260) | JSON,
        "callbackUrl": URLS | st.text(max_size=60) | JSON,
        "events": EVENTS | JSON,
        "enabled": st.booleans() | JSON,
        "headers": st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=3) | JSON,
        "secret": st.text(max_size=260) | JSON,
        "id": JSON,
    },
)
CALLS = st.tuples(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]),
    st.sampled_from(["", "/", "/MINE", "/test/NONE", "/NONE"]) | st.text(max_size=12).map(lambda text: f"/{text}"),
    BODIES | JSON,
)
anything = through_the_app()


@anything
@given(CALLS)
def test_no_call_whatever_is_a_500(ada_v1: Caller, call: tuple[str, str, Any]) -> None:
    method, path, body = call
    mine = next(iter(ada_v1.list()), {"id": ID})["id"]

    answer = ada_v1.call(method, path.replace("MINE", mine).replace("NONE", ID), data=as_json(body), **AS_JSON)

    assert answer.status_code in {200, 308, 400, 404, 405, 409, 415}
    if answer.status_code >= 400 and method != "HEAD":
        assert list(answer.get_json()) == ERROR_KEYS


@anything
@given(BODIES)
def test_what_is_taken_is_what_is_shown(ada_v1: Caller, body: dict[str, Any]) -> None:
    answer = ada_v1.call("POST", data=as_json(PARMS | body), **AS_JSON)

    if answer.status_code == 200:
        webhook = answer.get_json()
        assert ada_v1.read(webhook["id"]) == webhook
        assert webhook["callbackUrl"] == body.get("callbackUrl", URL)
        assert ada_v1.call("PUT", f"/{webhook['id']}", json=webhook).get_json() == webhook
        assert ada_v1.call("DELETE", f"/{webhook['id']}").status_code == 200
    else:
        assert refusal(answer)[0] == 400


@anything
@given(st.binary(max_size=60), st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30))
def test_no_bytes_and_no_type_of_a_body_are_a_500(ada_v1: Caller, data: bytes, content_type: str) -> None:
    assert refusal(ada_v1.call("POST", data=data, content_type=content_type))[0] in {400, 415}
    assert refusal(ada_v1.call("POST", data=data, **AS_JSON))[0] == 400


@anything
@given(st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60))
def test_no_authorization_header_is_a_500(ada_v1: Caller, header: str) -> None:
    assert refusal(ada_v1.call("GET", headers={"Authorization": header}))[0] == 401


AS_JSON: dict[str, Any] = {"content_type": "application/json"}


def as_json(value: object) -> str:
    return json.dumps(value)
