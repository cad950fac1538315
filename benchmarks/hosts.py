"""Do the promises hold over several hosts? The product in network namespaces, with cables pulled and workers replaced.

PostgreSQL and Valkey are on one host, the web server, the receiver and each group of workers on others. While events
are published without a pause the host that leads the dispatcher is cut off the network and comes back, then another
one; the database may crash and stay away; at last all workers are restarted one after another. In the end what
publishers were answered, what the receiver got and what the database says are held against each other.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError

from benchmarks.history import Report, compare, read_rows, wait_for_the_end
from benchmarks.ledger import Ledger
from benchmarks.network import Network
from benchmarks.percentiles import p95
from benchmarks.spread import DATABASE, PATIENCE_S, WEB, WORKERS, Spread, remove, spread
from console.database import read_only
from console.models import Attempt, Delivery

OPERATOR, RECEIVER = "operator", "receiver"
HOOKS = 5
BATCH = 10
RATE = 50
"""Events a second."""
FAILING = 0.05
SLOWEST_S = 0.03
SETTLE_S = 10
RETRY = {"kind": "fixed", "seconds": 2, "attempts": 50}
_CONNECTIONS = text("""
SELECT host(client_addr), count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL GROUP BY client_addr""")
Say = Callable[[str], None]


@dataclass
class Drill:
    """One run: what is done to *product*, and how long it took to get over it (seconds, by what it was)."""

    product: Spread
    network: Network
    engine: Engine
    say: Say
    kills: int = 0
    was_cut: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    periods: list[tuple[str, datetime]] = field(default_factory=list)
    connections: Counter[str] = field(default_factory=Counter)

    def begin(self, period: str) -> None:
        """Enter a period; deliveries made in it are told apart."""
        self.say(period)
        self.periods.append((period, datetime.now(UTC)))

    def cut_leader(self, seconds: float) -> None:
        """Cut the leader's host off until another host leads, and at least so many seconds."""
        host = self._once(lambda: self.product.leader(self.engine), "a leader")
        self.begin(f"{host}, which leads, is cut off")
        begun = self._cut(host)
        self._once(lambda: self.product.leader(self.engine) not in (host, None), "another leader")
        self.seconds["until another host led"] = round(time.monotonic() - begun, 1)
        self._mend(host, until=begun + seconds, what="until the first host was back")

    def cut_other(self, seconds: float) -> None:
        """Cut another host, which does not lead, off for so many seconds."""
        host = next(host for host in WORKERS if host not in (self.product.leader(self.engine), self.was_cut))
        self.begin(f"{host} is cut off")
        self._mend(host, until=self._cut(host) + seconds, what="until the second host was back")

    def crash_database(self, seconds: float) -> None:
        """Crash PostgreSQL and keep it away for so many seconds."""
        self.begin(f"PostgreSQL is away for {seconds:.0f} s")
        self.kills += len(self.product.workers)
        self.product.outage(seconds)
        begun, now = time.monotonic(), datetime.now(UTC)
        wanted = len(self.product.workers)
        self._once(lambda: sum(row.beat_at > now for row in self.product.living(self.engine)) == wanted, "all workers")
        self.seconds["until all workers beat again after the outage"] = round(time.monotonic() - begun, 1)

    def restart_workers(self) -> None:
        """Restart one worker after another, each when the one before is back."""
        self.begin("rolling restart")
        slowest = 0.0
        for service in self.product.workers:
            known = {row.number for row in self.product.living(self.engine)}
            begun = time.monotonic()
            code = service.end()
            if code != 0:
                raise SystemExit(f"A worker on {service.host} ended with {code}: {service.log.read_text()[-2000:]}")
            self._once(
                lambda known=known, host=service.host: any(  # type: ignore[misc]
                    row.number not in known and row.host == host for row in self.product.living(self.engine)
                ),
                f"a new worker on {service.host}",
            )
            slowest = max(slowest, time.monotonic() - begun)
        self.seconds["the slowest restart of a worker"] = round(slowest, 1)

    def rest(self) -> None:
        """Let a quiet time pass; count the connections that each host has to the database, at most."""
        self.begin("nothing happens")
        over = time.monotonic() + SETTLE_S
        while time.monotonic() < over:
            with self.engine.connect() as connection:
                for address, count in connection.execute(_CONNECTIONS):
                    self.connections[address] = max(self.connections[address], count)
            time.sleep(0.2)

    def _cut(self, host: str) -> float:
        self.kills += sum(row.host == host for row in self.product.living(self.engine))
        self.network.cut(host)
        self.was_cut = host
        return time.monotonic()

    def _mend(self, host: str, *, until: float, what: str) -> None:
        time.sleep(max(0.0, until - time.monotonic()))
        self.network.mend(host)
        begun, wanted = time.monotonic(), sum(service.host == host for service in self.product.workers)
        self.begin(f"{host} comes back")
        now = datetime.now(UTC)
        self._once(
            lambda: sum(row.host == host and row.beat_at > now for row in self.product.living(self.engine)) == wanted,
            f"the workers of {host}",
        )
        self.seconds[what] = round(time.monotonic() - begun, 1)

    def _once(self, found: Callable[[], object], what: str) -> str:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with suppress(OperationalError):  # the database may be away
                if value := found():
                    return str(value)
            time.sleep(0.1)
        raise SystemExit(f"There was not {what} within {PATIENCE_S} s.")


