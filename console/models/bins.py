"""The built-in receiver: bins and what they caught."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, number_key, text40, text200


class Bin(Base):
    """A URL inside Hookyard that records what it gets and answers as told."""

    __tablename__ = "bins"
    __table_args__ = (Index(None, "organization_number", "number"), {"sqlite_autoincrement": True})

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(22), unique=True)  # the unguessable part of the catch address
    name: Mapped[text200]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]  # None: pinned
    answer_status: Mapped[int] = mapped_column(default=200)
    answer_body: Mapped[str] = mapped_column(Text, default="")
    retry_after_s: Mapped[int | None]
    delay_ms: Mapped[int] = mapped_column(default=0)
    breaks_off: Mapped[str] = mapped_column(String(10), default="", server_default="")  # before or within its answer
    fail_next: Mapped[int] = mapped_column(default=0)  # answers 500 this many more times


class BinRequest(Base):
    """One request that a bin caught."""

    __tablename__ = "bin_requests"
    __table_args__ = (Index(None, "bin_number", "number"), {"sqlite_autoincrement": True})

    number: Mapped[number_key]
    bin_number: Mapped[int] = mapped_column(ForeignKey("bins.number", ondelete="CASCADE"))
    received_at: Mapped[datetime]
    method: Mapped[text40]
    path: Mapped[str] = mapped_column(String(2048))
    headers: Mapped[list[Any]]  # [[name, value], …]
    webhook_id: Mapped[str | None] = mapped_column(String(100), index=True)
    verification: Mapped[str] = mapped_column(String(20))
    verified_with: Mapped[str | None] = mapped_column(String(100))
    skew_s: Mapped[float | None]
    answered_status: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
