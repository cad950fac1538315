"""Callers of the dialects, and the app on a socket for clients that are programs of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.serving import BaseWSGIServer, make_server

from console.services.work import Clock, Ring, Work
from console.settings import Settings
from tests.apps import app_of
from tests.callers import Caller
from tests.dialects import pretix_stage, web_v1_stage

RECEIVER = "https://receiver.example.com/hook"


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
def ed_api(caller: Callable[..., Caller], token_of: Callable[..., str], ed: object) -> Caller:
    """Ed, editor in acme, with what editors may have of hooks, events and deliveries."""
    hooks = ("WEBHOOKS:VIEW", "WEBHOOKS:ADD", "WEBHOOKS:EDIT", "WEBHOOKS:REMOVE")
    return caller(token_of(ed, *hooks, "EVENTS:VIEW", "EVENTS:PUBLISH", "DELIVERIES:VIEW", "DELIVERIES:RESEND"))


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


@pytest.fixture
def two_events(work: Work, ada: Any) -> None:
    """What pretix calls events of an organizer: the sources ``democon`` and ``otherconf`` of acme."""
    pretix_stage.add_sources(work, ada, "democon", "otherconf")
