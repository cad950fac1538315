"""Writers who come at the same moment share one transaction, and so one wait for the disk.

SQLite has one writer at a time, and a durable commit takes as long for one row as for a hundred. So whoever gets to
write does it for all who wait for their turn meanwhile; each is answered after the common commit. No thread is added:
a request that finds its work done by another just goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast

from console.core.errors import Busy, HookyardError
from console.database import dialect_of
from console.failpoints import PUBLISHED
from console.services.events.judging import Undecided

if TYPE_CHECKING:
    from console.services.work import Work

T = TypeVar("T")
MOST_ROWS = 100
"""What one transaction takes, unless its first job alone is larger: the engine waits for the lock meanwhile."""


class LateRing:
    """Keeps what is rung during a transaction until it is committed; each lane is rung once then."""

    def __init__(self) -> None:
        self._lanes: dict[str, None] = {}

    def ring(self, lane: str) -> None:
        """Note *lane*."""
        self._lanes[lane] = None

    def pass_on(self, work: Work) -> None:
        """Ring what was noted, which is committed by now."""
        work.failpoints.hit(PUBLISHED)
        for lane in self._lanes:
            work.ring.ring(lane)


@dataclass(slots=True)
class _Entry:
    """A job of *size* rows that waits to be written, and then what came of it."""

    job: Callable[[Work], Any]
    size: int
    is_done: bool = False
    result: Any = None
    error: BaseException | None = None

    def do(self, work: Work) -> None:
        """Do the job in the open transaction; an error of ours is its outcome, since nothing was written before it."""
        try:
            self.result = self.job(work)
        except (HookyardError, Undecided) as error:
            self.error = error

    def do_alone(self, work: Work) -> None:
        """Do the job in a transaction of its own; whatever happens is its outcome."""
        try:
            self.result, self.error = _alone(work, self.job), None
        except Exception as error:  # noqa: BLE001 it is raised where the job came from
            self.error = error

    def outcome(self) -> Any:
        """Give the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result


@dataclass(frozen=True, slots=True)
class GroupCommit:
    """Shared by the threads of a process that write to one database."""

    _writing: Lock = field(default_factory=Lock)
    _waiting: deque[_Entry] = field(default_factory=deque)

    def run(self, work: Work, job: Callable[[Work], T], *, size: int) -> T:
        """Give what *job* gives, once it is committed; raise what it raises, or Busy. It writes about *size* rows.

        *job* is handed a Work inside a transaction that it must not end, and whose ring sounds after the commit. It
        raises an error of ours only before its first write. On PostgreSQL, whose writers do not wait for each other,
        it has the transaction to itself.
        """
        if dialect_of(work.session) != "sqlite":
            return _alone(work, job)
        entry = _Entry(job, size)
        self._waiting.append(entry)
        with self._writing:
            while not entry.is_done:
                _together(work, self._take())
        return cast("T", entry.outcome())

    def _take(self) -> list[_Entry]:
        """Take those who wait, oldest first, as many as one transaction should hold; only who writes may."""
        taken = [self._waiting.popleft()]
        rows = taken[0].size
        while self._waiting and rows + self._waiting[0].size <= MOST_ROWS:
            taken.append(self._waiting.popleft())
            rows += taken[-1].size
        return taken


def _alone(work: Work, job: Callable[[Work], T]) -> T:
    ring = LateRing()
    with work.transaction():
        result = job(replace(work, ring=ring))
    ring.pass_on(work)
    return result


def _together(work: Work, entries: list[_Entry]) -> None:
    """Do the jobs of *entries* in one transaction, or one by one when the database refuses any of them."""
    ring = LateRing()
    inside = replace(work, ring=ring)
    try:
        with work.transaction():
            for entry in entries:
                entry.do(inside)
    except BaseException as error:
        for entry in entries:  # all is undone: also of those whose turn does not come any more when the process ends
            entry.result, entry.error = None, error
        if not isinstance(error, Exception):
            raise
        if not isinstance(error, Busy) and len(entries) > 1:
            for entry in entries:
                entry.do_alone(work)
    else:
        ring.pass_on(work)
    finally:
        for entry in entries:
            entry.is_done = True
