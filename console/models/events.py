"""Events: what happened, with the payload as the bytes that were received."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, number_key, text200


class Event(Base):
    """Something that happened.

    ``request_sha256`` is the hash of everything a publisher sent: a repeated idempotency key with another hash
    is a conflict, which the unique constraint decides and nothing else. A direct event was published to one hook
    alone: no other has missed it.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("organization_number", "id"),  # publishers choose ids
        UniqueConstraint("organization_number", "idempotency_key"),
        Index(None, "organization_number", "number"),
        Index("ix_events_type", "organization_number", "type", "number"),
        Index(
            "ix_events_source",
            "organization_number",
            "source",
            "number",
            postgresql_where=text("source IS NOT NULL"),
            sqlite_where=text("source IS NOT NULL"),
        ),
        Index("ix_events_object", "organization_number", "object_pk"),
        Index("ix_events_created", "created_at"),
        Index(
            "ix_events_fanout_pending",
            "organization_number",
            "number",
            postgresql_where=text("fanout_pending"),
            sqlite_where=text("fanout_pending = 1"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[number_key]
    id: Mapped[UUID]
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    type: Mapped[text200]
    source: Mapped[str | None] = mapped_column(String(50))  # a slug
    message: Mapped[str | None] = mapped_column(Text)
    object_model: Mapped[str | None] = mapped_column(String(100))
    object_pk: Mapped[str | None] = mapped_column(String(100))
    occurred_at: Mapped[datetime]
    created_at: Mapped[datetime]
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    fanout_pending: Mapped[bool] = mapped_column(default=False)
    delivery_count: Mapped[int] = mapped_column(default=0)
    is_test: Mapped[bool] = mapped_column(default=False)
    is_direct: Mapped[bool] = mapped_column(default=False)
    is_from_callback: Mapped[bool] = mapped_column(default=False)  # callbacks are not called for it
    payload_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    # Last, so that reading the columns above never touches the pages of a large payload.
    context: Mapped[bytes | None] = mapped_column(LargeBinary)  # JSON text
    payload: Mapped[bytes] = mapped_column(LargeBinary)  # JSON text, exactly as received
