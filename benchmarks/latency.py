"""How long from publishing an event to its arrival? One hook, events at a steady rate, the whole product running.

Publishers send prepared bytes and the receiver only looks for the event's number, so that Hookyard is what is measured.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from threading import Thread

from benchmarks import receiver
from benchmarks.product import Up
from benchmarks.publisher import Publisher

PUBLISHERS = 8
NUMBER = re.compile(rb'"n":(\d+)')


def measure(*, rate: int, seconds: float, folder: Path) -> dict[str, float]:
    """Publish at *rate* a second for *seconds*; give milliseconds from before the publish to the arrival."""
    total = int(rate * seconds)
    sent: dict[int, float] = {}
    arrived: dict[int, float] = {}

    def note(body: bytes) -> None:
        found = NUMBER.search(body)
        if found:
            arrived.setdefault(int(found[1]), time.monotonic())

    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    Thread(target=receiver.serve, args=(listener,), kwargs={"note": note}, daemon=True).start()
    with Up(folder / "data", folder / "up.log") as product:
        product.sign_up()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        product.call("POST", "/hooks", json={"url": url, "all_events": True})
        product.call("POST", "/events", json={"type": "order.paid", "payload": {}})  # opens connections
        begun = time.monotonic() + 0.5
        numbers = count()

        def publish() -> None:
            publisher = Publisher(product)
            for n in numbers:
                if n >= total:
                    break
                request = publisher.request("/events", b'{"type":"order.paid","payload":{"n":%d}}' % n)
                time.sleep(max(0.0, begun + n / rate - time.monotonic()))
                sent[n] = time.monotonic()
                publisher.send(request)
            publisher.close()

        publishers = [Thread(target=publish) for _ in range(PUBLISHERS)]
        for thread in publishers:
            thread.start()
        for thread in publishers:
            thread.join()
        deadline = time.monotonic() + 30
        while len(arrived) < total and time.monotonic() < deadline:
            time.sleep(0.05)
    waits = sorted(1000 * (arrived[n] - sent[n]) for n in sent if n in arrived)
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
    parser.add_argument("--rate", type=int, default=200, help="events a second (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="how long (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hookyard-latency-"))
    print(json.dumps(measure(rate=options.rate, seconds=options.seconds, folder=folder), indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0
