"""``python -m benchmarks NAME``: run a measurement and print its figures."""

from __future__ import annotations

import sys
from importlib import import_module

MEASUREMENTS = ("drain", "isolation", "latency", "publish", "replay", "screenshots", "soak", "survive")


def main() -> int:
    """Run the measurement that the command line names; give the exit code."""
    if len(sys.argv) < 2 or sys.argv[1] not in MEASUREMENTS:  # noqa: PLR2004 a name is needed
        print(f"usage: python -m benchmarks {{{','.join(MEASUREMENTS)}}} [options]")
        return 2
    # By name, since each needs other packages: pictures need a browser, a drain does not.
    return int(import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
