"""Who may call: the Authorization header with a token after ``Bearer`` or ``Token``, or bare.

Clients that a generator made from the document send an API key without a prefix unless told otherwise.
"""

from __future__ import annotations

from flask import request

from console.api import auth
from console.core.errors import NotFound, Unauthenticated
from console.core.foreign_apis import WEB_V1
from console.extensions import current_work
from console.services.organizations import foreign_apis

ROOT = "/api/web/v1"


def authenticate() -> None:
    """Take the token of this request and keep who it speaks for; raise Unauthenticated."""
    auth.identify(_token_of(request.headers.get("Authorization", "")))


def check() -> None:
    """Raise Forbidden when the token lacks what the operation asks for, TooMany when it asks too often."""
    auth.check(auth.permission_of_view())


def admit() -> None:
    """Raise NotFound when the organization has this API switched off; the first request switches it on."""
    if not foreign_apis.admit(current_work(), organization_number=auth.organization_number(), api=WEB_V1):
        raise NotFound("API")


def enter_astray() -> None:
    """Take the token of a request that no operation answers; raise Unauthenticated, or NotFound as ``admit`` does."""
    authenticate()
    if foreign_apis.is_off(current_work(), organization_number=auth.organization_number(), api=WEB_V1):
        raise NotFound("API")


def _token_of(header: str) -> str:
    keyword, _, text = header.strip().partition(" ")
    if not text:
        return keyword
    if keyword.lower() not in auth.KEYWORDS:
        raise Unauthenticated(
            "The Authorization header must be a token, alone or after Bearer.", code="token_malformed"
        )
    return text.strip()
