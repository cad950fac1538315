"""``python -m benchmarks``: all figures; ``python -m benchmarks NAME``: one measurement."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path

MEASUREMENTS = (
    "drain",
    "fanout",
    "footprint",
    "hosts",
    "isolation",
    "latency",
    "pages",
    "publish",
    "replay",
    "retention",
    "screenshots",
    "soak",
    "survive",
    "web_servers",
)
USAGE = """usage: python -m benchmarks [--json] [--quick] [--without-postgresql]
       python -m benchmarks NAME [options]

Without a name all figures of speed, latency and footprint are measured in one run. By name:
"""


def main() -> int:
    """Run the measurement that the command line names; give the exit code."""
    words = sys.argv[1:]
    if words[:1] in (["-h"], ["--help"]):
        print(usage())
        return 0
    if words and not words[0].startswith("-") and words[0] not in MEASUREMENTS:
        print(usage(), file=sys.stderr)
        return 2
    if not words or words[0].startswith("-"):
        words = ["figures", *words]
    # By name, since each needs other packages: pictures need a browser, a drain does not.
    return int(import_module(f"benchmarks.{words[0]}").main(words[1:]))


def usage() -> str:
    """Say how to call it, with what each measurement answers: the first sentence of its module."""
    return USAGE + "\n".join(f"  {name:12} {_question(name)}" for name in MEASUREMENTS)


def _question(name: str) -> str:
    """Read it, since importing needs what the measurement needs."""
    source = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").split("\n", maxsplit=1)[0]


if __name__ == "__main__":
    sys.exit(main())
