"""What the engine keeps for itself: workers that beat, turns of hooks, hook state, steps of clocks, roll-ups."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, number_key, text40, text200


class Worker(Base):
    """A worker process. It is alive while it refreshes ``beat_at``; its claims are worth as much as it is."""

    __tablename__ = "workers"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    lane: Mapped[text40]
    host: Mapped[text200]
    pid: Mapped[int]
    pid_space: Mapped[str | None] = mapped_column(String(200))  # within it, the pid tells whether the process lives
    version: Mapped[text40]
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime]
    in_flight: Mapped[int] = mapped_column(default=0)
    stopped_at: Mapped[datetime | None]


class Turn(Base):
    """A hook's right to be served: one worker holds a slot. The number of slots is the hook's in-flight cap."""

    __tablename__ = "turns"
    # Looked up for every hook with due work, by its key: SQLite keeps the rows in the index itself then.
    __table_args__ = (Index("ix_turns_worker", "worker_number"), {"sqlite_with_rowid": False})

    hook_number: Mapped[int] = mapped_column(
        ForeignKey("hooks.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    worker_number: Mapped[int | None]
    served_at: Mapped[datetime | None]


class HookState(Base):
    """How a hook is doing: written by the engine with every batch of results, never by people."""

    __tablename__ = "hook_states"

    hook_number: Mapped[int] = mapped_column(
        ForeignKey("hooks.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    lane: Mapped[text40] = mapped_column(default="deliveries")
    consecutive_failures: Mapped[int] = mapped_column(default=0)
    circuit_failures: Mapped[int] = mapped_column(default=0)  # those in a row that say the receiver is down
    consecutive_successes: Mapped[int] = mapped_column(default=0)
    failing_since: Mapped[datetime | None]  # the first failure after the last 2xx
    failed_attempts: Mapped[int] = mapped_column(default=0)  # since failing_since
    last_failure_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    last_delivery_at: Mapped[datetime | None]
    last_outcome: Mapped[str | None] = mapped_column(String(30))
    warned_percent: Mapped[int] = mapped_column(default=0)
    open_until: Mapped[datetime | None]
    openings: Mapped[int] = mapped_column(default=0)
    failing_types: Mapped[list[str] | None]  # which an open circuit holds back; null or with "*": all
    concurrency: Mapped[int] = mapped_column(default=1)
    next_send_at: Mapped[datetime | None]  # the rate limit's virtual schedule


class Destination(Base):
    """A host and port, as an organization's hooks meet it: the row is there while it gives no answer to any of them."""

    __tablename__ = "destinations"
    __table_args__ = ({"sqlite_with_rowid": False},)

    organization_number: Mapped[int] = mapped_column(
        ForeignKey("organizations.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    name: Mapped[str] = mapped_column(String(270), primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)  # network failures in a row, of whichever hook
    first_hook: Mapped[int]  # number of the hook whose failure came first
    is_shared: Mapped[bool] = mapped_column(default=False)  # another hook's came after it
    open_until: Mapped[datetime | None]
    probe_until: Mapped[datetime | None]  # a request that tries it again is under way, at most until then
    openings: Mapped[int] = mapped_column(default=0)


class Leader(Base):
    """Who runs the dispatcher: one row, taken over when its holder stops beating."""

    __tablename__ = "leaders"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    worker_number: Mapped[int | None]
    beat_at: Mapped[datetime]
    freed: Mapped[int] = mapped_column(default=0)  # deliveries that dead workers held, ever


class ClockStep(Base):
    """Where the log steps back in time: the clock that dated it had been ahead, and was set back after these rows."""

    __tablename__ = "clock_steps"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    event_number: Mapped[int]  # of the last event that was dated ahead; retention may have passed it
    delivery_number: Mapped[int]  # likewise, of the last delivery
    noted_at: Mapped[datetime]


class HookHour(Base):
    """A roll-up kept as attempts happen: how many attempts of a hook in an hour ended so, and how long they took.

    ``bucket`` is the index of the attempt's duration in ``core.rollups.BUCKETS_MS``. A chart reads tens of thousands of
    rows that stand beside each other in the primary key: on SQLite they lie there themselves.
    """

    __tablename__ = "hook_hours"
    __table_args__ = (
        Index("ix_hook_hours_organization", "organization_number", "hour"),
        {"sqlite_with_rowid": False},
    )

    hook_number: Mapped[int] = mapped_column(
        ForeignKey("hooks.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    status_class: Mapped[str] = mapped_column(String(8), primary_key=True)  # 2xx … 5xx, or "none" without an answer
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    count: Mapped[int] = mapped_column(default=0)


class OrganizationHour(Base):
    """The sum of ``HookHour`` over an organization's hooks, for hours that are over: the dispatcher keeps it.

    ``hour`` counts hours since 1970, so that columns of several hours are a matter of division.
    """

    __tablename__ = "organization_hours"
    __table_args__ = ({"sqlite_with_rowid": False},)

    organization_number: Mapped[int] = mapped_column(
        ForeignKey("organizations.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    status_class: Mapped[str] = mapped_column(String(8), primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int]
