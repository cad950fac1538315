"""The command lines of the processes that Hookyard consists of; -P keeps the working directory out of imports."""

from __future__ import annotations

import sys

from console.waits import THREADS


def serve(descriptor: int, *, processes: int, threads: int = THREADS) -> tuple[str, ...]:
    """Give the web server's, on the listening socket *descriptor*."""
    return (sys.executable, "-P", "-m", "console.cli.serve", str(descriptor), str(processes), str(threads))


def worker(*lanes: str) -> tuple[str, ...]:
    """Give a worker's, or that of a parent of workers for several lanes; console never imports workers."""
    return (sys.executable, "-P", "-m", "workers", *(word for lane in lanes for word in ("--lane", lane)))


def receiver(*arguments: str) -> tuple[str, ...]:
    """Give the local receiver's."""
    return (sys.executable, "-P", "-m", "workers.receiver", *arguments)


def demo() -> tuple[str, ...]:
    """Give the command that fills the sample organization and keeps publishing to it."""
    return (sys.executable, "-P", "-m", "console.demo")
