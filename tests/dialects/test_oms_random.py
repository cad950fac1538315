"""Whatever is sent, the oms dialect answers in its own words, and never with a crash."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.drf_stage import URL
from tests.dialects.oms_stage import (
    FIXED,
    HOOK_KEYS,
    LEAST,
    PACKAGE,
    PUBLISH,
    RESEND,
    TYPES,
    E,
    H,
    W,
    events_of,
    is_of_oms,
    make,
    path_of,
    publish,
)
from tests.fuzz import through_the_app

FUZZ = through_the_app()
NUMBERS = st.integers() | st.integers(-(10**40), 10**40) | st.floats()
ANY_JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
URLS = ["http://[", "https://例え.jp/", f"https://a.example/{'x' * 300}", "http://127.1/", "HTTPS://Example.COM", "x"]
KWARGS = st.dictionaries(
    st.sampled_from(["seconds", "base", "factor", "limit", "min_value", "max_value", "more"]),
    st.sampled_from([0, 1, 60, "5", None, -1, 10**900]) | ANY_JSON,
)
COUNTDOWN = st.fixed_dictionaries(
    {},
    optional={
        "choice": st.sampled_from(["fixed", "linear", "exponential", "random"]) | ANY_JSON,
        "kwargs": KWARGS | ANY_JSON,
    },
)
HEADER_NAMES = st.sampled_from(["X-A", "x-a", "Host", "webhook-id", "Content-Type", "Authorization", "bad name", ""])
NEAR = {
    "retry_countdown_config": st.just(FIXED) | COUNTDOWN | ANY_JSON,
    "target_url": st.sampled_from([URL, *URLS]) | ANY_JSON,
    "is_active": st.sampled_from([True, "yes", 0, "2"]) | ANY_JSON,
    "secret_key": st.text(max_size=130) | st.sampled_from(["whsec_", "whsec_AAAA", "a\x00b", "\u202e"]) | ANY_JSON,
    "event_type": st.sampled_from([*TYPES, "nope", "*"]) | ANY_JSON,
    "callback": st.sampled_from(["publish_response", "os.system", ""]) | ANY_JSON,
    "additional_headers": st.dictionaries(HEADER_NAMES | st.text(max_size=5), st.text(max_size=10) | ANY_JSON)
    | ANY_JSON,
    "config": st.fixed_dictionaries({}, optional={"auth": ANY_JSON, "x": ANY_JSON}) | ANY_JSON,
    "id": ANY_JSON,
}
TYPES_OF_BODY = st.sampled_from(["application/json"] * 6 + ["application/x-www-form-urlencoded", "text/plain", ""])


def _bodies(near: dict[str, Any], least: list[str]) -> Any:
    return st.one_of(
        st.fixed_dictionaries({}, optional=near).map(lambda body: json.dumps(body).encode()),
        st.fixed_dictionaries({name: near[name] for name in least}).map(lambda body: json.dumps(body).encode()),
        ANY_JSON.map(lambda body: json.dumps(body).encode()),
        st.binary(max_size=200),
    )


def any_hook(api: Any) -> dict[str, Any]:
    listed: list[dict[str, Any]] = api.get(H).get_json()["results"]
    return listed[0] if listed else make(api)


@pytest.mark.both_databases
@FUZZ
@given(
    method=st.sampled_from(["POST", "PUT", "PATCH"]),
    body=_bodies(NEAR, ["retry_countdown_config", "target_url", "event_type"]),
    kind=TYPES_OF_BODY,
)
def test_any_webhook_is_taken_or_refused(ada_api: Any, method: str, body: bytes, kind: str) -> None:
    path = H if method == "POST" else path_of(any_hook(ada_api))

    answer = ada_api.call(method, path, data=body, content_type=kind)

    assert is_of_oms(answer), answer.text
    if answer.status_code in {200, 201}:
        shown = answer.get_json()
        assert ada_api.get(path_of(shown)).get_json() == shown


@pytest.mark.both_databases
@FUZZ
@given(
    fields=st.dictionaries(
        st.sampled_from([*HOOK_KEYS, "config.a.b", "retry_countdown_config.choice", "additional_headers.X-A", "."]),
        st.lists(st.text(max_size=20) | st.sampled_from([URL, json.dumps(FIXED), TYPES[0], "{}"]), max_size=3),
    ),
    method=st.sampled_from(["POST", "PUT", "PATCH"]),
)
def test_any_form_is_taken_or_refused(ada_api: Any, fields: dict[str, list[str]], method: str) -> None:
    path = H if method == "POST" else path_of(any_hook(ada_api))
    form = {name: [value.encode("utf-8", "replace") for value in values] for name, values in fields.items()}

    answer = ada_api.call(method, path, data=form, content_type="application/x-www-form-urlencoded")

    assert is_of_oms(answer), answer.text


INSTANCE = st.just(PACKAGE) | st.fixed_dictionaries({"pk": ANY_JSON, "model": ANY_JSON}, optional={"x": ANY_JSON})
EVENT = {"hook": st.sampled_from([1, "1", 2**70]) | ANY_JSON, "instance": INSTANCE | ANY_JSON}


@pytest.mark.both_databases
@FUZZ
@given(body=_bodies(EVENT, ["hook", "instance"]), kind=TYPES_OF_BODY)
def test_anything_is_published_or_refused(ada_api: Any, body: bytes, kind: str) -> None:
    any_hook(ada_api)
    before = ada_api.get(E).get_json()["count"]

    answer = ada_api.post(PUBLISH, data=body, content_type=kind)

    assert is_of_oms(answer), answer.text
    listed = ada_api.get(E)
    assert is_of_oms(listed)
    assert listed.get_json()["count"] == before + (answer.status_code == 202)


FORM_KEYS = st.sampled_from(["hook", "instance", "instance.pk", "instance.model", "instance.x.y", "instance.", "event"])
FORM_VALUES = st.text(max_size=20) | st.sampled_from(["1", json.dumps(PACKAGE)])


@pytest.mark.both_databases
@FUZZ
@given(
    path=st.sampled_from([PUBLISH, RESEND]),
    fields=st.dictionaries(FORM_KEYS, st.lists(FORM_VALUES, max_size=2)),
)
def test_any_form_of_an_event_is_taken_or_refused(ada_api: Any, path: str, fields: dict[str, list[str]]) -> None:
    any_hook(ada_api)
    form = {name: [value.encode("utf-8", "replace") for value in values] for name, values in fields.items()}

    answer = ada_api.post(path, data=form, content_type="application/x-www-form-urlencoded")

    assert is_of_oms(answer), answer.text
    assert is_of_oms(ada_api.get(E))


@FUZZ
@given(body=_bodies({"event": st.uuids().map(str) | ANY_JSON}, ["event"]), kind=TYPES_OF_BODY)
def test_anything_is_resent_or_refused(ada_api: Any, body: bytes, kind: str) -> None:
    assert is_of_oms(ada_api.post(RESEND, data=body, content_type=kind))


PARAMETERS = st.sampled_from(
    [
        *("uuid", "response_http_status", "delivered", "created_date", "created_date__gt", "created_date__lte"),
        *("object_id", "event_type", "content_type", "webhook", "target_url", "is_active"),
        *("page", "page_size", "ordering", "unknown"),
    ]
)
VALUES = (
    st.text(max_size=30)
    | st.integers(-(10**25), 10**25).map(str)
    | st.floats().map(str)
    | st.sampled_from(["true", "id", "-retry_count", "2026-11-22T09:00:00Z", "0001-01-01T00:00:00+23:59", "1e30"])
)


@pytest.mark.both_databases
@FUZZ
@given(path=st.sampled_from([E, H, W]), query=st.dictionaries(PARAMETERS, VALUES, max_size=4))
def test_any_query_is_answered(ada_api: Any, path: str, query: dict[str, str]) -> None:
    if not events_of(ada_api):
        publish(ada_api, any_hook(ada_api))

    answer = ada_api.get(path, query_string={name: value.encode("utf-8", "replace") for name, value in query.items()})

    assert is_of_oms(answer), answer.text
    assert answer.status_code in {200, 400, 404}


@FUZZ
@given(
    place=st.sampled_from([H, W, E, "/api/v1/oms/"]),
    rest=st.text(min_size=1, max_size=40) | st.integers().map(str) | st.sampled_from(["registry", "publish-event"]),
    method=st.sampled_from(["GET", "HEAD", "PUT", "PATCH", "DELETE", "POST", "OPTIONS"]),
    end=st.sampled_from(["/", ""]),
)
def test_any_path_is_answered(ada_api: Any, place: str, rest: str, method: str, end: str) -> None:
    part = quote(rest.replace("/", "|").replace(".", "_"), safe="", errors="replace")

    answer = ada_api.call(method, f"{place}{part}{end}", json={})

    assert method == "HEAD" or is_of_oms(answer), answer.text
    assert answer.status_code < 500


HEADERS = {
    "Accept": st.sampled_from(["*/*", "text/html", "application/*;q=0", ";;;", "application/json;q=x"]),
    "Authorization": st.sampled_from(["Token", "token  x", "Token a b", "Basic eA==", "", "Token é"]),
}


@FUZZ
@given(headers=st.fixed_dictionaries({}, optional=HEADERS), method=st.sampled_from(["GET", "POST", "PUT"]))
def test_any_header_is_answered(ada_api: Any, headers: dict[str, str], method: str) -> None:
    for path in (H, PUBLISH):
        assert is_of_oms(ada_api.call(method, path, json=LEAST, headers=headers))
