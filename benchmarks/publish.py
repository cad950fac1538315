"""How many events a second can be published over HTTP, one by one and in batches? Nobody listens to them."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.product import Up

EVENT = {"type": "order.paid", "payload": {"order": 4711, "total": "99.90"}}


def measure(*, publishers: int, seconds: int, folder: Path) -> dict[str, float]:
    """Publish from several threads for a while; give events a second by the size of a request."""
    product = Up(folder / "data", folder / "up.log")
    figures = {"publishers": float(publishers)}
    for name, size in (("single", 1), ("batch_100", 100), ("batch_1000", 1000)):
        figures[name] = _rate(product, size=size, publishers=publishers, seconds=seconds)
    product.stop()
    return figures


def _rate(product: Up, *, size: int, publishers: int, seconds: int) -> float:
    path, body = ("/events", EVENT) if size == 1 else ("/events/batch", {"events": [EVENT] * size})
    text = json.dumps(body)
    deadline = time.perf_counter() + seconds

    def publish(_index: int) -> int:
        count = 0
        while time.perf_counter() < deadline:
            product.call("POST", path, data=text, headers={"Content-Type": "application/json"})
            count += 1
        return count

    begun = time.perf_counter()
    counts = _all(publish, publishers)
    return round(sum(counts) * size / (time.perf_counter() - begun), 1)


def _all(work: Callable[[int], int], publishers: int) -> list[int]:
    with ThreadPoolExecutor(publishers) as pool:
        return list(pool.map(work, range(publishers)))


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks publish", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--publishers", type=int, default=4, help="threads that publish (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=10, help="how long each kind (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hookyard-publish-"))
    print(json.dumps(measure(publishers=options.publishers, seconds=options.seconds, folder=folder), indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0
