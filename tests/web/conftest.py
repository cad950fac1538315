"""The console in the Flask client: the app on the test's database, and the cast signed in."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from console.models import Attempt, Delivery, Hook, Replay, Which
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.replays import replays
from console.services.replays.planning import ReplayDraft
from console.services.work import Work
from console.settings import Settings
from console.web.hooks import resolving
from tests.apps import app_of

HTMX = {"HX-Request": "true"}
PASSWORD = "correct horse battery"


class Browser(FlaskClient):
    """A client that ends the test's own transaction first, and sends the CSRF token and a referrer with every form."""

    session_of_test: Session

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        self.session_of_test.commit()
        self.session_of_test.expire_all()
        return super().open(*args, **kwargs)

    def see(self, path: str, **kwargs: Any) -> BeautifulSoup:
        """Get a page that must be there, with one heading and unique ids, and give it as soup."""
        answer = self.get(path, **kwargs)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:400])
        soup = BeautifulSoup(answer.text, "html.parser")
        if "headers" not in kwargs:
            check_page(soup)
        return soup

    def submit(self, path: str, data: dict[str, Any] | None = None, *, htmx: bool = False) -> TestResponse:
        """Post a form as a page of ours would."""
        form = {**(data or {}), "csrf_token": self.token()}
        return self.post(path, data=form, headers=HTMX if htmx else {})

    def token(self) -> str:
        """Give this browser's CSRF token, as Flask-WTF puts it into every form; asking a page takes twice as long."""
        with self.session_transaction() as session:
            secret = session.setdefault("csrf_token", secrets.token_hex())
        return str(URLSafeTimedSerializer(self.application.secret_key, salt="wtf-csrf-token").dumps(secret))


def check_page(soup: BeautifulSoup) -> None:
    """Check what holds of every page: one heading, a title, unique ids, labelled controls, nothing inline."""
    assert len(soup.find_all("h1")) == 1
    assert soup.h1 is not None
    assert soup.h1.get_text(strip=True)
    assert soup.title is not None
    assert soup.title.get_text(strip=True).endswith("Hookyard")
    tags = soup.find_all()
    ids = [str(tag["id"]) for tag in tags if tag.get("id") is not None]
    assert sorted(set(ids)) == sorted(ids), [one for one in ids if ids.count(one) > 1]
    assert not [tag for tag in tags for name in tag.attrs if name in {"style", "hx-on"} or name.startswith("on")]
    labelled = {tag.get("for") for tag in tags if tag.name == "label"}
    for control in [tag for tag in tags if tag.name in {"input", "select", "textarea"} and tag.get("type") != "hidden"]:
        by_label = bool(control.get("id")) and control["id"] in labelled
        assert by_label or control.find_parent("label") or control.get("aria-label"), str(control)
    for tag in tags:
        for name in ("aria-describedby", "aria-labelledby"):
            for wanted in str(tag.get(name, "")).split():
                assert wanted in ids, (wanted, str(tag)[:200])


