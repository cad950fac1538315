"""F8, F9 and F10: the database is locked, full, read-only, restarted, or its last word is lost on the way."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from threading import Event, Thread
from typing import Self

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from console.extensions import db
from console.services.upkeep.beating import DEAD_AFTER
from tests.engine import set_state
from tests.faults.parts import Caller, Hand
from tests.faults.stage import Stage
from workers.equipment import open_engine


def expect_busy(answer) -> None:
    assert (answer.status_code, answer.json["code"]) == (503, "busy"), answer.text
    assert int(answer.headers["Retry-After"]) > 0


# --- F8 -------------------------------------------------------------------------------------------------------------


def test_f8_while_another_process_writes_for_long_events_are_refused_and_workers_wait(stage: Stage) -> None:
    stage.hook()
    impatient = stage.work.settings.database_url + "?timeout=0"  # what takes ten seconds otherwise
    caller = stage.caller(stage.app(database_url=impatient))
    stage.ledger.gate.clear()
    stage.start_worker(database_url=impatient)
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
    hooks = [stage.hook(path, max_in_flight=16) for path in "abcdef"]
    for hook in hooks:
        set_state(stage.work, hook, concurrency=16)  # so that a claim is for more than what is left of a page
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
def admin(database_url: str) -> Iterator[Engine]:
    """Speak to the server, and not to the test's database on it."""
    server = make_url(database_url).set(database="postgres")
    engine = create_engine(server, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    yield engine
    engine.dispose()


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


@pytest.mark.postgresql_only
def test_f10_connections_that_are_cut_all_the_time_lose_nothing_and_repeat_nothing(stage: Stage, admin: Engine) -> None:
    stage.hook(max_in_flight=16)
    worker = stage.start_worker()
    caller = stage.caller(stage.app())
    name = database_of(stage)

    def cut() -> None:
        with admin.connect() as connection:
            query = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
            connection.execute(query, {"name": name})

    stage.work.session.commit()
    with repeatedly(cut, every_s=0.1):
        for n in range(40):
            publish_until_it_works(stage, caller, n)

    stage.wait_for(delivered=40, seconds=30)
    assert stage.events() == 40
    assert worker.poll() is None
    assert stage.check().duplicates == 0


@pytest.mark.postgresql_only
def test_f10_a_server_that_crashes_and_recovers_loses_nothing(stage: Stage, admin: Engine) -> None:
    """One backend that dies by kill -9 makes PostgreSQL end all others and recover from its log."""
    with admin.connect() as connection:  # the server of the tests may forget what it said was committed
        connection.execute(text(f'ALTER DATABASE "{database_of(stage)}" SET synchronous_commit = on'))
    stage.hook()
    stage.work.session.commit()
    worker = stage.start_worker()
    caller = stage.caller(stage.app())
    stage.work.session.commit()

    for n in range(20):
        if n % 8 == 4:
            with admin.connect() as connection, suppress(DBAPIError):
                pid = connection.scalar(text("SELECT pg_backend_pid()"))
                os.kill(int(pid or 0), signal.SIGKILL)
                connection.scalar(text("SELECT 1"))
        publish_until_it_works(stage, caller, n)

    stage.wait_for(delivered=20, seconds=30)
    assert stage.events() == 20
    assert worker.poll() is None
    stage.check()


@pytest.mark.postgresql_only
def test_f10_a_server_that_only_reads_for_a_while_refuses_events_and_delivers_later(
    stage: Stage, admin: Engine
) -> None:
    stage.hook()
    worker = stage.start_worker()
    caller = stage.caller(stage.app())
    publish_until_it_works(stage, caller, 0)
    stage.wait_for(delivered=1)
    stage.publish(3)
    stage.work.session.commit()

    with read_only_server(admin):
        expect_busy(caller.publish())
        assert caller.call("GET", "/deliveries").status_code == 200
    publish_until_it_works(stage, caller, 1)

    stage.wait_for(delivered=5, seconds=30)
    assert worker.poll() is None
    assert stage.check().duplicates == 0


@pytest.mark.postgresql_only
def test_f10_a_host_that_falls_silent_in_a_transaction_keeps_its_locks_no_longer_than_its_claims(stage: Stage) -> None:
    engine = open_engine(stage.work.settings, pool_size=1)
    stage.stack.callback(engine.dispose)
    with engine.connect() as connection:
        patience = connection.scalar(text("SELECT current_setting('idle_in_transaction_session_timeout')::interval"))
        info = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]

    assert patience == DEAD_AFTER
    assert int(info["tcp_user_timeout"]) <= 30_000
    assert int(info["keepalives_idle"]) + int(info["keepalives_interval"]) * int(info["keepalives_count"]) <= 30


