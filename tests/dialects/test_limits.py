"""Who asks a dialect too often is told so in its words."""

from __future__ import annotations

from typing import Any

import pytest

from console.services.hooks.rate_of_tests import MOST_IN_A_MINUTE
from console.settings import Settings
from tests.dialects.oms_stage import PACKAGE, PUBLISH, E, H, make
from tests.dialects.pretix_stage import LEAST, W

WEB_V1 = "/api/web/v1/webhooks"
ROOTS = ("/api/hooks-web/", W, H, E)
THROTTLED = {"detail": "Request was throttled. Expected available in 60 seconds."}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"api_rate": 3})


@pytest.mark.parametrize("path", ROOTS)
def test_those_like_django_rest_framework_say_when_to_come_back(ada_api: Any, path: str) -> None:
    assert [ada_api.get(path).status_code for _ in range(3)] == [200] * 3

    answer = ada_api.get(path)

    assert (answer.status_code, answer.get_json()) == (429, THROTTLED)
    assert answer.headers["Retry-After"] == "60"


def test_web_v1_says_it_as_it_says_every_error(ada_api: Any) -> None:
    assert [ada_api.get(WEB_V1).status_code for _ in range(3)] == [200] * 3

    answer = ada_api.get(WEB_V1)

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
    body = answer.get_json()
    assert (body["status"], body["error"], body["path"]) == (429, "Too Many Requests", WEB_V1)


def test_a_token_is_counted_over_all_dialects(ada_api: Any) -> None:
    assert [ada_api.get(path).status_code for path in ROOTS] == [200, 200, 200, 429]


@pytest.mark.parametrize("path", ["/api/v1/organizers/other/webhooks/", "/whisperer/hooks/", H])
def test_refusals_are_counted(caller: Any, token_of: Any, ada: Any, path: str) -> None:
    narrow = caller(token_of(ada, "EVENTS:VIEW"))
    assert [narrow.get(path).status_code for _ in range(3)] == [403] * 3

    assert narrow.get(path).status_code == 429


def test_publish_event_is_never_too_often(ada_api: Any) -> None:
    webhook = make(ada_api)
    body = {"hook": webhook["id"], "instance": PACKAGE}

    assert {ada_api.post(PUBLISH, json=body).status_code for _ in range(5)} == {202}


def test_an_answer_that_asks_for_another_try_is_not_kept_for_an_idempotency_key(ada_api: Any, clock: Any) -> None:
    for _ in range(3):
        ada_api.get(W)
    key = {"X-Idempotency-Key": "once"}
    assert ada_api.post(W, json=LEAST, headers=key).status_code == 429

    clock.advance(seconds=60)

    assert ada_api.post(W, json=LEAST, headers=key).status_code == 201


class TestWithoutALimit:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"api_rate": 0})

    def test_a_webhook_of_web_v1_is_tested_a_number_of_times_a_minute(self, ada_api: Any) -> None:
        parms = {"callbackUrl": "https://receiver.example.com/", "events": ["package.created"]}
        hook_id = ada_api.post(WEB_V1, json=parms).get_json()["id"]
        for _ in range(MOST_IN_A_MINUTE):
            assert ada_api.post(f"/api/v1/hooks/{hook_id}/test", json={}).status_code == 202

        answer = ada_api.post(f"{WEB_V1}/test/{hook_id}")

        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")
        assert answer.get_json()["message"].startswith(f"A hook takes {MOST_IN_A_MINUTE} tests a minute.")
