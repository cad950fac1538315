"""Secrets shown once: kept for the next page in the browser's own session, encrypted, and gone when they were shown."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from flask import session

from console.core.errors import KeyUnavailable
from console.extensions import collaborators, current_work
from console.services import idempotency

_PLACE = "shown_once"


def keep(secret: str, *, about: UUID) -> None:
    """Keep *secret*, which belongs to the object with the id *about*, until it is taken."""
    session[_PLACE] = [str(about), collaborators().keys.seal(secret).decode("ascii"), None]


def keep_sealed(sealed: str, *, about: str, answer: int) -> None:
    """Keep a secret again as ``kept`` returned it; it is in the kept answer with the number *answer* too."""
    session[_PLACE] = [about, sealed, answer]


def kept() -> tuple[str, str] | None:
    """Return the id of the object and its sealed secret, when one waits to be shown."""
    found = session.get(_PLACE)
    return (found[0], found[1]) if found else None


def belongs_to(answer: int) -> None:
    """Remember that the secret is in the kept answer with that number too: there it ends when it is taken."""
    if _PLACE in session:
        session[_PLACE] = [*session[_PLACE][:2], answer]


def take(about: UUID) -> str | None:
    """Give what was kept about that object and forget it everywhere; None when nothing was."""
    found = session.get(_PLACE)
    if not found or found[0] != str(about):
        return None
    del session[_PLACE]
    if len(found) > 2 and found[2] is not None:  # noqa: PLR2004 an older version kept no number
        idempotency.forget_headers(current_work(), number=found[2])
    with suppress(KeyUnavailable):
        return collaborators().keys.open(found[1].encode("ascii"))
    return None
