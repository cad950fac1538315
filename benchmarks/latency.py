"""How long from publishing an event to its arrival? One hook, events at a steady rate, the whole product running."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.ledger import Ledger
from benchmarks.product import Up


def measure(*, rate: int, seconds: int, folder: Path) -> dict[str, float]:
    """Publish at *rate* a second for *seconds*; give milliseconds from before the publish to the arrival."""
    sent: dict[int, float] = {}
    with Ledger() as ledger, Up(folder / "data", folder / "up.log") as product:
        product.sign_up()
        made = product.call("POST", "/hooks", json={"url": ledger.url("a"), "all_events": True}).json()
        ledger.secrets["a"] = made["secret"]
        total = rate * seconds

        def publish(index: int) -> None:
            sent[index] = time.monotonic()
            product.call("POST", "/events", json={"type": "order.paid", "payload": {"n": index}})

        publish(-1)  # the first one opens connections
        begun = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            for index in range(total):
                time.sleep(max(0.0, begun + index / rate - time.monotonic()))
                pool.submit(publish, index)
        deadline = time.monotonic() + 30
        while len(ledger.receipts) < total + 1 and time.monotonic() < deadline:
            time.sleep(0.05)
    arrived = {receipt.n: receipt.at for receipt in reversed(ledger.receipts)}
    waits = sorted(1000 * (arrived[n] - sent[n]) for n in range(total) if n in arrived)
    return {
        "rate": rate,
        "events": total,
        "arrived": len(waits),
        "p50_ms": round(waits[len(waits) // 2], 1),
        "p99_ms": round(waits[int(len(waits) * 0.99)], 1),
    }


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks latency", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--rate", type=int, default=100, help="events a second (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=20, help="how long (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hookyard-latency-"))
    print(json.dumps(measure(rate=options.rate, seconds=options.seconds, folder=folder), indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
