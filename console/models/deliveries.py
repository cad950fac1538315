"""Deliveries and their attempts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from console.models.base import Base, number_key, text40, text200
from console.models.events import Event
from console.models.hooks import Hook
from console.models.replays import Replay


class DeliveryState(StrEnum):
    """Where a delivery stands.

    pending (waits for its next attempt) → sending → delivered | pending | failed | canceled;
    held: its hook is disabled; kept, visible, released when the hook is enabled or on resend.
    """

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELED = "canceled"
    HELD = "held"


class Trigger(StrEnum):
    """Why a chain of attempts began."""

    AUTOMATIC = "automatic"
    TEST = "test"
    RESEND = "resend"
    REPLAY = "replay"


class Delivery(Base):
    """One event for one hook.

    The body is not stored: it is built from the event by ``payload_format`` and ``content_type``, which are fixed
    when the delivery is made, so every attempt sends the same bytes. ``chain`` counts the attempt chains (the
    automatic one is 1, each resend adds one); ``chain_failures`` is what counts against the retry policy.
    ``replay_number`` names the last replay that queued it, ``state_before`` the state that it found.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("event_number", "hook_number"),
        Index("ix_deliveries_organization", "organization_number", "number"),
        Index("ix_deliveries_hook", "hook_number", "number"),
        Index("ix_deliveries_type", "organization_number", "event_type", "number"),
        # Delivered rows are nearly all rows, so a filter for them walks the organization's index instead.
        Index(
            "ix_deliveries_unfinished",
            "organization_number",
            "state",
            "number",
            postgresql_where=text("state <> 'delivered'"),
            sqlite_where=text("state <> 'delivered'"),
        ),
        Index(
            "ix_deliveries_due",
            "hook_number",
            "next_attempt_at",
            postgresql_where=text("state = 'pending'"),
            sqlite_where=text("state = 'pending'"),
        ),
        # The few that are served otherwise are found among a backlog of any length.
        Index(
            "ix_deliveries_asked",
            "hook_number",
            "trigger",
            "next_attempt_at",
            postgresql_where=text("state = 'pending' AND trigger <> 'automatic'"),
            sqlite_where=text("state = 'pending' AND trigger <> 'automatic'"),
        ),
        Index(
            "ix_deliveries_suspect",
            "hook_number",
            "next_attempt_at",
            postgresql_where=text("state = 'pending' AND interrupted >= 2"),
            sqlite_where=text("state = 'pending' AND interrupted >= 2"),
        ),
        # A replay goes through what failed hook by hook.
        Index(
            "ix_deliveries_failed",
            "hook_number",
            "number",
            postgresql_where=text("state = 'failed'"),
            sqlite_where=text("state = 'failed'"),
        ),
        Index(
            "ix_deliveries_claimed",
            "claimed_by",
            postgresql_where=text("state = 'sending'"),
            sqlite_where=text("state = 'sending'"),
        ),
        Index(
            "ix_deliveries_replay",
            "replay_number",
            "number",
            postgresql_where=text("replay_number IS NOT NULL"),
            sqlite_where=text("replay_number IS NOT NULL"),
        ),
        # All that a replay's progress is counted from, so that counting never touches the rows.
        Index(
            "ix_deliveries_replay_states",
            "replay_number",
            "hook_number",
            "state",
            postgresql_where=text("replay_number IS NOT NULL"),
            sqlite_where=text("replay_number IS NOT NULL"),
        ),
        # What the log is asked about bad answers is read from here; few rows have one, so it costs few writes.
        Index(
            "ix_deliveries_not_ok",
            "last_outcome",
            "organization_number",
            "number",
            "last_status",
            "hook_number",
            "event_type",
            "state",
            postgresql_where=text("last_outcome <> 'ok'"),
            sqlite_where=text("last_outcome <> 'ok'"),
        ),
        # Exact status codes; nearly all rows have 200, so a filter for it walks the organization's index instead.
        Index(
            "ix_deliveries_status",
            "organization_number",
            "last_status",
            "number",
            "hook_number",
            postgresql_where=text("last_status <> 200"),
            sqlite_where=text("last_status <> 200"),
        ),
        # What any attempt got is read from here, for the few deliveries with an attempt that failed.
        Index(
            "ix_deliveries_bad_answers",
            "organization_number",
            "number",
            "hook_number",
            "bad_answers",
            postgresql_where=text("bad_answers IS NOT NULL"),
            sqlite_where=text("bad_answers IS NOT NULL"),
        ),
        # And from here for what few have got.
        Index(
            "ix_deliveries_each_bad_answer",
            "organization_number",
            "bad_answers",
            "number",
            postgresql_where=text("bad_answers IS NOT NULL"),
            sqlite_where=text("bad_answers IS NOT NULL"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    event_number: Mapped[int] = mapped_column(ForeignKey("events.number", ondelete="CASCADE"))
    hook_number: Mapped[int] = mapped_column(ForeignKey("hooks.number", ondelete="CASCADE"))
    event_type: Mapped[text200]
    url: Mapped[str] = mapped_column(String(2048))  # as of the last attempt, or of now while there was none
    payload_format: Mapped[str] = mapped_column(String(20))
    content_type: Mapped[str] = mapped_column(String(10))
    is_test: Mapped[bool] = mapped_column(default=False)
    trigger: Mapped[str] = mapped_column(String(10), default=Trigger.AUTOMATIC.value)  # of the present chain
    triggered_by: Mapped[int | None] = mapped_column(ForeignKey("users.number", ondelete="SET NULL"))
    replay_number: Mapped[int | None] = mapped_column(ForeignKey("replays.number", ondelete="SET NULL"))
    state_before: Mapped[str | None] = mapped_column(String(10))  # null: the replay made the delivery
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]

    state: Mapped[str] = mapped_column(String(10))
    chain: Mapped[int] = mapped_column(default=1)
    chain_failures: Mapped[int] = mapped_column(default=0)
    attempt_count: Mapped[int] = mapped_column(default=0)
    interrupted: Mapped[int] = mapped_column(default=0)  # attempts in a row that ended with their worker
    next_attempt_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    waiting_reason: Mapped[str | None] = mapped_column(String(200))
    finished_at: Mapped[datetime | None]
    claimed_by: Mapped[int | None]  # number of a worker
    claim_no: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)

    last_status: Mapped[int | None]
    last_outcome: Mapped[str | None] = mapped_column(String(30))
    last_duration_ms: Mapped[float | None]
    bad_answers: Mapped[str | None] = mapped_column(Text)  # of all attempts that failed: ",429,none,", each once

    event: Mapped[Event] = relationship()
    hook: Mapped[Hook] = relationship()
    replay: Mapped[Replay | None] = relationship()
    attempts: Mapped[list[Attempt]] = relationship(order_by="Attempt.number", viewonly=True)


