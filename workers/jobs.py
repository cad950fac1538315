"""The RQ jobs: what may be enqueued by name, and nothing else. The process that runs them is set up before."""

from __future__ import annotations

from collections.abc import Callable

_deliver: list[Callable[[str], None]] = []
_replay: list[Callable[[str], None]] = []


def attach(deliver: Callable[[str], None], *, replay: Callable[[str], None]) -> None:
    """Tell the jobs of this process how to deliver, and how to take replays further."""
    _deliver[:], _replay[:] = [deliver], [replay]


def drain(lane: str) -> None:
    """Deliver what is due in *lane*."""
    _deliver[0](lane)


def replay(lane: str) -> None:
    """Take the replays further, as the job of *lane*."""
    _replay[0](lane)


JOBS: dict[str, Callable[..., None]] = {"workers.jobs.drain": drain, "workers.jobs.replay": replay}
"""Every name that a job may have; a job of another name is refused before anything is imported."""
