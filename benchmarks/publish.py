"""How many events a second can be published over HTTP, one by one and in batches? Nobody listens to them.

The publishers send prepared bytes, so that what is measured is Hookyard: their own processor time is in the figures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.product import Product, Up
from benchmarks.publisher import Publisher

EVENT = {"type": "order.paid", "payload": {"order": 4711, "total": "99.90"}}
KINDS = {"single": 1, "batch_100": 100, "batch_1000": 1000}
WARM_UP_S = 1.0


def measure(*, publishers: int, seconds: float, folder: Path) -> dict[str, float]:
    """Publish from several connections for a while.

    Give events a second by the size of a request and, in microseconds of processor time an event, what the web server
    and the publishers themselves took.
    """
    figures = {"publishers": float(publishers)}
    with Up(folder / "data", folder / "up.log") as product:
        product.sign_up()
        for name, size in KINDS.items():
            _rate(product, size=size, publishers=publishers, seconds=WARM_UP_S)
            rate, server_us, own_us = _rate(product, size=size, publishers=publishers, seconds=seconds)
            figures |= {name: rate, f"{name}_server_us": server_us, f"{name}_publisher_us": own_us}
    return figures


def _rate(product: Product, *, size: int, publishers: int, seconds: float) -> tuple[float, float, float]:
    path, body = ("/events", EVENT) if size == 1 else ("/events/batch", {"events": [EVENT] * size})
    text = json.dumps(body).encode()
    servers = product.processes("web")
    used = sum(sum(server.cpu_times()[:2]) for server in servers)
    own = time.process_time()
    begun = time.perf_counter()

    def publish(_index: int) -> int:
        publisher = Publisher(product)
        request = publisher.request(path, text)
        count = 0
        while time.perf_counter() < begun + seconds:
            publisher.send(request)
            count += 1
        publisher.close()
        return count

    with ThreadPoolExecutor(publishers) as pool:
        events = sum(pool.map(publish, range(publishers))) * size
    took = time.perf_counter() - begun
    used = sum(sum(server.cpu_times()[:2]) for server in servers) - used
    return (
        round(events / took, 1),
        round(used / events * 1e6, 1),
        round((time.process_time() - own) / events * 1e6, 1),
    )


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks publish", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--publishers", type=int, default=4, help="connections that publish (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=10, help="how long each kind (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hookyard-publish-"))
    print(json.dumps(measure(publishers=options.publishers, seconds=options.seconds, folder=folder), indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0
