"""Who asks: the token in the Authorization header and nothing else; cookies and query strings are no credentials."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import current_app, g, request

from console.core.errors import Forbidden, Unauthenticated
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.services import tokens
from console.services.tokens import Principal
from console.services.work import Actor

View = TypeVar("View", bound=Callable[..., Any])
KEYWORDS = frozenset({"token", "bearer"})
SECURITY: list[dict[str, list[str]]] = [{"token": []}, {"bearer": []}]
"""Either scheme of the specification."""


def permission(wanted: Permission) -> Callable[[View], View]:
    """Let only tokens with *wanted* reach a view. It stands right below the route; a view without it is unreachable."""

    def mark(view: View) -> View:
        view.permission = wanted  # type: ignore[attr-defined]  # enter() reads it
        if hasattr(view, "_spec"):  # what APIFlask keeps for the specification
            view._spec.update(security=SECURITY, extensions={"x-permission": wanted.value})  # noqa: SLF001
        return view

    return mark


def enter() -> None:
    """Take the token of this request, keep who it speaks for, and check what the view asks for.

    Raise Unauthenticated or Forbidden. The look-up is a reader's transaction of its own, so that a request with a bad
    token never waits for a write lock.
    """
    if request.method == "OPTIONS":
        return
    text = _token_text(request.headers.get("Authorization"))
    principal = tokens.authenticate(current_work(), text)
    g.principal = principal
    g.organization_number = principal.organization.number
    person = principal.user
    g.actor = Actor(person.display_name, user_number=person.number, ip=request.remote_addr)
    view: Any = current_app.view_functions[str(request.endpoint)]
    wanted: Permission = view.permission
    if not grants(principal.permissions, wanted):
        raise Forbidden(wanted)


def principal() -> Principal:
    """Give who this request comes from."""
    return cast("Principal", g.principal)


def organization_number() -> int:
    """Give the organization that bounds everything this request may see."""
    return cast("int", g.organization_number)


def _token_text(header: str | None) -> str:
    if header is None:
        raise Unauthenticated("Send a token: Authorization: Token hy_…, or Bearer.", code="token_missing")
    keyword, _, text = header.strip().partition(" ")
    if keyword.lower() not in KEYWORDS or not text.strip():
        raise Unauthenticated("The Authorization header must be: Token hy_…, or Bearer hy_….", code="token_malformed")
    return text.strip()
