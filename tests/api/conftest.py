"""Callers of the native API, and what they look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from console import database
from console.services.work import Work
from tests.callers import Caller

RECEIVER = "http://127.0.0.1:8099/hook"


class ApiCaller(Caller):
    """Somebody with a token for the native API: ``ada_api.post("/hooks", json={…})``."""

    prefix = "/api/v1"

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
def caller(app: Flask) -> Callable[[str | None], ApiCaller]:
    """Make a caller of the native API who holds that token."""
    return lambda token: ApiCaller(app.test_client(), token)


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
