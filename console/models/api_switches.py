"""Which APIs of other systems an organization has switched on or off."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base


class ApiSwitch(Base):
    """An API that is on or off. No row: nobody has decided, and the first request that may use it switches it on."""

    __tablename__ = "api_switches"

    organization_number: Mapped[int] = mapped_column(
        ForeignKey("organizations.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    api: Mapped[str] = mapped_column(String(20), primary_key=True)  # a name of core.foreign_apis
    is_on: Mapped[bool]
    changed_at: Mapped[datetime]
