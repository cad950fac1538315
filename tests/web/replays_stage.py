"""Replays go on when tests tell them to."""

from __future__ import annotations

from console.services.replays import steps


def tend(work, clock, times=1):
    for _ in range(times):
        steps.tend(work)
        clock.advance(seconds=1)
    work.session.commit()
