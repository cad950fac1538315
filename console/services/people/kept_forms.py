"""Forms that arrived without a session: kept for the person who typed them, until they have signed in again.

Few, small, encrypted, for an hour, and given back once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select

from console.core.errors import KeyUnavailable
from console.models import KeptForm, User
from console.services.work import Work

LASTS = timedelta(hours=1)
LARGEST = 1024 * 1024
"""So many characters are kept of a form at most, counted as JSON."""

MOST = 5
"""So many forms are kept for a person; the newest count."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A form as it was sent: the address it was sent to, and its fields in their order."""

    action: str
    fields: tuple[tuple[str, str], ...]


def keep(work: Work, *, user_number: int, typed: Typed) -> UUID | None:
    """Keep a form and return its id; None when it is too large, or the person cannot sign in."""
    text = json.dumps([typed.action, typed.fields])
    with work.transaction():
        is_known = work.session.scalar(select(User.is_active).where(User.number == user_number).with_for_update())
        if not is_known or len(text) > LARGEST:
            return None
        newest = select(KeptForm.number).where(KeptForm.user_number == user_number)
        kept = work.session.scalars(newest.order_by(KeptForm.number.desc()).limit(MOST - 1)).all()
        old = KeptForm.user_number == user_number, KeptForm.number.not_in(kept)
        work.session.execute(delete(KeptForm).where(*old))
        row = KeptForm(id=work.new_id(), user_number=user_number, created_at=work.now(), sealed=work.keys.seal(text))
        work.session.add(row)
        return row.id


def take(work: Work, *, user_number: int, form_id: UUID) -> Typed | None:
    """Return a form to the person who typed it and forget it; None when there is none of theirs."""
    wanted = KeptForm.id == form_id, KeptForm.user_number == user_number
    with work.transaction():
        row = work.session.scalar(select(KeptForm).where(*wanted).with_for_update())
        if row is None:
            return None
        work.session.delete(row)
    if row.created_at <= work.now() - LASTS:
        return None
    try:
        action, fields = json.loads(work.keys.open(row.sealed))
    except KeyUnavailable:
        return None
    return Typed(action, tuple((name, text) for name, text in fields))


def forget(work: Work) -> int:
    """Delete the forms that nobody came back for; return how many. For the dispatcher's retention."""
    with work.transaction():
        result = work.session.execute(delete(KeptForm).where(KeptForm.created_at <= work.now() - LASTS))
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives
