from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import create_engine, text, update
from sqlalchemy.orm import Session

from console.examining import Level, look_at_fan_outs
from console.models import Event, Worker
from console.services.events import event_rows, fan_outs
from console.services.work import LANES, Work
from console.settings import Settings
from tests.apps import app_of
from tests.engine import make_hook, publish

Run = Callable[..., Result]
KEY = "a key for tests that is long enough"


def put_workers_to_work(data: Path) -> None:
    engine = create_engine(f"sqlite:///{data / 'hookyard.sqlite3'}")
    now = datetime.now(UTC)
    with Session(engine) as session:
        for lane in LANES:
            session.add(Worker(lane=lane, host="here", pid=1, version="1", started_at=now, beat_at=now))
        session.commit()
    engine.dispose()


def test_a_sound_installation_passes(installed: Run, data: Path, valkey: str) -> None:
    put_workers_to_work(data)

    examined = installed("doctor", redis_url=valkey)

    assert examined.exit_code == 0, examined.output
    assert "FAIL" not in examined.output


def test_a_redis_without_a_log_is_only_a_warning(installed: Run, data: Path, valkey: str) -> None:
    put_workers_to_work(data)

    examined = installed("doctor", redis_url=valkey)

    assert "warn  Redis: It keeps no append-only file" in examined.output


def test_everything_missing_is_named_at_once(hookyard: Run) -> None:
    examined = hookyard("doctor", secret_key="")

    assert examined.exit_code == 1
    for subject in ("data directory", "secret key", "database", "Redis"):
        assert f"FAIL  {subject}: " in examined.output


def test_the_example_key_of_the_documents_fails(installed: Run, valkey: str) -> None:
    examined = installed("doctor", redis_url=valkey, secret_key="change-me-change-me-change-me")
    rotated = installed("doctor", redis_url=valkey, secret_key="a key of our own,change-me-change-me-change-me")

    assert examined.exit_code == 1
    assert "FAIL  secret key: HOOKYARD_SECRET_KEY: the first key is the example of the documentation" in examined.output
    assert "ok    secret key: There are 2; the first encrypts." in rotated.output


def test_a_proxy_that_nobody_counts_is_a_warning(installed: Run, data: Path, valkey: str) -> None:
    """A web process saw a forwarded request; the doctor is another process."""
    settings = Settings(data=data, secret_key=KEY, redis_url=valkey)
    before = installed("doctor", redis_url=valkey)
    with app_of(settings) as app:
        app.test_client().get("/healthz", headers={"X-Forwarded-For": "192.0.2.1"})

    warned, counted = installed("doctor", redis_url=valkey), installed("doctor", redis_url=valkey, proxy_hops="1")

    assert "proxy:" not in before.output
    assert "warn  proxy: Requests arrive with X-Forwarded-For, and HOOKYARD_PROXY_HOPS is 0" in warned.output
    assert "proxy:" not in counted.output


def test_looking_changes_nothing(hookyard: Run, data: Path) -> None:
    data.mkdir()

    hookyard("doctor", secret_key="")

    assert list(data.iterdir()) == []


def test_lanes_without_a_worker_fail(installed: Run, valkey: str) -> None:
    examined = installed("doctor", redis_url=valkey)

    assert examined.exit_code == 1
    assert "FAIL  workers of deliveries-slow: None is alive" in examined.output


def test_a_redis_that_evicts_fails(installed: Run, valkey: str, evicting: None) -> None:
    examined = installed("doctor", redis_url=valkey)

    assert "set its maxmemory-policy to noeviction" in examined.output


def test_a_secret_key_that_opens_nothing_fails(installed: Run, data: Path) -> None:
    engine = create_engine(f"sqlite:///{data / 'hookyard.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(text("PRAGMA foreign_keys = OFF"))
        connection.execute(
            text("INSERT INTO hook_secrets (hook_number, sealed, created_at) VALUES (1, :sealed, 0)"),
            {"sealed": b"sealed by another key"},
        )
    engine.dispose()

    examined = installed("doctor")

    assert "FAIL  stored secrets: A stored secret cannot be decrypted" in examined.output


def test_doctor_waits_for_workers_that_were_just_started(installed: Run, data: Path, valkey: str) -> None:
    starting = threading.Timer(1, put_workers_to_work, [data])
    starting.start()

    examined = installed("doctor", "--wait", "60", redis_url=valkey)

    starting.join()
    assert examined.exit_code == 0, examined.output
    assert "None is alive" not in examined.output


def test_doctor_fails_when_waiting_did_not_help(installed: Run, valkey: str) -> None:
    examined = installed("doctor", "--wait", "0.6", redis_url=valkey)

    assert examined.exit_code == 1
    assert examined.output.count("FAIL  workers of deliveries:") == 1


@pytest.mark.both_databases
def test_an_event_whose_deliveries_are_not_created_for_long_is_a_warning(work: Work, ada: Any, monkeypatch) -> None:
    monkeypatch.setattr(event_rows, "INLINE_HOOKS", 0)
    make_hook(work, ada)
    publish(work, ada)
    with work.transaction():
        work.session.execute(update(Event).values(created_at=datetime.now(UTC) - timedelta(hours=1)))

    late = look_at_fan_outs(work.session)
    work.session.rollback()
    fan_outs.finish(work)

    assert late.level is Level.WARNING
    assert "published 36" in late.words
    assert look_at_fan_outs(work.session).level is Level.OK
