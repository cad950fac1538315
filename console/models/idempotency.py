"""Answers that are kept for a day, so that a request which is sent again gets the first one and does nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, number_key


class KeptAnswer(Base):
    """The answer to the first request with an idempotency key; while that is in progress, ``status`` is null.

    ``fingerprint`` is the SHA-256 of the caller's credential and the key, neither of which is kept itself.
    ``token_number`` is null for a form that a person sent in the console.
    """

    __tablename__ = "kept_answers"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    token_number: Mapped[int | None] = mapped_column(ForeignKey("tokens.number", ondelete="CASCADE"), index=True)
    started_at: Mapped[datetime] = mapped_column(index=True)
    status: Mapped[int | None]
    headers: Mapped[list[Any] | None]  # [[name, value], …]
    body: Mapped[bytes | None] = mapped_column(LargeBinary)