@pytest.fixture(autouse=True)
def unknown_hosts(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names that the DNS does not know; all others it does, and nobody is asked."""
    unknown: set[str] = set()

    def look_up(host: str, *_args: object, **_options: object) -> list[object]:
        if host in unknown:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return []

    monkeypatch.setattr(resolving, "lookup", look_up)
    return unknown


@pytest.fixture
def app(settings: Settings, clock: Any, ring: Any, session: Session) -> Iterator[Flask]:
    """The app, on the database, clock and ring of the test."""
    with app_of(settings, clock=clock, ring=ring) as app:
        app.testing = True
        app.test_client_class = type("BrowserOfTest", (Browser,), {"session_of_test": session})
        yield app


@pytest.fixture
def client(app: Flask) -> Any:
    """A browser in which nobody is signed in."""
    return app.test_client()


@pytest.fixture
def signed_in(app: Flask, work: Work) -> Callable[[Any], Any]:
    """Give a browser in which that person is signed in: ``signed_in(ada)``."""

    def sign_in(person: Any) -> Any:
        browser = app.test_client()
        answer = browser.submit("/login", {"login": person.user.email, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        return browser

    return sign_in


# --- a scene: hooks, deliveries and attempts in any state ------------------------------------------------------------


@dataclass
class Scene:
    """Makes what the pages show, in the organization of *person*."""

    work: Work
    person: Any

    def hook(self, **fields: Any) -> Hook:
        """Make a hook that hears everything, unless told."""
        draft = HookDraft(**{"name": "Shop", "url": "https://shop.example.com/hook", "all_events": True, **fields})
        number = self.person.organization.number
        return hooks.create(self.work, organization_number=number, author_number=None, draft=draft).hook

    def publish(self, type_: str = "order.paid", **fields: Any) -> list[Delivery]:
        """Publish an event and give its deliveries."""
        draft = EventDraft(**{"type": type_, "payload": b'{"n": 1}', **fields})
        number = self.person.organization.number
        published = publishing.publish(self.work, organization_number=number, draft=draft)
        found = select(Delivery).where(Delivery.event_number == published.number).order_by(Delivery.number)
        return list(self.work.session.scalars(found))

    def put(self, delivery: Delivery, **values: Any) -> Delivery:
        """Set columns of a delivery."""
        for name, value in values.items():
            setattr(delivery, name, value)
        self.work.session.commit()
        return delivery

    def attempt(self, delivery: Delivery, *, number: int = 1, **values: Any) -> Attempt:
        """Add an attempt, which got 200 unless told."""
        known = {
            "chain": 1,
            "trigger": "automatic",
            "started_at": self.work.now(),
            "duration_ms": 143.0,
            "outcome": "ok",
            "charged": False,
            "status": 200,
            "peer": "203.0.113.7:443",
            "timings": {"dns": 1.0, "connect": 2.0, "tls": 3.0, "send": 0.1, "first_byte": 130.0, "body": 0.5},
            "url": delivery.url,
            "request_headers": [["webhook-id", str(delivery.id)], ["webhook-signature", "••••••"]],
            "response_headers": [["Server", "nginx"]],
            "response_body": b'{"ok": true}',
        }
        attempt = Attempt(delivery_number=delivery.number, number=number, **{**known, **values})
        self.work.session.add(attempt)
        delivery.attempt_count = max(delivery.attempt_count, number)
        delivery.last_status, delivery.last_outcome = attempt.status, attempt.outcome
        delivery.last_duration_ms = attempt.duration_ms
        self.work.session.commit()
        return attempt


@pytest.fixture
def scene(work: Work, ada: Any) -> Scene:
    """Make hooks, deliveries and attempts in acme."""
    return Scene(work, ada)


@pytest.fixture
def elsewhere(work: Work, mallory: Any) -> Scene:
    """Make them in the organization of somebody else."""
    return Scene(work, mallory)


@pytest.fixture
def make_hook(work: Work, ada: Any) -> Callable[..., Hook]:
    """Make a hook of acme: ``make_hook(name="Shop")``."""

    def make(**fields: Any) -> Hook:
        draft = HookDraft(
            **{"name": "Shop", "url": "https://shop.example.com/hook", "event_types": ["order.paid"], **fields}
        )
        made = hooks.create(
            work, organization_number=ada.organization.number, author_number=ada.user.number, draft=draft
        )
        work.session.commit()
        return made.hook

    return make


@pytest.fixture
def publish(work: Work, ada: Any) -> Callable[..., None]:
    """Publish events: ``publish("order.paid", times=3)``."""

    def publish(event_type: str, *, times: int = 1) -> None:
        draft = EventDraft(type=event_type, payload=b"{}")
        publishing.publish_batch(work, organization_number=ada.organization.number, drafts=[draft] * times)

    return publish


@pytest.fixture
def five(scene: Scene) -> list[Delivery]:
    """A delivery in each state of the presets, and a canceled one."""
    scene.hook()
    made = [scene.publish(object_pk=str(number))[0] for number in range(5)]
    for delivery, state in zip(made, ("delivered", "pending", "failed", "held", "canceled"), strict=True):
        scene.put(delivery, state=state)
    scene.attempt(made[0])
    scene.attempt(made[2], status=None, outcome="timeout")
    return made


@pytest.fixture
def lose(scene: Scene, work: Work) -> Callable[..., list[Delivery]]:
    """Let a delivery of each hook have failed: ``lose("order.paid")``."""

    def lose(type_: str = "order.paid", count: int = 1) -> list[Delivery]:
        found = []
        for _ in range(count):
            for delivery in scene.publish(type_):
                scene.put(delivery, state="failed", next_attempt_at=None, finished_at=work.now())
                found.append(delivery)
        return found

    return lose


@pytest.fixture
def begin(ada: Any, as_person: Callable[..., Work]) -> Callable[..., Replay]:
    """Start a replay."""

    def begin(which: Which = Which.FAILED, **fields: Any) -> Replay:
        draft = ReplayDraft(which=which, **fields)
        return replays.start(as_person(ada), organization_number=ada.organization.number, draft=draft)

    return begin
