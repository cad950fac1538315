"""What tests of worker processes ask of the database."""

from __future__ import annotations

from sqlalchemy import select

from console.models import Worker
from console.services.work import Work
from tests.engine import scalars


def registered(work: Work) -> set[int]:
    """Give the numbers of the workers that have entered themselves and not signed off, or were not signed off."""
    return set(scalars(work, select(Worker.number).where(Worker.stopped_at.is_(None))))
