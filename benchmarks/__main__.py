"""``python -m benchmarks NAME``: run a measurement and print its figures."""

from __future__ import annotations

import sys

from benchmarks import drain, survive

MEASUREMENTS = {"drain": drain.main, "survive": survive.main}


def main() -> int:
    """Run the measurement that the command line names; give the exit code."""
    if len(sys.argv) < 2 or sys.argv[1] not in MEASUREMENTS:  # noqa: PLR2004 a name is needed
        print(f"usage: python -m benchmarks {{{','.join(MEASUREMENTS)}}} [options]")
        return 2
    return MEASUREMENTS[sys.argv[1]](sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
