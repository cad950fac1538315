"""Does anything get lost? The whole product under load, with processes killed while it works.

``hookyard up`` runs with three hooks: one is answered 200, one 500 twice before 200, one is disabled halfway and
enabled at the end. Events are published in batches over HTTP; meanwhile each kind of process (worker, web, Valkey) is
ended by kill -9. At the end the receiver's own log is held against the database, and every signature is verified.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks.history import Report, compare, read_rows, wait_for_the_end
from benchmarks.ledger import Ledger
from benchmarks.product import Product, Up

BATCH = 500
KINDS = ("worker", "web", "valkey")
FAILURES = 2
"""How often the hook b fails before it accepts."""
Say = Callable[[str], None]


def failing_twice() -> Callable[[str, str], int]:
    """Answer 500 to the first two requests for each delivery to b, and 200 to all others."""
    failures: Counter[str] = Counter()

    def answer(path: str, message_id: str) -> int:
        if path == "b" and failures[message_id] < FAILURES:
            failures[message_id] += 1
            return 500
        return 200

    return answer


def run(*, events: int, folder: Path, say: Say = lambda _line: None) -> tuple[Report, int]:
    """Play the whole scenario in *folder*; give what the comparison found, and the number of kills."""
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger(failing_twice()))
        product = stack.enter_context(Up(folder / "data", folder / "up.log"))
        product.sign_up()
        say(f"running at {product.url}")
        hooks = {path: _make_hook(product, ledger, path) for path in "abc"}
        answered, kills = _publish_and_kill(product, events, hooks, say)
        product.call("POST", f"/hooks/{hooks['c']}/enable")
        engine = product.engine()
        wait_for_the_end(engine, say=say)
        report = compare(answered=answered, receipts=ledger.receipts, rows=read_rows(engine), kills=kills)
        engine.dispose()
    return report, kills


def _make_hook(product: Product, ledger: Ledger, path: str) -> str:
    retry = {"kind": "fixed", "seconds": 1, "attempts": 20}
    made = product.call("POST", "/hooks", json={"url": ledger.url(path), "all_events": True, "retry": retry}).json()
    ledger.secrets[path] = made["secret"]
    return str(made["id"])


def _publish_and_kill(product: Product, events: int, hooks: dict[str, str], say: Say) -> tuple[dict[str, int], int]:
    """Publish in batches; after each third of them one kind of process dies, halfway hook c is disabled."""
    batches = -(-events // BATCH)
    answered: dict[str, int] = {}
    kills = 0
    for index in range(batches):
        size = min(BATCH, events - index * BATCH)
        batch = [{"type": "order.paid", "id": f"{index}-{n}", "payload": {"batch": index, "n": n}} for n in range(size)]
        for one in product.call("POST", "/events/batch", json={"events": batch}).json()["events"]:
            answered[one["id"]] = one["deliveries"]
        if index == batches // 2:
            product.call("POST", f"/hooks/{hooks['c']}/disable")
        due = (index + 1) * len(KINDS) // batches
        while kills < due:
            victim = product.processes(KINDS[kills])[-1]
            victim.kill()
            say(f"killed {KINDS[kills]} {victim.pid} after {index + 1} of {batches} batches")
            kills += 1
    return answered, kills


def main(arguments: Sequence[str]) -> int:
    """Run as the command line says; exit 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks survive", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--events", type=int, default=10_000, help="events to publish (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hy-survive-"))
    begun = time.monotonic()
    report, kills = run(events=options.events, folder=folder, say=lambda line: print(line, file=sys.stderr))
    seconds = round(time.monotonic() - begun, 1)
    print(json.dumps({**asdict(report), "kills": kills, "seconds": seconds, "is_good": report.is_good}, indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if report.is_good else 1
