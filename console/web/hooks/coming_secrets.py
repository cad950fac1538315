"""Secrets that are not in force yet: forms carry them encrypted, for one person and one organization.

The secret of a new hook is made by the server and shown in its form, so that a receiver can be given it before the
first test; the saved hook has the same one. Nobody can choose that secret by what they send.
"""

from __future__ import annotations

from console.core.errors import KeyUnavailable
from console.core.signing import new_secret
from console.extensions import collaborators, current_work
from console.web import access

_PURPOSE = "coming secret\n"  # no secret that somebody chose has a line break


def fresh() -> tuple[str, str]:
    """Return a new secret, in clear and as the form carries it."""
    secret = new_secret(current_work().token_bytes(32))
    return secret, sealed(secret)


def sealed(secret: str) -> str:
    """Return *secret* as a form carries it."""
    return collaborators().keys.seal(_prefix() + secret).decode("ascii")


def opened(text: str) -> str | None:
    """Return the secret that a form carried; None when it was not made for this person here, or its key is gone."""
    if not text.isascii():
        return None
    try:
        carried = collaborators().keys.open(text.encode("ascii"))
    except KeyUnavailable:
        return None
    return carried.removeprefix(_prefix()) if carried.startswith(_prefix()) else None


def _prefix() -> str:
    someone = access.person()
    return f"{_PURPOSE}{someone.user.number if someone else ''} {access.place().organization.number}\n"
