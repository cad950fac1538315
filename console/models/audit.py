"""The audit log: append-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from console.models.accounts import User
from console.models.base import Base, number_key


class AuditEntry(Base):
    """Who changed what, when and from where. ``changes`` maps a field to ``[before, after]``, secrets redacted."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index(None, "organization_number", "number"),
        Index(None, "object_type", "object_id"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[number_key]
    organization_number: Mapped[int | None] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    user_number: Mapped[int | None] = mapped_column(ForeignKey("users.number", ondelete="SET NULL"))
    actor: Mapped[str] = mapped_column(String(254))  # the e-mail address as it was then; "Hookyard" for its own acts
    service_token_id: Mapped[UUID | None]  # the service token that acted, whose name is ``actor``
    ip: Mapped[str | None] = mapped_column(String(40))
    at: Mapped[datetime]
    action: Mapped[str] = mapped_column(String(60))  # verb on a noun: hook.updated
    object_type: Mapped[str | None] = mapped_column(String(30))
    object_id: Mapped[str | None] = mapped_column(String(60))
    object_name: Mapped[str | None] = mapped_column(String(300))
    changes: Mapped[dict[str, Any]]

    user: Mapped[User | None] = relationship()

    @property
    def who(self) -> str:
        """Return who it was: a person by the account, whatever name was written down; else the name alone.

        The name of a service token is somebody's choice, so what it is stands beside it.
        """
        if self.user is not None:
            return self.user.who
        return f"{self.actor} (service token)" if self.service_token_id is not None else self.actor
