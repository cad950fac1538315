"""The app over a fresh database, and callers who hold tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from console import database
from console.services.work import Clock, Ring, Work
from console.settings import Settings
from tests.apps import app_of

RECEIVER = "http://127.0.0.1:8099/hook"


class Caller:
    """Somebody with a token: ``ada_api.post("/hooks", json={…})``; paths begin below /api/v1."""

    def __init__(self, client: FlaskClient, token: str | None) -> None:
        self.client = client
        self.token = token

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = {"Authorization": f"Token {self.token}"} if self.token else {}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers | kwargs.pop("headers", {}), **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("DELETE", path, **kwargs)

    def post_bytes(self, path: str, body: bytes, **headers: str) -> TestResponse:
        """Post *body* as it is, as JSON."""
        return self.post(path, data=body, content_type="application/json", headers=headers)

    def make_hook(self, **fields: Any) -> dict[str, Any]:
        """Make a hook that hears everything unless told."""
        response = self.post("/hooks", json={"url": RECEIVER, "all_events": True} | fields)
        assert response.status_code == 201, response.text
        return response.get_json()

    def publish(self, **fields: Any) -> dict[str, Any]:
        """Publish an event of the type order.paid unless told."""
        response = self.post("/events", json={"type": "order.paid", "payload": {"order": 1}} | fields)
        assert response.status_code == 202, response.text
        return response.get_json()

    def only_delivery(self) -> dict[str, Any]:
        """Give the one delivery there is."""
        (delivery,) = self.get("/deliveries").get_json()["data"]
        return delivery


@pytest.fixture
def app(settings: Settings, clock: Clock, ring: Ring) -> Iterator[Flask]:
    with app_of(settings, clock=clock, ring=ring) as app:
        yield app


@pytest.fixture
def caller(app: Flask) -> Callable[[str | None], Caller]:
    """Make a caller who holds that token."""
    return lambda token: Caller(app.test_client(), token)


@pytest.fixture
def ada_api(caller: Callable[..., Caller], token_of: Callable[..., str], ada: object) -> Caller:
    """Ada, admin of acme, with all permissions."""
    return caller(token_of(ada))


@pytest.fixture
def vi_api(caller: Callable[..., Caller], token_of: Callable[..., str], vi: object) -> Caller:
    """Vi, viewer in acme, with what viewers may have."""
    return caller(token_of(vi, "WEBHOOKS:VIEW", "EVENTS:VIEW", "DELIVERIES:VIEW"))


@pytest.fixture
def mallory_api(caller: Callable[..., Caller], token_of: Callable[..., str], mallory: object) -> Caller:
    """Mallory, admin of another organization, with all permissions there."""
    return caller(token_of(mallory))


@pytest.fixture
def anyone(caller: Callable[..., Caller]) -> Caller:
    """Somebody without a token."""
    return caller(None)


def rows(work: Work, model: type[Any]) -> list[Any]:
    """Give every row of *model*, oldest first. No transaction stays open: on SQLite it would keep all others out."""
    work.session.rollback()
    with database.read_only():
        found = list(work.session.scalars(select(model).order_by(model.number)))
        work.session.expunge_all()
        work.session.rollback()
    return found


def pointers(response: TestResponse) -> dict[str, str]:
    """Give the code of each wrong field by its pointer."""
    assert response.mimetype == "application/problem+json"
    return {error["pointer"]: error["code"] for error in response.get_json()["errors"]}