class Stream:
    """Publishes without a pause until it is stopped, and at least *events*."""

    def __init__(self, product: Spread, *, events: int) -> None:
        self._product, self._events = product, events
        self._ending = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.answered: dict[str, int] = {}
        self.slowest_s = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self) -> None:
        """Publish what is left, faster, and end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        index, begun = 0, time.monotonic()
        while len(self.answered) < self._events or not self._ending.is_set():
            self._publish(index)
            index += 1
            self._ending.wait(max(0.0, begun + index * BATCH / RATE - time.monotonic()))

    def _publish(self, index: int) -> None:
        numbers = range(index * BATCH, (index + 1) * BATCH)
        events = [{"type": "order.paid", "id": f"order-{n}", "payload": {"n": n, "text": "grüße"}} for n in numbers]
        begun = time.monotonic()
        answer = self._product.call("POST", "/events/batch", json={"events": events}).json()
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        self.answered |= {str(one["id"]): int(one["deliveries"]) for one in answer["events"]}


def run(
    drill: Drill, ledger: Ledger, *, events: int, cut_s: float, outage_s: float
) -> tuple[Report, dict[str, object]]:
    """Play everything; give what the comparison found, and figures."""
    product = drill.product
    product.sign_up()
    for index in range(HOOKS):
        fields = {"url": ledger.url(f"h{index}"), "retry": RETRY, "all_events": True, "max_in_flight": 16}
        ledger.secrets[f"h{index}"] = product.call("POST", "/hooks", json=fields).json()["secret"]
    stream = Stream(product, events=events)
    stream.start()
    drill.rest()
    drill.cut_leader(cut_s)
    drill.rest()
    drill.cut_other(cut_s)
    drill.rest()
    if outage_s:
        drill.crash_database(outage_s)
        drill.rest()
    drill.restart_workers()
    drill.begin("the rest is published")
    stream.finish()
    wait_for_the_end(drill.engine, say=drill.say)
    report = compare(
        answered=stream.answered, receipts=ledger.receipts, rows=read_rows(drill.engine), kills=drill.kills
    )
    figures = {
        "seconds": drill.seconds,
        "slowest_publish_s": round(stream.slowest_s, 1),
        "connections": {
            name: drill.connections[address]
            for name, address in drill.network.addresses.items()
            if name in (WEB, *WORKERS)
        },
        "start_delays_s": start_delays(drill.engine, drill.periods),
    }
    return report, figures


def start_delays(engine: Engine, periods: Sequence[tuple[str, datetime]]) -> dict[str, dict[str, float]]:
    """Say how long deliveries waited for their first attempt, by the period in which they were made."""
    query = select(Delivery.created_at, Attempt.started_at).join(
        Attempt, (Attempt.delivery_number == Delivery.number) & (Attempt.number == 1)
    )
    found: dict[str, list[float]] = {}
    with read_only(), engine.connect() as connection:
        for created_at, started_at in connection.execute(query):
            period = next((name for name, begun in reversed(periods) if begun <= created_at), periods[0][0])
            found.setdefault(period, []).append((started_at - created_at).total_seconds())
    return {
        period: {
            "deliveries": len(delays),
            "p50": round(statistics.median(delays), 3),
            "p95": round(p95(delays), 3),
            "max": round(max(delays), 1),
        }
        for period, delays in found.items()
    }


@contextmanager
def receiving(network: Network, *, rng: random.Random) -> Iterator[Ledger]:
    """Run a receiver on its host that fails now and then; the caller is the operator's host afterwards."""
    network.enter(RECEIVER)
    ledger = Ledger(
        lambda _path, _id: 503 if rng.random() < FAILING else 200,
        delay=lambda: rng.uniform(0, SLOWEST_S),
        host=network.addresses[RECEIVER],
    )
    with ledger:
        network.enter(OPERATOR)
        yield ledger


def main(arguments: Sequence[str]) -> int:
    """Run as the command line says; exit 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks hosts", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--events", type=int, default=5_000, help="events to publish at least (default: %(default)s)")
    parser.add_argument("--cut", type=float, default=30, help="seconds without network (default: %(default)s)")
    parser.add_argument("--outage", type=float, default=0, help="seconds without PostgreSQL (default: none)")
    parser.add_argument("--seed", type=int, default=1, help="of what the receiver answers (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and database")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no namespace stays behind

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:7.1f}  {line}", file=sys.stderr, flush=True)

    with Network([DATABASE, WEB, RECEIVER, OPERATOR, *WORKERS]) as network:
        folder = Path(tempfile.mkdtemp(prefix="hookyard-hosts-"))
        folder.chmod(0o755)  # PostgreSQL runs under an account of its own
        say(f"in {folder}")
        with receiving(network, rng=random.Random(options.seed)) as ledger, spread(folder, network) as product:
            engine = product.engine()
            drill = Drill(product, network, engine, say)
            report, figures = run(drill, ledger, events=options.events, cut_s=options.cut, outage_s=options.outage)
            engine.dispose()
    print(json.dumps({**asdict(report), **figures, "is_good": report.is_good}, indent=2, ensure_ascii=False))
    if not options.keep:
        remove(folder)
    return 0 if report.is_good else 1
