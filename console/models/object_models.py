"""The kinds of object that events are about, each with an integer, for the dialect that speaks of them so."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from console.models.base import Base, number_key


class ObjectModel(Base):
    """A model name in lower case; it gets its number when it is first seen in this installation and keeps it."""

    __tablename__ = "object_models"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[number_key]
    name: Mapped[str] = mapped_column(String(300), unique=True)  # lower case may be longer