@contextmanager
def read_only_server(admin: Engine) -> Iterator[None]:
    with admin.connect() as connection:
        for setting in ("ON", "OFF"):
            connection.execute(text(f"ALTER SYSTEM SET default_transaction_read_only = {setting}"))
            connection.execute(text("SELECT pg_reload_conf()"))
            Event().wait(0.3)  # every backend reads it before its next statement
            if setting == "ON":
                try:
                    yield
                finally:
                    connection.execute(text("SET default_transaction_read_only = off"))


@pytest.mark.postgresql_only
def test_f10_an_event_whose_commit_was_made_but_not_confirmed_is_not_made_twice(stage: Stage) -> None:
    stage.hook()
    stage.work.session.commit()
    with Proxy(stage.work.settings.database_url) as proxy:
        caller = stage.caller(stage.app(database_url=proxy.url))
        assert caller.publish().status_code == 202
        proxy.is_cutting = True

        first = caller.publish(1, **{"Idempotency-Key": "once"})
        assert proxy.cuts > 0
        again = caller.publish(1, **{"Idempotency-Key": "once"})

    expect_busy(first)
    assert again.status_code == 202
    assert (stage.events(), stage.states()) == (2, {"pending": 2})


@pytest.mark.postgresql_only
def test_f10_results_whose_commit_was_made_but_not_confirmed_are_recorded_once(stage: Stage) -> None:
    stage.hook()
    stage.publish(5)
    with Proxy(stage.work.settings.database_url) as proxy:
        stage.start_worker(database_url=proxy.url)
        proxy.most_cuts, proxy.is_cutting = 6, True
        stage.publish(20)

        stage.wait_for(delivered=25, seconds=40)

    assert proxy.cuts > 0
    stage.check()


class Proxy:
    """Stands before a PostgreSQL; while it *is_cutting* it passes COMMIT on, and breaks off instead of the answer."""

    def __init__(self, url: str) -> None:
        parts = make_url(url)
        self._folder = tempfile.TemporaryDirectory(prefix="hy-proxy-", dir="/tmp")
        self._target = f"{parts.query['host']}/.s.PGSQL.5432"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self._folder.name}/.s.PGSQL.5432")
        self._listener.listen(50)
        self.url = parts.set(query={"host": self._folder.name}).render_as_string(hide_password=False)
        self.is_cutting = False
        self.most_cuts = 1
        self._open: list[socket.socket] = []
        self.cuts = 0

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self._listener, *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._folder.cleanup()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                self._open += [client, server]
                awaits_commit = Event()
                for ends in ((client, server), (server, client)):
                    Thread(target=self._pass_on, args=(*ends, ends[0] is client, awaits_commit), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_client: bool, awaits_commit: Event) -> None:  # noqa: FBT001
        with suppress(OSError):
            while data := source.recv(65536):
                if is_client and b"COMMIT\x00" in data and self.is_cutting and self.cuts < self.most_cuts:
                    awaits_commit.set()
                if not is_client and awaits_commit.is_set():
                    self.cuts += 1
                    break
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
