"""Questions about the worker processes of a test."""

from __future__ import annotations

from sqlalchemy import select

from console.models import Worker
from console.services.work import Work
from tests.engine import scalars


def living(work: Work) -> int:
    """Count the workers that have entered themselves and not signed off."""
    return len(scalars(work, select(Worker.number).where(Worker.stopped_at.is_(None))))
