"""The app over a fresh database, callers who hold tokens, and a receiver that nobody dials."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.test import TestResponse

from console.services.work import Clock, Ring
from console.settings import Settings
from tests.apps import app_of
from tests.dialects import web_v1_stage

RECEIVER = "https://receiver.example.com/hook"


class Caller:
    """Somebody with a token: ``ada_api.get("/api/hooks-web/")``. *token* None sends no Authorization."""

    def __init__(self, client: FlaskClient, session: Session, token: str | None) -> None:
        self.client = client
        self.session = session
        self.token = token

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        self.session.commit()  # the test's own transaction would keep the app's waiting
        self.session.expire_all()
        headers = {"Authorization": f"Token {self.token}"} if self.token else {}
        return self.client.open(path, method=method, headers=headers | kwargs.pop("headers", {}), **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("GET", path, **kwargs)

    def head(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("HEAD", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("POST", path, **kwargs)

    def put(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("PUT", path, **kwargs)

    def patch(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("PATCH", path, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> TestResponse:
        return self.call("DELETE", path, **kwargs)


@pytest.fixture
def app(settings: Settings, clock: Clock, ring: Ring) -> Iterator[Flask]:
    with app_of(settings, clock=clock, ring=ring) as app:
        yield app


@pytest.fixture(scope="module")
def server() -> Iterator[BaseWSGIServer]:
    """A server on a socket of this machine; its app is the one of the test that runs."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def address(server: BaseWSGIServer, settings: Settings, clock: Clock, ring: Ring) -> Iterator[str]:
    """Where the app is served."""
    address = f"http://127.0.0.1:{server.port}"
    with app_of(settings.model_copy(update={"base_url": address}), clock=clock, ring=ring) as app:
        server.app = app
        yield address


@pytest.fixture
def caller(app: Flask, session: Session) -> Callable[[str | None], Caller]:
    """Make a caller who holds that token."""
    return lambda token: Caller(app.test_client(), session, token)


@pytest.fixture
def ada_api(caller: Callable[..., Caller], token_of: Callable[..., str], ada: object) -> Caller:
    """Ada, admin of acme, with all permissions."""
    return caller(token_of(ada))


@pytest.fixture
def ed_api(caller: Callable[..., Caller], token_of: Callable[..., str], ed: object) -> Caller:
    """Ed, editor in acme, with what editors may have of hooks, events and deliveries."""
    hooks = ("WEBHOOKS:VIEW", "WEBHOOKS:ADD", "WEBHOOKS:EDIT", "WEBHOOKS:REMOVE")
    return caller(token_of(ed, *hooks, "EVENTS:VIEW", "EVENTS:PUBLISH", "DELIVERIES:VIEW", "DELIVERIES:RESEND"))


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


@pytest.fixture
def web_v1(app: Flask, session: Session, token_of: Callable[..., str]) -> Callable[..., web_v1_stage.Caller]:
    """Make a caller of web/v1: ``web_v1(ada, "WEBHOOKS:VIEW")``; ``web_v1(None)`` has no token."""

    def make(person: Any, *permissions: str) -> web_v1_stage.Caller:
        token = token_of(person, *permissions) if person else None
        return web_v1_stage.Caller(app.test_client(), token, session=session)

    return make


@pytest.fixture
def ada_v1(web_v1: Callable[..., web_v1_stage.Caller], ada: object) -> web_v1_stage.Caller:
    """Ada as a caller of web/v1, with all permissions."""
    return web_v1(ada)
