"""The integers of object models: for a dialect that names the kind of an event's object by a number.

A name gets its number when an event is first published about it, whichever way it comes in.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from console.database import dialect_of
from console.models import ObjectModel
from console.services.work import Work


def note(work: Work, *, names: Iterable[str | None]) -> None:
    """Give each of *names* a number unless it has one, inside the caller's transaction."""
    wanted = {name.lower() for name in names if name is not None}
    missing = wanted - numbers_of(work, names=wanted).keys()
    if missing:
        kind = sqlite if dialect_of(work.session) == "sqlite" else postgresql
        # Sorted, so that two publishers who wait for each other's names cannot do so both ways round.
        rows = [{"name": name} for name in sorted(missing)]
        work.session.execute(kind.insert(ObjectModel).on_conflict_do_nothing(), rows)


def numbers_of(work: Work, *, names: Iterable[str]) -> dict[str, int]:
    """Give the numbers of those of *names*, in lower case, that have one."""
    wanted = list(names)
    if not wanted:
        return {}
    rows = work.session.execute(select(ObjectModel.name, ObjectModel.number).where(ObjectModel.name.in_(wanted)))
    return {row.name: row.number for row in rows}


def name_of(work: Work, *, number: int) -> str | None:
    """Give the name, in lower case, that has *number*."""
    return work.session.scalar(select(ObjectModel.name).where(ObjectModel.number == number))
