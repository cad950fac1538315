"""The catalogue: event types with their groups, and the sources that events come from."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, number_key, text200


class EventType(Base):
    """A name that events carry. ``is_builtin`` types came with Hookyard; the others the organization added.

    Payloads are checked against ``schema`` only when the type says ``validate``. Publishing asks each time which types
    of an organization do, so they have an index of their own, which is empty as a rule.
    """

    __tablename__ = "event_types"
    __table_args__ = (
        UniqueConstraint("organization_number", "name"),
        Index(
            "ix_event_types_validating",
            "organization_number",
            "name",
            postgresql_where=text("validate"),
            sqlite_where=text("validate"),
        ),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[number_key]
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    name: Mapped[text200]
    groups: Mapped[list[str]]
    description: Mapped[str] = mapped_column(Text, default="")
    sample: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    schema: Mapped[dict[str, Any] | None]
    validate: Mapped[bool] = mapped_column(default=False)
    deprecated: Mapped[bool] = mapped_column(default=False)  # not offered any more; delivered as before
    is_builtin: Mapped[bool] = mapped_column(default=False)
    dialect: Mapped[str | None] = mapped_column(String(20))  # the API whose type it is, if it came with Hookyard
    created_at: Mapped[datetime]
    modified_at: Mapped[datetime]


class Source(Base):
    """A named origin of events: a shop, a conference, a site. The slug never changes."""

    __tablename__ = "sources"
    __table_args__ = (UniqueConstraint("organization_number", "slug"), {"sqlite_autoincrement": True})

    number: Mapped[number_key]
    id: Mapped[UUID] = mapped_column(unique=True)
    organization_number: Mapped[int] = mapped_column(ForeignKey("organizations.number", ondelete="CASCADE"))
    slug: Mapped[str] = mapped_column(String(50))
    name: Mapped[text200]
    created_at: Mapped[datetime]
