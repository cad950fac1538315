"""The RQ jobs: what may be enqueued by name, and nothing else. The process that runs them is set up before."""

from __future__ import annotations

from collections.abc import Callable

_deliver: list[Callable[[str], None]] = []


def attach(deliver: Callable[[str], None]) -> None:
    """Tell the jobs of this process how to deliver."""
    _deliver[:] = [deliver]


def drain(lane: str) -> None:
    """Deliver what is due in *lane*."""
    _deliver[0](lane)


JOBS: dict[str, Callable[..., None]] = {"workers.jobs.drain": drain}
"""Every name that a job may have; a job of another name is refused before anything is imported."""
