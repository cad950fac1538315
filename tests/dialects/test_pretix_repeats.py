"""Requests that are sent again with the same X-Idempotency-Key, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from console.models import Hook, KeptAnswer, Token
from console.services import idempotency
from console.services.people import tokens
from console.services.work import Work
from tests.dialects.drf_stage import NOT_FOUND, URL, row_of
from tests.dialects.pretix_stage import LEAST, W, make, path_of

KEY = {"X-Idempotency-Key": "a1b2"}
CONCURRENT = {"detail": "Concurrent request with idempotency key."}


def count(work: Work, model: type) -> int:
    found = work.session.scalar(select(func.count()).select_from(model))
    work.session.commit()
    return found or 0


@pytest.mark.both_databases
def test_a_repeated_post_gets_the_first_answer_and_makes_nothing(ada_api: Any, work: Work) -> None:
    first = ada_api.post(W, json=LEAST, headers=KEY)
    again = ada_api.post(W, json=LEAST, headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert dict(again.headers) == dict(first.headers)
    assert count(work, Hook) == 1


def test_the_first_answer_is_given_whatever_the_path_the_method_and_the_body(ada_api: Any) -> None:
    first = make(ada_api)
    answer = ada_api.patch(path_of(first), json={"comment": "one"}, headers=KEY).data

    repeats = [
        ada_api.patch(path_of(first), json={"comment": "two"}, headers=KEY),
        ada_api.delete(path_of(first), headers=KEY),
        ada_api.post(W, data=b"{", headers=KEY),
        ada_api.put("/api/v1/organizers/elsewhere/webhooks/x/", headers=KEY | {"Accept": "text/html"}),
    ]

    assert [(repeat.status_code, repeat.data) for repeat in repeats] == [(200, answer)] * 4
    assert ada_api.get(path_of(first), headers=KEY).get_json() == first | {"comment": "one"}


def test_an_empty_answer_is_kept_too(ada_api: Any) -> None:
    path = path_of(make(ada_api))

    for _ in range(2):
        deleted = ada_api.delete(path, headers=KEY)

        assert (deleted.status_code, deleted.data) == (204, b"")
        assert "Content-Type" not in deleted.headers


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [("POST", W, b"{}", 400), ("PATCH", f"{W}x/", b"{}", 404), ("PUT", W, b"{}", 405), ("POST", W, b"{", 400)],
)
def test_a_refusal_is_kept_with_its_headers(ada_api: Any, method: str, path: str, body: bytes, status: int) -> None:
    headers = KEY | {"Content-Type": "application/json"}
    first = ada_api.call(method, path, data=body, headers=headers)

    again = ada_api.post(W, json=LEAST, headers=KEY)

    assert (first.status_code, again.status_code, again.data) == (status, status, first.data)
    assert again.headers.get("Allow") == first.headers.get("Allow")


def test_another_key_another_token_or_none_at_all_is_another_request(ada_api: Any, ed_api: Any, work: Work) -> None:
    for api, headers in [(ada_api, KEY), (ada_api, {"X-Idempotency-Key": "c3"}), (ed_api, KEY)]:
        assert api.post(W, json=LEAST, headers=headers).status_code == 201
    for _ in range(2):
        ada_api.post(W, json=LEAST)
        ada_api.post(W, json=LEAST, headers={"X-Idempotency-Key": ""})

    assert count(work, Hook) == 7


def test_after_a_day_a_key_is_new_again(ada_api: Any, work: Work, clock: Any) -> None:
    ada_api.post(W, json=LEAST, headers=KEY)
    clock.advance(hours=24)

    assert ada_api.post(W, json=LEAST, headers=KEY).status_code == 201
    assert count(work, Hook) == 2


def test_what_is_in_progress_is_told_and_does_not_block_for_ever(ada_api: Any, work: Work, clock: Any) -> None:
    token_number = work.session.scalars(select(Token.number)).one()
    work.session.commit()
    idempotency.begin(work, token_number=token_number, credential=f"Token {ada_api.token}", key="a1b2")

    refused = ada_api.post(W, json=LEAST, headers=KEY)
    clock.advance(seconds=60)
    taken = ada_api.post(W, json=LEAST, headers=KEY)

    assert (refused.status_code, refused.get_json(), refused.headers["Retry-After"]) == (409, CONCURRENT, "5")
    assert taken.status_code == 201
    assert ada_api.post(W, json=LEAST, headers=KEY).data == taken.data


@pytest.mark.both_databases
def test_of_requests_at_once_one_is_done(app: Flask, ada_api: Any, work: Work) -> None:
    ada_api.get(W)
    barrier = Barrier(4)

    def post(_: int) -> tuple[int, bytes]:
        barrier.wait(10)
        headers = {"Authorization": f"Token {ada_api.token}"} | KEY
        answer = app.test_client().post(W, json=LEAST, headers=headers)
        return answer.status_code, answer.data

    with ThreadPoolExecutor(4) as threads:
        answers = set(threads.map(post, range(4)))

    assert {status for status, _ in answers} <= {201, 409}
    assert len([status for status, _ in answers if status == 201]) == 1
    assert count(work, Hook) == 1


def test_an_answer_that_asks_for_another_try_is_not_kept(ada_api: Any, work: Work) -> None:
    work.session.execute(text("ALTER TABLE sources RENAME TO lost"))
    broken = ada_api.post(W, json=LEAST, headers=KEY)
    work.session.execute(text("ALTER TABLE lost RENAME TO sources"))

    assert broken.status_code == 500
    assert ada_api.post(W, json=LEAST, headers=KEY).status_code == 201


def test_a_caller_without_a_valid_token_leaves_nothing_behind(anyone: Any, work: Work) -> None:
    for headers in ({}, {"Authorization": "Token x"}, {"Authorization": "Bearer x"}):
        assert anyone.post(W, json=LEAST, headers=KEY | headers).status_code == 401

    assert count(work, KeptAnswer) == 0


def test_a_token_that_was_revoked_gets_nothing_any_more(ada_api: Any, work: Work) -> None:
    ada_api.post(W, json=LEAST, headers=KEY)
    tokens.revoke(work, token=work.session.scalars(select(Token)).one())

    assert ada_api.post(W, json=LEAST, headers=KEY).status_code == 401


def test_a_redirect_is_not_kept_and_can_be_followed(ada_api: Any) -> None:
    headers = KEY | {"Content-Type": "application/json"}

    redirect = ada_api.post(W.rstrip("/"), json=LEAST, headers=headers)

    assert redirect.status_code == 308
    assert ada_api.post(redirect.headers["Location"], json=LEAST, headers=headers).status_code == 201


def test_a_body_that_is_too_large_does_not_use_its_key_up(ada_api: Any, work: Work) -> None:
    large = LEAST | {"target_url": URL + "x" * 1024 * 1024}

    refused = ada_api.post(W, json=large, headers=KEY)

    assert (refused.status_code, list(refused.get_json())) == (413, ["detail"])
    assert count(work, KeptAnswer) == 0


def test_a_repetition_does_not_undo_what_came_between(ada_api: Any, work: Work) -> None:
    webhook = make(ada_api)
    ada_api.delete(path_of(webhook), headers=KEY)
    ada_api.patch(path_of(webhook), json={"enabled": True})

    assert ada_api.delete(path_of(webhook), headers=KEY).status_code == 204
    assert row_of(work, webhook).is_active


def test_paths_that_are_not_there_use_no_key(ada_api: Any, work: Work) -> None:
    answer = ada_api.post("/api/v1/organizers/acme/orders/", json={}, headers=KEY)

    assert (answer.status_code, answer.get_json()) == (404, NOT_FOUND)
    assert count(work, KeptAnswer) == 0


def test_reading_uses_no_key(ada_api: Any, work: Work, caller: Callable[..., Any]) -> None:
    ada_api.get(W, headers=KEY)
    make(ada_api)

    assert ada_api.get(W, headers=KEY).get_json()["count"] == 1
    assert count(work, KeptAnswer) == 0
