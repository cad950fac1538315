"""Forms that arrived without a session, until the person who typed them has signed in again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, number_key


class KeptForm(Base):
    """What a person typed into a form whose session had ended; ``sealed`` is encrypted, as it may hold secrets."""

    __tablename__ = "kept_forms"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    user_number: Mapped[int] = mapped_column(ForeignKey("users.number", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
