"""Apps to test, each built once a process: building one takes longer than most tests, and no request changes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import make_url

from console.app import create_app
from console.extensions import Collaborators, collaborators, db
from console.rates import Rates
from console.services.keys import KeyRing
from console.services.work import Clock, Ring, SilentRing, SystemClock
from console.settings import Settings
from tests.databases import Line

Install = Callable[[Flask], None]


@dataclass(frozen=True)
class Built:
    """An app that nobody uses now, and what a test may have changed of it."""

    app: Flask
    line: Line
    config: dict[str, Any]
    views: dict[str, Any]


_idle: dict[object, list[Built]] = defaultdict(list)


@contextmanager
def app_of(
    settings: Settings, *, clock: Clock | None = None, ring: Ring | None = None, besides: Install | None = None
) -> Iterator[Flask]:
    """Give the app with these settings on their database; its connections are closed at the end.

    *besides* installs what only the test has. Apps share nothing unless only clock, ring and database differ.
    """
    about = settings.model_dump_json(exclude={"data", "database_url"})
    manners = make_url(settings.sqlalchemy_url).query  # such as how long to wait for another writer
    shelf = _idle[about, settings.is_sqlite, tuple(sorted(manners.items())), besides]
    built = shelf.pop() if shelf else _build(settings, besides)
    app = built.app
    built.line.lead_to(settings.sqlalchemy_url)
    Collaborators(
        settings=settings,
        keys=KeyRing(settings.secret_keys),
        clock=clock or SystemClock(),
        ring=ring or SilentRing(),
        rates=Rates(settings.redis_url),
    ).install(app)
    try:
        yield app
    finally:
        with app.app_context():
            db.session.remove()
        built.line.close()
        app.config.clear()
        app.config.update(built.config)
        app.view_functions.clear()
        app.view_functions.update(built.views)
        app.test_client_class = Flask.test_client_class
        shelf.append(built)


@contextmanager
def others_waiting(app: Flask) -> Iterator[None]:
    """Let as many requests wait as may, so that no further one may."""
    with app.app_context():
        waits = collaborators().waits
    with ExitStack() as stack:
        for _ in range(waits.most):
            assert stack.enter_context(waits.one())
        yield


def _build(settings: Settings, besides: Install | None) -> Built:
    app = create_app(settings)
    if besides is not None:
        besides(app)
    with app.app_context():
        return Built(app, Line(db.engine), dict(app.config), dict(app.view_functions))
