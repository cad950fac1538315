"""How often a token may ask, and how often a hook may be tested."""

from __future__ import annotations

from typing import Any

import pytest

from console.services.hooks.rate_of_tests import MOST_IN_A_MINUTE
from console.settings import Settings
from tests.api.conftest import ApiCaller


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_rate": 3})


def refused(answer: Any) -> int:
    """Check that *answer* says 429; give after how many seconds to come back."""
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json"), answer.text
    assert answer.get_json()["code"] == "too_many"
    return int(answer.headers["Retry-After"])


def test_a_token_that_asks_too_often_waits_for_the_next_minute(ada_api: ApiCaller, clock: Any) -> None:
    clock.advance(seconds=20)
    assert [ada_api.get("/hooks").status_code for _ in range(3)] == [200] * 3

    assert refused(ada_api.get("/hooks")) == 40
    assert refused(ada_api.post("/hooks", json={})) == 40

    clock.advance(seconds=40)
    assert ada_api.get("/hooks").status_code == 200


def test_publishing_is_never_too_often(ada_api: ApiCaller) -> None:
    for _ in range(5):
        ada_api.publish()
    assert ada_api.post("/events/batch", json={"events": [{"type": "t", "payload": 1}]}).status_code == 202

    assert ada_api.get("/hooks").status_code == 200


def test_tokens_are_counted_each_and_all_of_an_organization_together(
    caller: Any, token_of: Any, ada: Any, mallory_api: ApiCaller
) -> None:
    colleagues = [caller(token_of(ada)) for _ in range(6)]

    answers = [colleague.get("/hooks") for colleague in colleagues for _ in range(3)]

    assert [answer.status_code for answer in answers[:15]] == [200] * 15
    assert [refused(answer) for answer in answers[15:]] == [60] * 3
    assert mallory_api.get("/hooks").status_code == 200


@pytest.mark.parametrize("path", ["/deliveries", "/events"])
def test_what_is_forbidden_is_counted_too(caller: Any, token_of: Any, ada: Any, path: str) -> None:
    viewer = caller(token_of(ada, "WEBHOOKS:VIEW"))
    assert [viewer.get(path).status_code for _ in range(3)] == [403] * 3

    refused(viewer.get(path))
    refused(viewer.get("/hooks"))


def test_publishing_that_is_forbidden_is_counted(caller: Any, token_of: Any, ada: Any) -> None:
    viewer = caller(token_of(ada, "WEBHOOKS:VIEW"))
    event = {"type": "order.paid", "payload": {}}
    assert [viewer.post("/events", json=event).status_code for _ in range(3)] == [403] * 3

    refused(viewer.post("/events", json=event))


def test_tokens_that_do_not_work_are_counted_by_address_and_hold_up_no_other(
    anyone: ApiCaller, caller: Any, ada_api: ApiCaller
) -> None:
    stranger = caller("hy_nope")
    assert [stranger.get("/hooks").status_code for _ in range(3)] == [401] * 3

    refused(stranger.get("/hooks"))
    assert ada_api.get("/hooks").status_code == 200


class TestWithoutALimit:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"api_rate": 0})

    def test_anybody_asks_as_often_as_they_like(self, ada_api: ApiCaller) -> None:
        assert {ada_api.get("/hooks").status_code for _ in range(20)} == {200}

    def test_a_hook_is_tested_a_number_of_times_a_minute(self, ada_api: ApiCaller, clock: Any) -> None:
        hook, other = ada_api.make_hook()["id"], ada_api.make_hook()["id"]
        assert ada_api.post(f"/hooks/{hook}/test", json={}).status_code == 202
        clock.advance(seconds=10)
        for _ in range(MOST_IN_A_MINUTE - 1):
            assert ada_api.post(f"/hooks/{hook}/test", json={}).status_code == 202

        assert refused(ada_api.post(f"/hooks/{hook}/test", json={})) == 50
        assert ada_api.post(f"/hooks/{other}/test", json={}).status_code == 202

        clock.advance(seconds=50)
        assert ada_api.post(f"/hooks/{hook}/test", json={}).status_code == 202
        assert refused(ada_api.post(f"/hooks/{hook}/test", json={})) == 10


class TestWhileRedisIsDown:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"redis_url": "unix:///nowhere/valkey.sock"})

    def test_each_process_counts_by_itself(self, ada_api: ApiCaller) -> None:
        assert [ada_api.get("/hooks").status_code for _ in range(4)] == [200, 200, 200, 429]
