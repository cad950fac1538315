"""``python -m workers --lane deliveries``: one worker process for one lane."""

from __future__ import annotations

import argparse
import sys

from console.core.errors import HookyardError
from console.services.work import DELIVERIES, LANES
from workers import runtime


def main() -> int:
    """Read the command line and work; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers", description="Run a worker process for one lane.")
    parser.add_argument("--lane", choices=LANES, default=DELIVERIES, help="which queue to serve (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        return runtime.run(arguments.lane)
    except (HookyardError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
