"""Workers without a process, for what a drain does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

import pytest

from console.services.work import DELIVERIES, SystemClock, Work
from workers.beat import Beat
from workers.drain import Drain
from workers.equipment import Equipment, open_engine
from workers.sender import Sender

THREADS = 8


@dataclass
class Hand:
    """A worker without a process: its beat and its drain."""

    beat: Beat
    drain: Drain

    def deliver(self, *, slice_s: float = 30) -> bool:
        return self.drain.run(slice_s=slice_s)

    def in_background(self) -> Thread:
        thread = Thread(target=self.drain.run, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def work(work: Work) -> Work:
    """The same, at the time that it really is: receivers and threads do not follow a clock that stands still."""
    return replace(work, clock=SystemClock())


@pytest.fixture
def hire_hand(work: Work) -> Iterator[Callable[..., Hand]]:
    with ExitStack() as stack:

        def hire(*, lane: str = DELIVERIES, threads: int = THREADS, **equipment_fields: Any) -> Hand:
            settings = work.settings
            engine = open_engine(settings, pool_size=4)
            stack.callback(engine.dispose)
            equipment = Equipment(engine, settings, work.keys, **{"ring": work.ring, **equipment_fields})
            sender = Sender(equipment.settings.target_policy, user_agent="Hookyard/test", pool_size=32)
            beat = Beat(equipment, lane=lane)
            drain = Drain(equipment, lane=lane, beat=beat, sender=sender, threads=threads)
            beat.start()
            drain.start()
            stack.callback(beat.stop)
            stack.callback(drain.close)
            return Hand(beat, drain)

        yield hire
