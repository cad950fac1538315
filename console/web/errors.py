"""Errors as people see them: a page in the usual shell, or one sentence as a toast for htmx."""

from __future__ import annotations

from secrets import token_hex

from flask import Response, g, make_response, request
from flask import current_app as app
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from console.core.errors import (
    Busy,
    Conflict,
    Forbidden,
    HookyardError,
    Invalid,
    KeyUnavailable,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
)
from console.core.permissions import ROLE_PERMISSIONS, Role
from console.web import access, hx, origins, typed

STATUS: dict[type[HookyardError], int] = {
    Invalid: 422,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    TooMany: 429,
    Busy: 503,
    KeyUnavailable: 503,
}
TITLES = {
    400: "That request could not be read",
    401: "Sign in first",
    403: "You may not do this",
    404: "Nothing here",
    405: "That does not work here",
    409: "That is not possible now",
    413: "That is too large",
    422: "Something needs another look",
    429: "A little slower, please",
    500: "Something broke on our side",
    503: "Not possible right now",
}
MESSAGES = {
    400: "The form or address is not as expected. Go back and try again.",
    404: "There is no such page, or it belongs to an organization you are not in.",
    405: "This address does not take that kind of request.",
    413: "What was sent is larger than this page takes.",
    500: "The error was logged. Try again; if it stays, give the request id to your operator.",
}
LEAST_FORM_ERROR = 400


def answer_error(error: HTTPException | HookyardError) -> Response:
    """Answer a known error."""
    if isinstance(error, CSRFError):
        if (recovered := access.recover_form()) is not None:
            return recovered
        return _answer(400, "The form had expired, or came from another site. Nothing was changed.", retry=True)
    if isinstance(error, HookyardError):
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
        message = _who_may(error.permission) if isinstance(error, Forbidden) else error.message
        return _answer(status, message, error=error)
    status = error.code or 500
    response = _answer(status, MESSAGES.get(status, error.description or ""))
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After", "Location"}:
            response.headers[name] = value
    if status < LEAST_FORM_ERROR and isinstance(error.get_response(), Response):
        return make_response(error.get_response())
    return response


def answer_crash(_error: Exception) -> Response:
    """Answer an error nobody expected; it is in the log with the request id."""
    return _answer(500, MESSAGES[500])


def _who_may(permission: str) -> str:
    """Say whose a deed is, and who can change that: people have roles, permissions are for programs."""
    role = next((role for role, held in ROLE_PERMISSIONS.items() if permission in held), Role.ADMIN)
    may = {Role.VIEWER: "members", Role.EDITOR: "editors and admins"}.get(role, "admins")
    return f"That is for {may} of this organization. An admin can change your role under Settings, Members."


def _answer(status: int, message: str, *, error: HookyardError | None = None, retry: bool = False) -> Response:
    if hx.wants_fragment():
        response = hx.refuse(message, status=status)
    else:
        expired = retry and request.method == "POST" and origins.is_from_here() and typed.owner() is None
        response = hx.page(
            "error.html",
            status=status,
            title=TITLES.get(status, "That did not work"),
            message=message,
            retry_after_s=getattr(error, "retry_after_s", None),
            request_id=g.setdefault("request_id", token_hex(6)),
            retry=[(k, v) for k, v in request.form.items(multi=True) if k != "csrf_token"] if expired else [],
            retry_action=request.full_path.rstrip("?") if expired else "",
        )
        response.headers["Cache-Control"] = "no-store"  # it may hold what was typed into a form
    retry_after = getattr(error, "retry_after_s", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if status >= 500:  # noqa: PLR2004 server errors
        app.logger.warning("answered with an error", extra={"status": status, "path": request.path})
    return response
