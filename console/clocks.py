"""The clock by which things fall due: the database's, where there is one beside the hosts'."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Lock

from sqlalchemy.orm import Session

from console import database

OLDEST_SAMPLE_S = 5.0


class DatabaseClock:
    """The database's clock: what is due and who is dead is decided by one clock, not by each host's.

    It is sampled now and then and carried on with the monotonic clock in between. On SQLite, which lives on one host,
    it is that host's clock.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._ahead: timedelta | None = None  # of the monotonic clock, as a moment since the epoch
        self._sampled_at = float("-inf")

    def now(self) -> datetime:
        """Give the present moment."""
        ahead = self._ahead
        return datetime.now(UTC) if ahead is None else datetime.fromtimestamp(time.monotonic(), UTC) + ahead

    def keep_sampled(self, session: Session) -> None:
        """Ask again when the last answer is too old to rely on."""
        if time.monotonic() - self._sampled_at > OLDEST_SAMPLE_S:
            self.sample(session)

    def sample(self, session: Session) -> None:
        """Ask the database what time it is; opens a transaction that the caller ends."""
        if database.dialect_of(session) == "sqlite":
            return
        before = time.monotonic()
        moment: datetime = database.server_now(session)
        middle = (before + time.monotonic()) / 2
        with self._lock:
            self._sampled_at = middle
            self._ahead = moment.astimezone(UTC) - datetime.fromtimestamp(middle, UTC)
