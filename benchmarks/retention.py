"""Does deleting what is old hold up what is new? Real worker processes, a real Valkey, a real receiver.

The log is full of deliveries that nobody keeps any longer; the workers delete them by themselves while events are
published at a steady rate. Measured are how long the new ones wait for their first attempt, without the deleting and
while it goes on, how fast it is, and how long others had to wait for the database meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Signal
from threading import Thread

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session

from benchmarks import logbook, rows
from benchmarks.installation import Place, installation, parser, receiver, workers
from benchmarks.rows import Ids
from benchmarks.stream import LIMIT_S, Delays, delays, streaming
from console import database
from console.models import Delivery, Event
from console.services.work import BACKGROUND, DELIVERIES, DELIVERIES_SLOW

AGE = timedelta(days=40)
ANSWER = b"x" * 1000
LOOK_EVERY_S = 0.02
BATCH = 1000
"""Events that were published together, at one moment."""
# Not those of autovacuum, which goes on for seconds and holds nobody up.
_OLDEST = """
SELECT extract(epoch FROM clock_timestamp() - xact_start), left(trim(query), 80) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND backend_xid IS NOT NULL
  AND pid <> pg_backend_pid()
ORDER BY xact_start LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; *rate* is of the deleting, in deliveries a second, *log_mb* SQLite's write-ahead log at most.

    *longest_write_s*: the oldest transaction that had written (PostgreSQL), or the longest anybody would have waited
    to write (SQLite, where there is one writer), while it went on and *before*.
    """

    database: str
    deliveries: int
    left: int
    events_a_second: int
    seconds: float
    rate: float
    before: Delays
    meanwhile: Delays
    longest_write_before_s: float
    longest_write_s: float
    longest_write: str
    size_mb: float
    log_mb: float

    @property
    def is_good(self) -> bool:
        """Say whether all was deleted, and new events waited up to 1 s (95th percentile)."""
        return not self.left and self.meanwhile.p95_s <= LIMIT_S


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON; exit 1 when an aim was missed."""
    options = _parser().parse_args(arguments)
    with installation(options) as place, receiver() as port:
        figures = measure(place, options, port=port)
    print(json.dumps({**asdict(figures), "is_good": figures.is_good}, indent=2))
    return 0 if figures.is_good else 1


def _parser() -> argparse.ArgumentParser:
    made = parser("retention", __doc__)
    made.add_argument("--deliveries", type=int, default=300_000, help="to be deleted (default: %(default)s)")
    made.add_argument("--attempts", type=int, default=1, help="of each of them (default: %(default)s)")
    made.add_argument("--waiting", type=int, default=0, help="of them that still wait and stay (default: none)")
    made.add_argument("--hooks", type=int, default=20, help="that get new events (default: %(default)s)")
    made.add_argument("--rate", type=int, default=100, help="new events a second (default: %(default)s)")
    made.add_argument("--before", type=int, default=10, help="seconds without deleting (default: %(default)s)")
    made.add_argument("--seconds", type=int, default=600, help="it may take so long (default: %(default)s)")
    return made


def measure(place: Place, options: argparse.Namespace, *, port: int) -> Figures:
    """Fill the log, publish steadily, let it grow old."""
    ids = Ids()
    urls = [f"http://127.0.0.1:{port}/{index}" for index in range(options.hooks)]
    with Session(place.engine) as session:
        organization = rows.make_organization(session, ids=ids)
        hooks = rows.make_hooks(session, urls, organization=organization, ids=ids, named=True)
        rows.backlog(session, hooks, 1, organization=organization, ids=ids)
        session.execute(update(Delivery).values(state="delivered", finished_at=datetime.now(UTC), attempt_count=1))
        session.commit()
    logbook.fill(place.engine, options.deliveries, answer=ANSWER, attempts=options.attempts)
    last = _count(place.engine, select(func.max(Event.number)))
    with workers(place.settings, lanes=[DELIVERIES] * options.workers + [DELIVERIES_SLOW, BACKGROUND]):
        with streaming(place, organization=organization, hooks=range(options.hooks), rate=options.rate):
            since = datetime.now(UTC)
            with watching(place) as watch_before:
                time.sleep(options.before)
            before = delays(place.engine, hooks=hooks, since=since)
            _grow_old(place.engine, last=last, waiting=options.waiting)
            _settle(place)
            since, begun = datetime.now(UTC), time.monotonic()
            with watching(place) as watch:
                left = _wait(place.engine, last=last, seconds=options.seconds, stay=options.waiting)
                seconds = time.monotonic() - begun
        meanwhile = delays(place.engine, hooks=hooks, since=since)
    return Figures(
        database=place.database,
        deliveries=options.deliveries,
        left=left,
        events_a_second=options.rate,
        seconds=round(seconds, 1),
        rate=round((options.deliveries - options.waiting - left) / seconds, 1),
        before=before,
        meanwhile=meanwhile,
        longest_write_before_s=round(watch_before.longest_s, 3),
        longest_write_s=round(watch.longest_s, 3),
        longest_write=watch.longest,
        size_mb=round(watch.size / 1e6, 1),
        log_mb=round(watch.log / 1e6, 1),
    )


