"""Every way to be refused has the same shape and says what to do."""

from __future__ import annotations

import gzip
import io
import sqlite3

import pytest

from console.api import json_body
from console.settings import Settings

MIB = 1024 * 1024


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    body = response.get_json()
    assert body["type"] == "about:blank"
    assert body["status"] == status
    assert body["code"] == code
    assert body["title"]
    assert body["detail"].strip()[-1] in ".;"
    assert "Traceback" not in response.text
    return body


def test_an_address_that_does_not_exist(ada_api, anyone):
    for path in ("/nope", "/hooks/17", "/hooks/", "/hooks/01890000-0000-7000-8000-000000000000/nope", ""):
        problem(ada_api.get(path), 404, "not_found")
    problem(anyone.get("/nope"), 404, "not_found")
    problem(anyone.client.get("/api"), 404, "not_found")
    problem(anyone.client.post("/api/v2/x", data="x"), 404, "not_found")


def test_an_object_that_does_not_exist(ada_api):
    nobody = "01890000-0000-7000-8000-000000000000"
    for path in (f"/hooks/{nobody}", f"/events/{nobody}", f"/deliveries/{nobody}", f"/tokens/{nobody}"):
        problem(ada_api.get(path), 404, "not_found")
    for path in ("/event-types/nope", "/event-types/a%00b", "/sources/nope", "/sources/a%00b"):
        problem(ada_api.get(path), 404, "not_found")


def test_a_method_that_is_not_offered(anyone):
    response = anyone.client.delete("/api/v1/hooks")

    problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_options_say_what_is_offered(anyone):
    response = anyone.client.options("/api/v1/hooks")

    assert response.status_code == 200
    assert "POST" in response.headers["Allow"]


def test_a_permission_that_is_missing_is_named(vi_api):
    body = problem(vi_api.post("/hooks", json={}), 403, "forbidden")

    assert body["permission"] == "WEBHOOKS:ADD"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "json_syntax"),
        (b"{", "json_syntax"),
        (b"{'a': 1}", "json_syntax"),
        (b'{"a": 1}{', "json_syntax"),
        (b'{"payload": NaN}', "json_number"),
        (b'{"payload": -Infinity}', "json_number"),
        (b'{"type": "a", "type": "b"}', "json_duplicate_key"),
        (b'{"payload": {"a": 1, "a": 1}}', "json_duplicate_key"),
        (rb'{"payload": "\ud800"}', "json_surrogate"),
        (rb'{"payload": "\u0000"}', "json_nul"),
        (b'{"payload": "\xff"}', "json_encoding"),
        (b"\xef\xbb\xbf{}", "json_encoding"),
        (b'{"payload": ' + b"[" * 64 + b"]" * 64 + b"}", "json_depth"),
        (b"[" * 100_000, "json_depth"),
    ],
)
def test_json_that_programs_would_read_differently(ada_api, body, code):
    problem(ada_api.post_bytes("/events", body), 400, code)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"1"])
def test_a_body_that_is_no_object(ada_api, body):
    errors = problem(ada_api.post_bytes("/events", body), 422, "invalid")["errors"]

    assert errors == [{"detail": "Give an object.", "pointer": "", "code": "type"}]


def test_a_number_that_no_column_holds_is_refused_where_it_is_not_kept_as_text(ada_api):
    problem(ada_api.post_bytes("/event-types", b'{"name": "a", "sample": 1e400}'), 400, "json_number")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_body_of_another_type(ada_api, content_type):
    problem(ada_api.post("/events", data=b"{}", content_type=content_type), 415, "media_type")


def test_a_compressed_body(ada_api):
    response = ada_api.post_bytes("/events", gzip.compress(b"{}"), **{"Content-Encoding": "gzip"})

    problem(response, 415, "media_type")


