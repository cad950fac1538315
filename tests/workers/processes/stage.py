"""What tests of worker processes ask of the database."""

from __future__ import annotations

from sqlalchemy import select

from console.models import Worker
from console.services.work import Work
from tests.engine import scalars


def living(work: Work) -> int:
    return len(scalars(work, select(Worker.number).where(Worker.stopped_at.is_(None))))
