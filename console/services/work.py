"""What every use case is handed: the database session, the clock, randomness, the ring, the keys and the settings."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from console.core.errors import Busy
from console.core.ids import uuid7
from console.database import end_reading, is_busy, writing
from console.failpoints import NO_FAILPOINTS, Failpoints
from console.services.group_commit import GroupCommit
from console.services.keys import KeyRing
from console.settings import Settings

DELIVERIES = "deliveries"
DELIVERIES_SLOW = "deliveries-slow"
BACKGROUND = "background"
LANES = (DELIVERIES, DELIVERIES_SLOW, BACKGROUND)
_RANDOM = secrets.SystemRandom()  # keeps no state, and making one reads 2.5 KB from the kernel for nothing


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> datetime:
        """Give the present moment, aware, in UTC."""


class SystemClock:
    """The host's clock."""

    def now(self) -> datetime:
        """Give the present moment."""
        return datetime.now(UTC)


class Ring(Protocol):
    """Wakes the workers of a lane. It never raises: a ring that is lost costs seconds, not deliveries."""

    def ring(self, lane: str) -> None:
        """Wake *lane*."""


class SilentRing:
    """Wakes nobody: for commands and tests that drain by hand."""

    def ring(self, lane: str) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, for the audit log: a person, a token's user, a service token, or Hookyard itself."""

    name: str = "Hookyard"
    user_number: int | None = None
    ip: str | None = None
    service_token_id: UUID | None = None

    @property
    def who(self) -> str:
        """The name, with what it is where somebody chose it freely: that of a service token."""
        return self.name if self.service_token_id is None else f"{self.name} (service token)"


@dataclass(frozen=True, slots=True)
class Work:
    """The collaborators of one unit of work; the session is committed by the service that changes something."""

    session: Session
    settings: Settings
    keys: KeyRing
    clock: Clock = field(default_factory=SystemClock)
    ring: Ring = field(default_factory=SilentRing)
    random: random.Random = _RANDOM
    token_bytes: Callable[[int], bytes] = secrets.token_bytes
    actor: Actor = field(default_factory=Actor)
    group_commit: GroupCommit = field(default_factory=GroupCommit)  # shared where requests are answered at once
    failpoints: Failpoints = NO_FAILPOINTS

    def now(self) -> datetime:
        """Give the present moment, aware, in UTC."""
        return self.clock.now()

    def new_id(self) -> UUID:
        """Make an identifier whose order is the order of making (RFC 9562 UUIDv7)."""
        return self.new_ids(1)[0]

    def new_ids(self, count: int) -> list[UUID]:
        """Make so many identifiers at once: one look at the clock, one draw of random bytes."""
        now, drawn = self.clock.now(), self.token_bytes(10 * count)
        return [uuid7(now, drawn[start : start + 10]) for start in range(0, 10 * count, 10)]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block did, or roll all of it back; raise Busy when the database cannot take it now.

        Where everything else only reads, as in a request, the block still writes: in a transaction of its own, so what
        was read before it may be old. Lock what the block decides by, as PostgreSQL needs it anyway.
        """
        try:
            with writing():
                end_reading(self.session)
                yield
                self.session.commit()
        except BaseException as error:
            self.session.rollback()
            if is_busy(error):
                raise Busy from error
            raise