def test_a_body_of_unknown_length(ada_api):
    response = ada_api.post(
        "/events",
        input_stream=io.BytesIO(b"{}"),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    problem(response, 411, "length_required")


@pytest.mark.parametrize(("path", "limit"), [("/events", MIB), ("/hooks", MIB), ("/events/batch", 16 * MIB)])
def test_a_body_over_its_limit(ada_api, path, limit):
    problem(ada_api.post_bytes(path, b" " * (limit + 1)), 413, "too_large")
    problem(ada_api.post_bytes(path, b" " * limit), 400, "json_syntax")


def test_a_body_of_very_many_values_is_too_large_and_says_what_to_do(ada_api):
    batch = b'{"events": [{"type": "a.b", "payload": [' + b"[]," * 4_000_000 + b"0]}]}"

    body = problem(ada_api.post_bytes("/events/batch", batch), 413, "json_values")

    assert "500,000 values" in body["detail"]
    assert "smaller parts" in body["detail"]
    assert ada_api.get("/events").get_json()["data"] == []


LARGE_BATCH = b'{"events": [{"type": "a.b", "payload": 1}]}' + b" " * MIB


def test_large_bodies_wait_for_their_turn_and_then_are_refused_with_a_time_to_come_back(ada_api, monkeypatch):
    monkeypatch.setattr(json_body, "PATIENCE_S", 0.05)
    for _ in range(json_body.MOST_LARGER):
        assert json_body._larger.acquire(blocking=False)
    try:
        response = ada_api.post_bytes("/events/batch", LARGE_BATCH)
        small = ada_api.post_bytes("/events/batch", LARGE_BATCH.strip())
    finally:
        json_body._larger.release(json_body.MOST_LARGER)

    assert "smaller batches" in problem(response, 503, "busy")["detail"]
    assert int(response.headers["Retry-After"]) > 0
    assert small.status_code == 202


@pytest.mark.parametrize(("body", "status"), [(LARGE_BATCH, 202), (b"{" + LARGE_BATCH, 400), (b" " * 2 * MIB, 400)])
def test_a_large_body_gives_its_turn_back_however_it_ends(ada_api, body, status, monkeypatch):
    monkeypatch.setattr(json_body, "PATIENCE_S", 0.05)

    answers = [ada_api.post_bytes("/events/batch", body).status_code for _ in range(2 * json_body.MOST_LARGER)]

    assert answers == [status] * 4


def test_the_token_is_asked_for_before_the_body_is_looked_at(anyone):
    problem(anyone.post("/events", data=b"x" * 100, content_type="text/plain"), 401, "token_missing")


@pytest.fixture
def settings(settings):
    return Settings(**{**settings.model_dump(), "database_url": f"{settings.database_url}?timeout=0"})


def test_a_database_that_is_taken(ada_api, database_url):
    ada_api.get("/hooks")  # the use of the token is noted now
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        published = ada_api.post("/events", json={"type": "t", "payload": 1})
        read = ada_api.get("/hooks")
        created = ada_api.post("/hooks", json={"url": "http://127.0.0.1:8099/"})
        refused = ada_api.post("/hooks", json={"url": "http://127.0.0.1:8099/", "event_groups": ["x"]})
    finally:
        other.close()

    for response in (published, created):
        problem(response, 503, "busy")
        assert int(response.headers["Retry-After"]) > 0
    assert (read.status_code, refused.status_code) == (200, 422)  # neither writes, so neither has to wait


def test_an_error_that_nobody_expected(app, ada_api, caplog):
    def explode() -> None:
        raise RuntimeError("secret detail")

    app.view_functions["api_hooks.index"] = explode
    explode.permission = "WEBHOOKS:VIEW"

    body = problem(ada_api.get("/hooks"), 500, "internal")

    assert body["request_id"]
    assert "secret detail" not in str(body)
    assert "request failed" in caplog.text


def test_pages_and_apis_answer_in_their_own_way(app):
    assert app.test_client().get("/nope").mimetype == "text/html"
    assert app.test_client().get("/api/nope").mimetype == "application/problem+json"
    assert app.test_client().get("/apinope").mimetype == "text/html"
