"""``python -m benchmarks``: all figures; ``python -m benchmarks NAME``: one measurement."""

from __future__ import annotations

import sys
from importlib import import_module

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
)


def main() -> int:
    """Run the measurement that the command line names; give the exit code."""
    words = sys.argv[1:]
    if words[:1] in (["-h"], ["--help"]) or (words and not words[0].startswith("-") and words[0] not in MEASUREMENTS):
        print(f"usage: python -m benchmarks [--json] [--quick] | {{{','.join(MEASUREMENTS)}}} [options]")
        return 2
    if not words or words[0].startswith("-"):
        words = ["figures", *words]
    # By name, since each needs other packages: pictures need a browser, a drain does not.
    return int(import_module(f"benchmarks.{words[0]}").main(words[1:]))


if __name__ == "__main__":
    sys.exit(main())
