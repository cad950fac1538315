"""Replays: bulk resends by filter, and how far each has come, hook by hook."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from console.models.accounts import User
from console.models.base import Base, number_key
from console.models.hooks import Hook


class Which(StrEnum):
    """What a replay covers.

    failed: the latest chain of attempts failed. missing: the hook wants the event and never got an attempt of it: there
    is no delivery, or it was held or canceled before. all: both, and what was delivered.
    """

    FAILED = "failed"
    MISSING = "missing"
    ALL = "all"


class ReplayState(StrEnum):
    """Where a replay stands.

    pending (is being counted) → running → done; stopping (waits for what is in flight) → stopped, which can be resumed,
    as can failed: something unexpected went wrong.
    """

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"
    FAILED = "failed"


class Replay(Base):
    """A bulk resend. What it covers is fixed when it starts: nothing beyond ``last_delivery`` and ``last_event``.

    ``narrowed`` holds further filters of the log, by the names of ``DeliveryFilter``. ``look_at`` is when its next step
    is due, ``calm_s`` how long it last waited in vain.
    """

    __tablename__ = "replays"
    __table_args__ = (
        Index(None, "organization_number", "number"),
        Index(
            "ix_replays_unfinished",
            "look_at",
            postgresql_where=text("finished_at IS NULL"),
            sqlite_where=text("finished_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    author_number: Mapped[int | None] = mapped_column(ForeignKey("users.number", ondelete="SET NULL"))
    hook_number: Mapped[int | None] = mapped_column(ForeignKey("hooks.number", ondelete="CASCADE"))
    which: Mapped[str] = mapped_column(String(10))
    event_types: Mapped[list[str]]
    since: Mapped[datetime | None]
    until: Mapped[datetime | None]
    narrowed: Mapped[dict[str, Any]]
    reaches_disabled: Mapped[bool] = mapped_column(default=False)  # its hook was named although it was disabled
    first_delivery: Mapped[int]
    last_delivery: Mapped[int]
    first_event: Mapped[int]
    last_event: Mapped[int]

    state: Mapped[str] = mapped_column(String(10))
    error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    tallied_at: Mapped[datetime | None]
    look_at: Mapped[datetime]
    calm_s: Mapped[float] = mapped_column(default=0.0)
    per_second: Mapped[float | None]  # deliveries that came to their end, lately

    author: Mapped[User | None] = relationship()
    hook: Mapped[Hook | None] = relationship()


class ReplayPart(Base):
    """What a replay does for one hook: how many deliveries match, what became of them, how far the walk has come.

    ``total`` counts all that matched, ``skips`` says by reason how many of them are left out; ``queued`` were handed to
    the workers. ``is_fed``: all of it was walked.
    """

    __tablename__ = "replay_parts"

    replay_number: Mapped[int] = mapped_column(
        ForeignKey("replays.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    hook_number: Mapped[int] = mapped_column(
        ForeignKey("hooks.number", ondelete="CASCADE"), primary_key=True, autoincrement=False, index=True
    )
    total: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)  # the sum of skips
    skips: Mapped[dict[str, Any]]
    queued: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    canceled: Mapped[int] = mapped_column(default=0)
    delivery_cursor: Mapped[int]
    event_cursor: Mapped[int]
    is_fed: Mapped[bool] = mapped_column(default=False)
    fed_at: Mapped[datetime | None]

    hook: Mapped[Hook] = relationship()
