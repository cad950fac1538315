"""Other people who have their passwords compared at this moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from console.core.errors import Busy
from console.services.people import passwords


@contextmanager
def others_hashing(count: int = passwords.HASHES_AT_A_TIME + passwords.MOST_WAITING) -> Iterator[None]:
    """Let so many threads have, or wait for, their turn."""
    ending, begun = Event(), [Event() for _ in range(count)]

    def have_turn(mine: Event) -> None:
        mine.set()
        try:
            with passwords.turn():
                ending.wait(30)
        except Busy:
            return

    threads = [Thread(target=have_turn, args=(mine,)) for mine in begun]
    for thread, mine in zip(threads, begun, strict=True):
        thread.start()
        mine.wait(5)
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join(10)