def _grow_old(engine: Engine, *, last: int, waiting: int) -> None:
    """Date back what was there before, a second for each batch, as it would be that somebody had published it."""
    then = datetime.now(UTC) - AGE
    for start in range(0, last + 1, BATCH):
        moment, chunk = then + timedelta(seconds=start // BATCH), (start, min(last, start + BATCH - 1))
        with engine.begin() as connection:
            theirs = Delivery.event_number.between(*chunk)
            connection.execute(update(Delivery).where(theirs).values(finished_at=moment))
            stays = Delivery.event_number <= waiting
            connection.execute(update(Delivery).where(theirs, stays).values(state="held", finished_at=None))
            connection.execute(update(Event).where(Event.number.between(*chunk)).values(created_at=moment))


def _settle(place: Place) -> None:
    """Let SQLite's log, which ageing has blown up, begin anew."""
    if place.settings.is_sqlite:
        with closing(sqlite3.connect(str(place.engine.url.database), timeout=60)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _wait(engine: Engine, *, last: int, seconds: float, stay: int) -> int:
    """Wait until all that may go has gone, or time is over; give what is left."""
    deadline = time.monotonic() + seconds
    left = select(func.count()).select_from(Event).where(Event.number <= last, Event.number > stay)
    while (count := _count(engine, left)) and time.monotonic() < deadline:
        time.sleep(1)
    return count


def _count(engine: Engine, query: object) -> int:
    with database.read_only(), engine.connect() as connection:
        return int(connection.scalar(query) or 0)  # type: ignore[call-overload]  # any scalar query


@dataclass
class Watch:
    """What was seen: the longest wait or write in seconds, what it did, bytes of the database and of SQLite's log."""

    longest_s: float = 0.0
    longest: str = ""
    size: int = 0
    log: int = 0


@contextmanager
def watching(place: Place) -> Iterator[Watch]:
    """Watch how long others are held up, in a thread."""
    watch, over = Watch(), Signal()
    look = _look_at_sqlite if place.settings.is_sqlite else _look_at_postgresql
    thread = Thread(target=look, args=(place, watch, over.wait))
    thread.start()
    yield watch
    over.set()
    thread.join()


def _look_at_sqlite(place: Place, watch: Watch, pause: Callable[[float], bool]) -> None:
    file = Path(str(place.engine.url.database))
    with closing(sqlite3.connect(file, isolation_level=None, timeout=60)) as connection:
        connection.execute("PRAGMA busy_timeout = 0")
        while not pause(LOOK_EVERY_S):
            begun = time.monotonic()
            while not _is_free(connection):
                time.sleep(0.0005)
            watch.longest_s = max(watch.longest_s, time.monotonic() - begun)
            watch.size = max(watch.size, file.stat().st_size)
            log = file.with_name(f"{file.name}-wal")
            watch.log = max(watch.log, log.stat().st_size if log.exists() else 0)


def _is_free(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    return True


def _look_at_postgresql(place: Place, watch: Watch, pause: Callable[[float], bool]) -> None:
    with place.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not pause(LOOK_EVERY_S):
            for seconds, query in connection.execute(text(_OLDEST)):
                if seconds > watch.longest_s:
                    watch.longest_s, watch.longest = float(seconds), query
        watch.size = int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
