"""Behind a reverse proxy: who asks and under which name is what the trusted proxies say, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, jsonify, request

from console.settings import Settings
from tests.apps import app_of

FORWARDED = {
    "X-Forwarded-For": "192.0.2.1, 198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "hooks.example.com",
}


def tell(app: Flask) -> None:
    """Add a page that tells what the app knows of a request."""
    app.add_url_rule("/seen", view_func=lambda: jsonify(address=request.remote_addr, url=request.url))


@pytest.fixture
def behind_a_proxy(settings: Settings) -> Iterator[Flask]:
    given = {**settings.model_dump(), "base_url": "https://hooks.example.com", "proxy_hops": 1}
    with app_of(Settings(**given), besides=tell) as app:
        yield app


def test_the_last_proxy_says_who_asks_and_by_which_url(behind_a_proxy: Flask) -> None:
    seen = behind_a_proxy.test_client().get("/seen", headers=FORWARDED).get_json()

    assert seen == {"address": "198.51.100.7", "url": "https://hooks.example.com/seen"}


def test_without_proxies_nobody_is_believed(settings: Settings) -> None:
    with app_of(settings, besides=tell) as app:
        seen = app.test_client().get("/seen", headers=FORWARDED).get_json()

    assert seen == {"address": "127.0.0.1", "url": "http://localhost/seen"}


@pytest.mark.parametrize("path", ["/seen", "/login", "/api/v1/hooks", "/nothing"])
def test_another_name_than_the_installations_is_refused(behind_a_proxy: Flask, path: str) -> None:
    answer = behind_a_proxy.test_client().get(path, headers=FORWARDED | {"X-Forwarded-Host": "evil.example"})

    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_and_prometheus_come_by_address_past_the_proxy(behind_a_proxy: Flask, path: str) -> None:
    answer = behind_a_proxy.test_client().get(path, headers={"Host": "10.0.0.7:8000"})

    assert answer.status_code != 400
    assert answer.get_json()["status"]
