"""How many events of a type there were, hour by hour: a roll-up that the dispatcher keeps behind the publishers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, text200


class TypeHour(Base):
    """Events of one type in one hour, tests left out. It outlives the events, so it knows types of long ago too."""

    __tablename__ = "type_hours"
    __table_args__ = ({"sqlite_with_rowid": False},)

    organization_number: Mapped[int] = mapped_column(
        ForeignKey("organizations.number", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    type: Mapped[text200] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[datetime]


class Progress(Base):
    """How far a roll-up has come: the number of the last row that is in it."""

    __tablename__ = "progress"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    number: Mapped[int]