class Attempt(Base):
    """One HTTP request for a delivery. The row exists before the request is sent: ``outcome`` null means in flight."""

    __tablename__ = "attempts"

    delivery_number: Mapped[int] = mapped_column(
        ForeignKey("deliveries.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 … without gaps
    chain: Mapped[int]
    trigger: Mapped[str] = mapped_column(String(10))
    worker_number: Mapped[int | None]
    started_at: Mapped[datetime]
    duration_ms: Mapped[float | None]
    outcome: Mapped[str | None] = mapped_column(String(30))
    charged: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Text)
    status: Mapped[int | None]
    peer: Mapped[str | None] = mapped_column(String(64))
    is_resent: Mapped[bool] = mapped_column(default=False)  # a kept-alive connection had died; sent once more
    is_reused: Mapped[bool] = mapped_column(default=False)  # went over a kept-alive connection
    is_truncated: Mapped[bool] = mapped_column(default=False)
    body_note: Mapped[str | None] = mapped_column(String(200))
    timings: Mapped[dict[str, Any] | None]
    url: Mapped[str | None] = mapped_column(String(2048))
    method: Mapped[text40] = mapped_column(default="POST")
    request_headers: Mapped[list[Any] | None]  # [[name, value], …], secrets masked
    response_headers: Mapped[list[Any] | None]
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)
