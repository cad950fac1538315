"""``python -m workers --lane deliveries``: one worker process for one lane, or for several lanes one each."""

from __future__ import annotations

import argparse
import sys

from console import logs
from console.core.errors import HookyardError
from console.services.work import DELIVERIES, LANES
from console.settings import load_settings
from workers import runtime
from workers.crew import Crew


def main() -> int:
    """Read the command line and work; give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers", description="Run a worker process for one lane.")
    parser.add_argument(
        "--lane",
        choices=LANES,
        action="append",
        help=f"which queue to serve (default: {DELIVERIES}); given several times, a process is forked for each",
    )
    lanes = parser.parse_args().lane or [DELIVERIES]
    try:
        if len(lanes) == 1:
            return runtime.run(lanes[0])
        logs.configure(load_settings().log_level)
        return Crew(lanes, runtime.run).run()
    except (HookyardError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    sys.exit(main())
