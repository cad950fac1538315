"""/healthz and /readyz, and what stands above every page while something keeps the installation from its work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from console.app import create_app
from console.ring import RedisRing
from console.services.hooks.hook_fields import HookDraft
from console.services.hooks.hooks import create
from console.services.upkeep import beating, condition, leading
from console.services.work import DELIVERIES, Work
from console.settings import Settings


def reasons(app: Flask, session: Session, *, status: int = 503) -> list[str]:
    session.commit()
    answer = app.test_client().get("/readyz")
    assert answer.status_code == status
    return list(answer.get_json()["reasons"])


def test_it_is_alive_without_asking_anybody(app: Flask) -> None:
    assert app.test_client().get("/healthz").get_json() == {"status": "ok"}


def test_it_is_ready_when_a_worker_leads(app: Flask, work: Work, session: Session) -> None:
    assert reasons(app, session) == [condition.WORKERS]

    worker = beating.register(work, lane=DELIVERIES, host="test", pid=1, version="0")
    leading.lead(work, worker=worker)

    assert reasons(app, session, status=200) == []


def test_a_leader_that_is_silent_does_not_count(app: Flask, work: Work, session: Session, clock: Any) -> None:
    leading.lead(work, worker=beating.register(work, lane=DELIVERIES, host="test", pid=1, version="0"))

    clock.advance(seconds=11)

    assert reasons(app, session) == [condition.WORKERS]


def test_a_redis_that_is_away_is_said_above_every_page_but_not_to_strangers(
    settings: Settings, app: Flask, work: Work, session: Session, clock: Any, ada: Any, signed_in: Any
) -> None:
    words = "Redis cannot be reached. Deliveries go on, later than usual."
    browser = signed_in(ada)
    app.extensions["hookyard"] = replace(app.extensions["hookyard"], ring=RedisRing("unix:///nowhere/valkey.sock"))

    assert words in reasons(app, session)
    assert browser.see("/o/acme/").select_one("main .notice").get_text(strip=True) == words
    assert browser.see("/o/acme/hooks").find(string=words)
    assert words not in app.test_client().get("/login").text


def test_secrets_that_no_key_opens_are_said(
    settings: Settings, work: Work, session: Session, clock: Any, ring: Any, ada: Any
) -> None:
    draft = HookDraft(url="https://example.com/hook", all_events=True)
    create(work, organization_number=ada.organization.number, author_number=None, draft=draft)
    other = Settings(**{**settings.model_dump(), "secret_key": "another key that is long enough"})

    assert condition.SECRETS in reasons(create_app(other, clock=clock, ring=ring), session)


def test_words_tell_no_address(app: Flask, session: Session) -> None:
    app.extensions["hookyard"] = replace(app.extensions["hookyard"], ring=RedisRing("redis://:secret@127.0.0.1:1/0"))

    said = " ".join(reasons(app, session))

    assert "Redis" in said
    assert "127.0.0.1" not in said
    assert "secret" not in said
