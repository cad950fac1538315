"""Secrets shown once: kept for the next page in the browser's own session, encrypted, and gone when they were shown."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from flask import session

from console.core.errors import KeyUnavailable
from console.extensions import collaborators

_PLACE = "shown_once"


def keep(secret: str, *, about: UUID) -> None:
    """Keep *secret*, which belongs to the object with the id *about*, until it is taken."""
    session[_PLACE] = [str(about), collaborators().keys.seal(secret).decode("ascii")]


def take(about: UUID) -> str | None:
    """Give what was kept about that object and forget it; None when nothing was."""
    kept = session.get(_PLACE)
    if not kept or kept[0] != str(about):
        return None
    del session[_PLACE]
    with suppress(KeyUnavailable):
        return collaborators().keys.open(kept[1].encode("ascii"))
    return None
