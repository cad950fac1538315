"""How fast is a backlog delivered? Real worker processes, a real Valkey, a real receiver, SQLite or PostgreSQL.

The clock runs from the moment the backlog falls due until its last row is ``delivered`` in the database. With
``--rivals`` the usual ways of sending stand beside it, in the same run and with the same receiver; with ``--log`` the
database already holds so many delivered events.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from benchmarks import logbook, rivals, rows
from benchmarks.installation import Place, installation, receiver, wait_until, workers
from benchmarks.installation import parser as parser_of
from benchmarks.rows import PAYLOAD, Ids
from console import database
from console.ring import RedisRing
from console.services.work import DELIVERIES

UNFINISHED = text("SELECT count(*) FROM deliveries WHERE state <> 'delivered'")


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
    made = parser_of("drain", __doc__)
    made.add_argument("--deliveries", type=int, default=20_000, help="size of the backlog (default: %(default)s)")
    made.add_argument("--hooks", type=int, default=20, help="hooks it is spread over (default: %(default)s)")
    made.add_argument("--max-in-flight", type=int, default=16, help="of each hook (default: %(default)s)")
    made.add_argument("--rivals", type=int, default=0, help="deliveries for the comparison (default: none)")
    made.add_argument("--log", type=int, default=0, help="delivered events that are there before (default: none)")
    made.add_argument("--database-url", default="", help="measure on this empty database instead of SQLite")
    made.add_argument("--json", action="store_true", help="print JSON instead of a table")
    made.add_argument("--keep", action="store_true", help="keep the data directory and say where it is")
    return made


def measure(options: argparse.Namespace) -> Figures:
    """Set everything up, drain, compare, take everything down."""
    with installation(options, database_url=options.database_url, keep=options.keep) as place, receiver() as port:
        empty = size_of(place.engine)
        seed(place.engine, options, port=port)
        logbook.fill(place.engine, options.log)
        with workers(place.settings):
            seconds = drain(place)
        bytes_each = round((size_of(place.engine) - empty) / (options.deliveries + options.log))
        url = place.settings.redis_url
        beside = (
            rivals.measure(redis_url=url, port=port, body=PAYLOAD, count=options.rivals, workers=options.workers)
            if options.rivals
            else {}
        )
    return Figures(
        deliveries=options.deliveries,
        hooks=options.hooks,
        workers=options.workers,
        threads=options.threads,
        database=place.database,
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


# --- the parts ------------------------------------------------------------------------------------------------------


def seed(engine: Engine, options: argparse.Namespace, *, port: int) -> None:
    """Write the organization, its hooks and the backlog, held for now."""
    ids = Ids()
    urls = [f"http://127.0.0.1:{port}/{index}" for index in range(options.hooks)]
    with Session(engine) as session:
        organization = rows.make_organization(session, ids=ids)
        hooks = rows.make_hooks(session, urls, organization=organization, ids=ids, max_in_flight=options.max_in_flight)
        rows.backlog(session, hooks, options.deliveries, organization=organization, ids=ids)
        session.commit()


def size_of(engine: Engine) -> int:
    """Give the bytes that the database takes on the disk."""
    pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    query = pages if engine.dialect.name == "sqlite" else "SELECT pg_database_size(current_database())"
    with database.read_only(), engine.connect() as connection:
        return int(connection.scalar(text(query)) or 0)


def drain(place: Place) -> float:
    """Let the backlog fall due; give the seconds until all of it is delivered."""
    rows.let_go(place.engine)
    begun = time.monotonic()
    RedisRing(place.settings.redis_url).ring(DELIVERIES)
    wait_until(lambda: not _unfinished(place.engine))
    return time.monotonic() - begun


def _unfinished(engine: Engine) -> int:
    with database.read_only(), engine.connect() as connection:
        return int(connection.scalar(UNFINISHED) or 0)
