"""How long do the console's pages take over a long log? The real app, in process, with an admin signed in.

Every page of the app's map and the lists of the native API are asked for with filters, deep in the log and in vain.
Beside the wall clock stands processor time, of the app and of PostgreSQL's backends, which other load does not change.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from benchmarks.addresses import Address, addresses, forgotten
from benchmarks.archive import DAYS
from benchmarks.installation import Place, installation
from benchmarks.percentiles import p95
from benchmarks.product import PASSWORD
from benchmarks.stage import EMAIL, set_up
from console import garbage, warming
from console.app import create_app
from console.extensions import db

FINE = frozenset({200, 204, 302, 303})


@dataclass(frozen=True, slots=True)
class Figures:
    """What one address took in milliseconds: by the clock, and of the processors, the app's and the database's."""

    name: str
    path: str
    status: int
    kb: float
    queries: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    cpu_ms: float
    backend_ms: float
    aim_ms: float | None

    @property
    def is_good(self) -> bool:
        """Say whether it is within its aim."""
        return self.status in FINE and (self.aim_ms is None or self.p95_ms <= self.aim_ms)


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures; exit 1 when an aim was missed."""
    options = _parser().parse_args(arguments)
    with installation(options) as place:
        scene = set_up(place, count=options.deliveries)
        place.settle()
        app, browser = opened(place)
        garbage.collect_seldom()  # as the web server does
        warming.warm(app)
        known = addresses(app, scene)
        if missing := forgotten(app, known):
            raise SystemExit(
                f"No address is known for {', '.join(sorted(missing))}: add some to benchmarks/addresses.py."
            )
        chosen = [one for one in known if options.only in one.name]
        backend = Backends(place)
        found = [measure(app, browser, one, requests=options.requests, backends=backend) for one in chosen]
        for name in options.explain:
            explain(app, browser, next(one for one in known if one.name == name))
    print(json.dumps([asdict(one) for one in found], indent=2) if options.json else table(found))
    return 0 if all(one.is_good for one in found) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks pages", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--deliveries", type=int, default=1_000_000, help="in the log (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=20, help="of each page, after one more (default: %(default)s)")
    parser.add_argument("--only", default="", metavar="WORDS", help="only pages with these words in their name")
    parser.add_argument("--explain", action="append", default=[], metavar="PAGE", help="print its queries and plans")
    parser.add_argument("--postgresql", action="store_true", help="measure on a PostgreSQL of its own, not on SQLite")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(workers=2, threads=16)
    return parser


def opened(place: Place) -> tuple[Flask, FlaskClient]:
    """Build the app and sign the admin in."""
    app = create_app(place.settings)
    browser = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/login").text)
    assert token is not None  # noqa: S101 a form of ours
    form = {"login": EMAIL, "password": PASSWORD, "csrf_token": token[1]}
    answer = browser.post("/login", data=form, headers={"Referer": "http://localhost/login"})
    if answer.status_code != 303:  # noqa: PLR2004
        raise SystemExit(f"Nobody could sign in: {answer.status_code} {answer.text[:300]}")
    return app, browser


class Backends:
    """The processor time of the database's own processes; nothing on SQLite, which works inside ours."""

    def __init__(self, place: Place) -> None:
        self.server: psutil.Process | None = None
        if place.engine.dialect.name == "postgresql":
            with place.engine.connect() as connection:
                mine = connection.scalar(text("SELECT pg_backend_pid()"))
            self.server = psutil.Process(mine).parent()

    def time_ms(self) -> float:
        """Give the milliseconds that they have been at work, to the nanosecond where Linux tells."""
        if self.server is None:
            return 0.0
        total = 0.0
        for child in self.server.children():
            with suppress(OSError):
                total += int(Path(f"/proc/{child.pid}/schedstat").read_text().split()[0]) / 1e6
        return total


def measure(app: Flask, browser: FlaskClient, address: Address, *, requests: int, backends: Backends) -> Figures:
    """Ask once to warm up, once to count the queries, and then so many times by the clock."""
    browser.get(address.path, headers=dict(address.headers))
    with noted(app) as statements:
        answer = browser.get(address.path, headers=dict(address.headers))
    taken: list[float] = []
    cpu_before, backends_before = time.process_time(), backends.time_ms()
    for _ in range(requests):
        begun = time.perf_counter()
        browser.get(address.path, headers=dict(address.headers))
        taken.append(1000 * (time.perf_counter() - begun))
    cpu_ms = 1000 * (time.process_time() - cpu_before)
    return Figures(
        name=address.name,
        path=address.path,
        status=answer.status_code,
        kb=round(len(answer.data) / 1000, 1),
        queries=len(statements),
        p50_ms=round(median(taken), 1),
        p95_ms=round(p95(taken), 1),
        max_ms=round(max(taken), 1),
        cpu_ms=round(cpu_ms / requests, 1),
        backend_ms=round((backends.time_ms() - backends_before) / requests, 1),
        aim_ms=address.aim_ms,
    )


@dataclass(frozen=True, slots=True)
class Statement:
    """A query as the driver got it, and what it took in milliseconds."""

    sql: str
    parameters: Any
    taken_ms: float


@contextmanager
def noted(app: Flask) -> Iterator[list[Statement]]:
    """Note every query of the app meanwhile."""
    found: list[Statement] = []
    begun: list[float] = []
    with app.app_context():
        engine = db.engine

    def before(*_given: Any) -> None:
        begun.append(time.perf_counter())

    def after(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_given: Any) -> None:
        found.append(Statement(sql, parameters, 1000 * (time.perf_counter() - begun.pop())))

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


def explain(app: Flask, browser: FlaskClient, address: Address) -> None:
    """Print the queries of a page, the slowest first, with their plans."""
    with noted(app) as statements:
        browser.get(address.path, headers=dict(address.headers))
    print(f"\n{address.name}: {address.path}", file=sys.stderr)
    with app.app_context():
        engine = db.engine
    for one in sorted(statements, key=lambda statement: -statement.taken_ms):
        print(f"\n{one.taken_ms:.1f} ms: {' '.join(one.sql.split())}\n   {one.parameters}", file=sys.stderr)
        for line in plan(engine, one):
            print(f"   | {line}", file=sys.stderr)


def plan(engine: Engine, statement: Statement) -> list[str]:
    """Ask the database how it answers a query."""
    if not statement.sql.lstrip().upper().startswith(("SELECT", "WITH")):
        return []
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        prefix = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN (ANALYZE, BUFFERS)"
        rows = connection.exec_driver_sql(f"{prefix} {statement.sql}", statement.parameters)
        return [str(row[-1]) for row in rows]


def table(found: Sequence[Figures]) -> str:
    """Lay the figures out for a terminal, the slowest first."""
    lines = [f"{'page':52}{'queries':>8}{'KB':>8}{'p50':>8}{'p95':>8}{'max':>8}{'CPU':>8}{'backend':>8}  in ms"]
    for one in sorted(found, key=lambda figures: -figures.p95_ms):
        status = "" if one.status in FINE else f"  HTTP {one.status}"
        lines.append(
            f"{one.name[:51]:52}{one.queries:>8}{one.kb:>8.1f}{one.p50_ms:>8.1f}{one.p95_ms:>8.1f}{one.max_ms:>8.1f}"
            f"{one.cpu_ms:>8.1f}{one.backend_ms:>8.1f}{'' if one.is_good else '  over'}{status}"
        )
    good = sum(one.is_good for one in found)
    return "\n".join([*lines, f"{good} of {len(found)} within their aims, over a log of {DAYS} days"])
