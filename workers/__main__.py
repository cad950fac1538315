"""``python -m workers --lane deliveries``: one worker process for one lane, or for several lanes one each."""

from __future__ import annotations

import argparse
import sys

from console import garbage


def main() -> int:
    """Read the command line and work; give the exit code."""
    garbage.collect_seldom()
    from console import logs  # noqa: PLC0415  see there
    from console.core.errors import HookyardError  # noqa: PLC0415
    from console.services.work import DELIVERIES, LANES  # noqa: PLC0415
    from console.settings import load_settings  # noqa: PLC0415
    from workers import runtime  # noqa: PLC0415
    from workers.crew import Crew  # noqa: PLC0415

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
