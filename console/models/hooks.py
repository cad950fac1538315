"""Hooks: what people configure. How a hook is doing stands in ``engine.HookState``, apart, because it changes often."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from console.models.accounts import Organization, User
from console.models.base import Base, number_key, text200


class Hook(Base):
    """A subscription: a URL plus which events it wants and how it wants them.

    A deleted hook keeps its row (``deleted_at``), since its deliveries stay in the log. A trial is what a form stands
    for that nobody has saved: deleted from its first moment, so that it is nowhere to be found, and yet the engine
    sends the one test that it was made for.
    """

    __tablename__ = "hooks"
    __table_args__ = (Index(None, "organization_number", "number"), {"sqlite_autoincrement": True})

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    name: Mapped[text200] = mapped_column(default="")
    description: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str] = mapped_column(String(2048))
    destination: Mapped[str] = mapped_column(String(270), default="")  # host and port of the URL
    is_active: Mapped[bool] = mapped_column(default=True)
    all_events: Mapped[bool] = mapped_column(default=False)
    event_types: Mapped[list[str]]
    event_groups: Mapped[list[str]]
    sources: Mapped[list[str] | None]  # slugs; None hears every source, [] only events without one
    content_type: Mapped[str] = mapped_column(String(10), default="json")
    payload_format: Mapped[str] = mapped_column(String(20), default="standard")
    sealed_headers: Mapped[bytes | None] = mapped_column(LargeBinary)  # JSON object, encrypted: values may be secrets
    filter: Mapped[str | None] = mapped_column(Text)
    retry: Mapped[dict[str, Any] | None]
    timeout_s: Mapped[int | None]
    max_in_flight: Mapped[int] = mapped_column(default=16)
    rate_limit: Mapped[dict[str, Any] | None]
    author_number: Mapped[int | None] = mapped_column(ForeignKey("users.number", ondelete="SET NULL"))
    dialect: Mapped[str] = mapped_column(String(20), default="native")
    dialect_data: Mapped[dict[str, Any]]
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(String(300))
    deleted_at: Mapped[datetime | None]
    is_trial: Mapped[bool] = mapped_column(default=False)

    author: Mapped[User | None] = relationship()
    organization: Mapped[Organization] = relationship()
    secrets: Mapped[list[HookSecret]] = relationship(
        back_populates="hook", order_by="HookSecret.number.desc()", cascade="all, delete-orphan"
    )


class HookSecret(Base):
    """A signing secret, encrypted. During a rotation the older ones sign too, until ``expires_at``."""

    __tablename__ = "hook_secrets"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    hook_number: Mapped[int] = mapped_column(ForeignKey("hooks.number", ondelete="CASCADE"), index=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]

    hook: Mapped[Hook] = relationship(back_populates="secrets")
