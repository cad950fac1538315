"""F8, F9 and F10: the database is locked, full, read-only, restarted, or its last word is lost on the way."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url

from console.extensions import db
from tests.faults.stage import Caller, Hand, Stage

BUSY = "The database is busy"


def expect_busy(answer) -> None:
    assert (answer.status_code, answer.json["code"]) == (503, "busy"), answer.text
    assert int(answer.headers["Retry-After"]) > 0


# --- F8 -------------------------------------------------------------------------------------------------------------


def test_f8_while_another_process_writes_for_long_events_are_refused_and_workers_wait(stage: Stage) -> None:
    stage.hook()
    patient = stage.work.settings.database_url + "?timeout=1"  # as ten seconds would be, sooner
    caller = stage.caller(stage.app(database_url=patient))
    stage.ledger.gate.clear()
    stage.start_worker(database_url=patient)
    stage.publish(3)
    stage.wait_until(lambda: stage.ledger.receipts)

    with closing(sqlite3.connect(stage.work.settings.database_url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        stage.ledger.gate.set()
        refused = [caller.publish(key, **{"Idempotency-Key": str(key)}) for key in range(2)]
        read = caller.call("GET", "/deliveries")
        other.rollback()

    for answer in refused:
        expect_busy(answer)
    assert read.status_code == 200
    assert stage.events() == 3
    stage.wait_for(delivered=3)
    accepted = [caller.publish(key, **{"Idempotency-Key": str(key)}) for key in range(2)]
    assert [answer.status_code for answer in accepted] == [202, 202]
    stage.wait_for(delivered=5)
    assert stage.check().duplicates == 0


# --- F9 -------------------------------------------------------------------------------------------------------------

FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk();
CREATE TRIGGER full_disk BEFORE INSERT ON attempts EXECUTE FUNCTION full_disk();"""
FREE = "DROP FUNCTION full_disk CASCADE"


@contextmanager
def full_disk(stage: Stage, app: Flask, hand: Hand) -> Iterator[None]:
    """Let the database have no more room than it has now: for our own connections, or for anybody's."""
    own = stage.work.session.get_bind()
    assert isinstance(own, Engine)
    if own.dialect.name == "postgresql":
        with own.begin() as connection:
            connection.exec_driver_sql(FULL)
        yield
        with own.begin() as connection:
            connection.exec_driver_sql(FREE)
        return
    with app.app_context():
        engines = [db.engine, hand.equipment.engine]
    limit = [f"PRAGMA max_page_count = {pages_of(stage)}"]

    def limit_pages(raw, *_: object) -> None:
        raw.execute(limit[0])

    for engine in engines:
        event.listen(engine, "checkout", limit_pages)
    yield
    limit[0] = "PRAGMA max_page_count = 1073741823"


def pages_of(stage: Stage) -> int:
    with closing(sqlite3.connect(stage.work.settings.database_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("VACUUM")  # no page is left that could be used again
        return int(connection.execute("PRAGMA page_count").fetchone()[0])


@pytest.mark.both_databases
def test_f9_with_a_full_disk_events_are_refused_and_nothing_is_sent_until_there_is_room(stage: Stage) -> None:
    hooks = [stage.hook(path) for path in "abcdef"]
    stage.publish(80)
    app, hand = stage.app(), stage.hand()
    caller = stage.caller(app)
    expected = 80 * len(hooks)

    with full_disk(stage, app, hand):
        expect_busy(caller.call("POST", "/events", {"type": "order.paid", "payload": {"text": "x" * 200_000}}))
        hand.deliver(slice_s=1)
        assert stage.ledger.receipts == []
        assert stage.states() == {"pending": expected}

    hand.deliver()
    assert caller.publish().status_code == 202
    stage.wait_for(delivered=expected, pending=len(hooks))
    assert stage.check(is_over=False).duplicates == 0


# --- F10 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def admin(postgres_server: str) -> Iterator[Engine]:
    engine = create_engine(postgres_server, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    yield engine
    engine.dispose()


def postgres(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test on PostgreSQL alone."""
    return pytest.mark.postgres(pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)(test))


def database_of(stage: Stage) -> str:
    return str(make_url(stage.work.settings.database_url).database)


def publish_until_it_works(stage: Stage, caller: Caller, n: int) -> None:
    """Publish as a client does that gives each event a key: what is refused is repeated."""
    for _ in range(200):
        answer = caller.publish(n, **{"Idempotency-Key": f"key {n}"})
        if answer.status_code == 202:
            stage.answered[answer.json["id"]] = answer.json["deliveries"]
            return
        assert answer.status_code == 503, answer.text
        Event().wait(0.05)
    pytest.fail("no event could be published")


@contextmanager
def repeatedly(act: Callable[[], None], *, every_s: float) -> Iterator[None]:
    is_over = Event()

    def run() -> None:
        while not is_over.wait(every_s):
            act()

    thread = Thread(target=run, daemon=True)
    thread.start()
    yield
    is_over.set()
    thread.join()


@postgres
def test_f10_connections_that_are_cut_all_the_time_lose_nothing_and_repeat_nothing(stage: Stage, admin: Engine) -> None:
    stage.hook(max_in_flight=16)
    worker = stage.start_worker()
    caller = stage.caller(stage.app())
    name = database_of(stage)

    def cut() -> None:
        with admin.connect() as connection:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
            connection.execute(text(query + " AND application_name <> 'test'"), {"name": name})

    stage.work.session.commit()
    with repeatedly(cut, every_s=0.1):
        for n in range(40):
            publish_until_it_works(stage, caller, n)

    stage.work.session.invalidate()  # the test's own connection was cut as well
    stage.wait_for(delivered=40, seconds=30)
    assert stage.events() == 40
    assert worker.poll() is None
    assert stage.check().duplicates == 0
