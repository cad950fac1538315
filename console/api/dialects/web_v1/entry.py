"""Who may call: the Authorization header with a token after ``Bearer`` or ``Token``, or bare.

Clients that a generator made from the document send an API key without a prefix unless told otherwise.
"""

from __future__ import annotations

from flask import request

from console.api import auth
from console.core.errors import Unauthenticated

ROOT = "/api/web/v1"


def authenticate() -> None:
    """Take the token of this request and keep who it speaks for; raise Unauthenticated."""
    auth.identify(_token_of(request.headers.get("Authorization", "")))


def check() -> None:
    """Raise Forbidden when the token lacks what the operation asks for, TooMany when it asks too often."""
    auth.check(auth.permission_of_view())


def _token_of(header: str) -> str:
    keyword, _, text = header.strip().partition(" ")
    if not text:
        return keyword
    if keyword.lower() not in auth.KEYWORDS:
        raise Unauthenticated(
            "The Authorization header must be a token, alone or after Bearer.", code="token_malformed"
        )
    return text.strip()
