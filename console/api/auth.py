"""Who asks: the token in the Authorization header and nothing else; cookies and query strings are no credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from flask import current_app, g, request

from console.core.errors import Forbidden, TooMany, Unauthenticated
from console.core.permissions import Permission, grants
from console.extensions import collaborators, current_work
from console.rates import left_of_minute
from console.services.people import token_use
from console.services.people.sight import Sight
from console.services.people.token_use import Principal

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
    """Take the token of this request and check what the view asks for; raise Unauthenticated, Forbidden or TooMany."""
    if request.method == "OPTIONS":
        return
    identify(_token_text(request.headers.get("Authorization")))
    check(permission_of_view())


def identify(text: str) -> Principal:
    """Keep who the token *text* speaks for; raise Unauthenticated, or TooMany.

    Refused tokens are counted by address; one that works is never held up by them. The look-up is a reader's
    transaction of its own: a bad token never waits for a write lock.
    """
    try:
        found = token_use.authenticate(current_work(), text)
    except Unauthenticated:
        _count({f"refused:{request.remote_addr}": collaborators().settings.api_rate})
        raise
    g.principal = found
    g.organization_number = found.organization.number
    g.actor = replace(found.actor, ip=request.remote_addr)
    return found


def permission_of_view() -> Permission:
    """Give what the view of this request asks for."""
    view: Any = current_app.view_functions[str(request.endpoint)]
    wanted: Permission = view.permission
    return wanted


def check(wanted: Permission) -> None:
    """Raise Forbidden when the token lacks *wanted*, TooMany when it or its organization asks too often.

    Publishing may be as fast as it can: what an application has to say must not get lost here. Refusals are counted
    whatever they refuse.
    """
    may = grants(principal().permissions, wanted)
    if not may or wanted is not Permission.EVENTS_PUBLISH:
        count_request()
    if not may:
        raise Forbidden(wanted)


def count_request() -> None:
    """Count this request of a known token; raise TooMany."""
    limit = collaborators().settings.api_rate
    _count({f"token:{principal().token_number}": limit, f"organization:{organization_number()}": 5 * limit})


def _count(limits: Mapping[str, int]) -> None:
    """Count this request for each name of *limits*; raise TooMany above one in this minute. 0: no limit."""
    if not all(limits.values()):
        return
    now = current_work().now()
    counts = collaborators().rates.count(limits, now=now)
    if any(counts[name] > limits[name] for name in limits):
        raise TooMany("There are too many requests in this minute.", retry_after_s=left_of_minute(now))


def principal() -> Principal:
    """Give who this request comes from."""
    return cast("Principal", g.principal)


def sight() -> Sight:
    """Return what the token of this request sees."""
    return Sight.of_token(principal())


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
