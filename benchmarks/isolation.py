"""Do hooks that fail hold up the others? Real worker processes of both lanes, a real Valkey, receivers that hang.

Four measurements: 80 healthy hooks beside 20 that never answer, one event a second each, against the same without the
20; the same beside 1, 5 and 20 hooks that answer 200 after 13 seconds; 19 small hooks beside one with a long backlog;
and one claim among 10,000 hooks of which 1,000 have due work.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from benchmarks import rows
from benchmarks.installation import Place, installation, parser, receiver, workers
from benchmarks.rows import Ids
from benchmarks.stream import LIMIT_S, Delays, delays, streaming
from console.services.engine import claims, wants
from console.services.upkeep import beating
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work

ANSWER_S = 0.1
"""How long a healthy receiver takes."""
LIMIT_MS = 5.0
SLOW_ANSWER_S = 13.0
SLOW_LIMIT_S = 0.5
"""How long all but a twentieth of the healthy hooks' deliveries may wait beside hooks that are slow but succeed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured; None where it was left out. ``claim`` has milliseconds."""

    database: str
    workers: int
    threads: int
    alone: Delays | None = None
    beside_dead: Delays | None = None
    beside_slow: dict[int, Delays] | None = None
    beside_backlog: Delays | None = None
    claim: dict[str, float] | None = None

    @property
    def is_good(self) -> bool:
        """Say whether every aim was met: delays up to 1 s, half the throughput at least, claims up to 5 ms."""
        delays = [one.p95_s <= LIMIT_S for one in (self.beside_dead, self.beside_backlog) if one is not None]
        if self.alone is not None and self.beside_dead is not None:
            delays.append(self.beside_dead.rate >= self.alone.rate / 2)
        delays += [one.p95_s <= SLOW_LIMIT_S for one in (self.beside_slow or {}).values()]
        return all(delays) and (self.claim is None or self.claim["p95_ms"] <= LIMIT_MS)


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON; exit 1 when an aim was missed."""
    options = _parser().parse_args(arguments)
    figures = measure(options)
    print(json.dumps({**asdict(figures), "is_good": figures.is_good}, indent=2))
    return 0 if figures.is_good else 1


def _parser() -> argparse.ArgumentParser:
    made = parser("isolation", __doc__)
    made.add_argument("--healthy", type=int, default=80, help="hooks that answer (default: %(default)s)")
    made.add_argument("--dead", type=int, default=20, help="hooks that never answer (default: %(default)s)")
    made.add_argument("--seconds", type=int, default=120, help="length of a run (default: %(default)s)")
    made.add_argument("--warm-up", type=int, default=60, help="seconds that do not count (default: %(default)s)")
    made.add_argument("--backlog", type=int, default=200_000, help="due rows of the one hook (default: %(default)s)")
    made.add_argument("--hooks", type=int, default=10_000, help="hooks a claim chooses from (default: %(default)s)")
    made.add_argument("--due", type=int, default=1_000, help="hooks of them with due work (default: %(default)s)")
    made.add_argument("--only", choices=("dead", "slow", "backlog", "claim"), help="make one of the measurements")
    return made


def measure(options: argparse.Namespace) -> Figures:
    """Make the measurements, each on a database of its own."""
    found: dict[str, Any] = {}
    if options.only in (None, "dead"):
        for name, dead in (("alone", 0), ("beside_dead", options.dead)):
            with installation(options) as place, receivers(silent=dead) as ports:
                found[name] = steady(place, options, ports=ports)
    if options.only in (None, "slow"):
        found["beside_slow"] = {}
        for slow in (1, 5, 20):
            with (
                installation(options) as place,
                receivers(silent=0) as ports,
                receivers(silent=0, delay_s=SLOW_ANSWER_S) as late,
            ):
                found["beside_slow"][slow] = beside_slow(place, options, port=ports[0], slow_port=late[0], slow=slow)
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
        **found,
    )


# --- the parts ------------------------------------------------------------------------------------------------------


@contextmanager
def receivers(*, silent: int, delay_s: float = ANSWER_S) -> Iterator[list[int]]:
    """Run the receivers in a process of their own; give their ports, the answering one first."""
    command = [sys.executable, "-m", "benchmarks.slow_receiver", str(delay_s), str(silent)]
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
        organization = rows.make_organization(session, ids=Ids())
        hooks = rows.make_hooks(session, urls, organization=organization, ids=Ids(), named=True)
        session.commit()
    with workers(place.settings, lanes=_lanes(options)):
        begun = datetime.now(UTC)
        with streaming(place, organization=organization, hooks=range(len(urls)), rate=len(urls)):
            time.sleep(options.seconds)
    since = begun + timedelta(seconds=options.warm_up)
    return delays(place.engine, hooks=hooks[: options.healthy], since=since)


def beside_slow(place: Place, options: argparse.Namespace, *, port: int, slow_port: int, slow: int) -> Delays:
    """Publish an event a second for every hook while each slow one has 200 due; give the delays of the healthy ones."""
    urls = [f"http://127.0.0.1:{port}/{index}" for index in range(options.healthy)]
    urls += [f"http://127.0.0.1:{slow_port}/{index}" for index in range(slow)]
    ids = Ids()
    with Session(place.engine) as session:
        organization = rows.make_organization(session, ids=ids)
        hooks = rows.make_hooks(session, urls, organization=organization, ids=ids, named=True)
        rows.backlog(session, hooks[options.healthy :], 200 * slow, organization=organization, ids=ids)
        session.commit()
    with workers(place.settings, lanes=_lanes(options)):
        begun = datetime.now(UTC)
        with streaming(place, organization=organization, hooks=range(options.healthy), rate=options.healthy):
            time.sleep(2)
            rows.let_go(place.engine)
            time.sleep(options.seconds // 4)
    return delays(place.engine, hooks=hooks[: options.healthy], since=begun + timedelta(seconds=2))


def _lanes(options: argparse.Namespace) -> list[str]:
    return [DELIVERIES] * options.workers + [DELIVERIES_SLOW]


def beside_backlog(place: Place, options: argparse.Namespace, *, port: int) -> Delays:
    """Let a long backlog fall due for one hook; give the delays of 19 small ones with an event a second each."""
    ids = Ids()
    urls = [f"http://127.0.0.1:{port}/{index}" for index in range(20)]
    with Session(place.engine) as session:
        organization = rows.make_organization(session, ids=ids)
        large, *small = rows.make_hooks(session, urls, organization=organization, ids=ids, named=True)
        rows.backlog(session, [large], options.backlog, organization=organization, ids=ids)
        session.commit()
    with workers(place.settings, lanes=_lanes(options)):
        rows.let_go(place.engine)
        begun = datetime.now(UTC)
        with streaming(place, organization=organization, hooks=range(1, 20), rate=len(small)):
            time.sleep(options.seconds // 4)
    return delays(place.engine, hooks=small, since=begun)


def claim_times(place: Place, options: argparse.Namespace) -> dict[str, float]:
    """Claim, turn by turn, what is due of some hooks among very many; give milliseconds."""
    ids = Ids()
    urls = [f"http://127.0.0.1:1/{index}" for index in range(options.hooks)]
    with Session(place.engine) as session:
        organization = rows.make_organization(session, ids=ids)
        hooks = rows.make_hooks(session, urls, organization=organization, ids=ids)
        due = hooks[:: len(hooks) // options.due][: options.due]
        rows.backlog(session, due, 2 * options.due, organization=organization, ids=ids)
        session.commit()
        rows.let_go(place.engine)
        place.settle()
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
    found |= {"p50_processor_ms": _percentile(processors, 50), "p95_processor_ms": _percentile(processors, 95)}
    return {"claims": claims_to_make, **found}


def _percentile(values: Sequence[float], percent: int) -> float:
    return round(sorted(values)[min(len(values) - 1, len(values) * percent // 100)], 2)
