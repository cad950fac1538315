"""Who may call: the Authorization header with a token after ``Bearer`` or ``Token``, or bare.

Clients that a generator made from the document send an API key without a prefix unless told otherwise.
"""

from __future__ import annotations

from typing import Any

from flask import current_app, g, request

from console.api import auth
from console.core.errors import Forbidden, Unauthenticated
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.services import tokens
from console.services.work import Actor

ROOT = "/api/web/v1"


def authenticate() -> None:
    """Take the token of this request and keep who it speaks for; raise Unauthenticated."""
    principal = tokens.authenticate(current_work(), _token_of(request.headers.get("Authorization", "")))
    person = principal.user
    g.principal = principal
    g.organization_number = principal.organization.number
    g.actor = Actor(person.display_name, user_number=person.number, ip=request.remote_addr)


def check_permission() -> None:
    """Raise Forbidden when the token lacks what the operation asks for."""
    view: Any = current_app.view_functions[str(request.endpoint)]
    wanted: Permission = view.permission  # auth.permission put it there
    if not grants(auth.principal().permissions, wanted):
        raise Forbidden(wanted)


def _token_of(header: str) -> str:
    keyword, _, text = header.strip().partition(" ")
    if not text:
        return keyword
    if keyword.lower() not in auth.KEYWORDS:
        raise Unauthenticated(
            "The Authorization header must be a token, alone or after Bearer.", code="token_malformed"
        )
    return text.strip()
