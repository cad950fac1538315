"""What does ``hookyard up`` cost while nothing happens? Memory, processor time, and the time until it is ready."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.product import Up

MB = 1_000_000
SETTLE_S = 5.0


def measure(*, seconds: float, folder: Path) -> dict[str, float]:
    """Give megabytes, per cent of one core, seconds. ``pss`` counts what processes share once, ``rss`` each time."""
    begun = time.monotonic()
    with Up(folder / "data", folder / "up.log") as product:
        time.sleep(SETTLE_S)
        root = psutil.Process(product.process.pid)
        processes = [root, *root.children(recursive=True)]
        memory = [process.memory_full_info() for process in processes]
        before = sum(sum(process.cpu_times()[:2]) for process in processes)
        time.sleep(seconds)
        used = sum(sum(process.cpu_times()[:2]) for process in processes) - before
    return {
        "ready_s": round(product.ready_at - begun, 2),
        "processes": len(processes),
        "pss_mb": round(sum(one.pss for one in memory) / MB, 1),
        "rss_mb": round(sum(one.rss for one in memory) / MB, 1),
        "idle_percent": round(used / seconds * 100, 2),
    }


def main(arguments: Sequence[str]) -> int:
    """Measure as the command line says and print the figures as JSON."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks footprint", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--seconds", type=float, default=30, help="how long it idles (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="hookyard-footprint-"))
    print(json.dumps(measure(seconds=options.seconds, folder=folder), indent=2))
    shutil.rmtree(folder, ignore_errors=True)
    return 0
