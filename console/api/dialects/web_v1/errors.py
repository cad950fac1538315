"""Errors: one JSON object with timestamp, status, error, message and path, as Spring Boot gives it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, UnsupportedMediaType

from console.api import problems
from console.api.faces import Face
from console.core.errors import Busy, Forbidden, HookyardError, Invalid, TooMany, Unauthenticated
from console.core.errors import NotFound as NoSuchObject
from console.database import is_busy
from console.extensions import current_work

NOT_FOUND = "Webhook not found"
INTERNAL = "Something broke on our side; it was logged"


def face(*, enter: Callable[[], None] = lambda: None) -> Face:
    """Make the face of some paths; *enter* asks for the token, which goes before what is wrong with path or method."""

    def answer_error(error: HTTPException | HookyardError) -> Response:
        if isinstance(error, HTTPException) and error is request.routing_exception:
            if isinstance(error, NotFound) and request.path.endswith("/"):
                return _without_slash()
            try:
                enter()
            except (Unauthenticated, NoSuchObject) as refused:
                error = refused
        return _answer(error)

    return Face(answer_error, _answer_crash)


def written(data: Any, *, status: int = 200) -> Response:
    """Write *data* as JSON, keys in their order."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status=status, mimetype="application/json")


def _answer_crash(error: Exception) -> Response:
    if is_busy(error):
        return _answer(Busy())
    return _error(500, INTERNAL)


def _answer(error: HTTPException | HookyardError) -> Response:
    if isinstance(error, HookyardError):
        return _error(_status_of(error), _message_of(error), headers=_headers_of(error))
    allowed = [(name, value) for name, value in error.get_headers() if name == "Allow"]
    return _error(error.code or 500, _message_of_http(error), headers=allowed)


def _error(status: int, message: str, *, headers: Iterable[tuple[str, str]] = ()) -> Response:
    body = {
        "timestamp": current_work().now().isoformat(timespec="milliseconds"),
        "status": int(status),
        "error": HTTPStatus(status).phrase,
        "message": message,
        "path": request.path,
    }
    response = written(body, status=status)
    response.headers.extend(headers)
    return response


def _status_of(error: HookyardError) -> int:
    if isinstance(error, Invalid):
        return 400
    return next((int(status) for kind, status in problems.STATUS.items() if isinstance(error, kind)), 500)


def _message_of(error: HookyardError) -> str:
    match error:
        case Unauthenticated():
            return "Access denied"
        case Forbidden():
            return f"{error.permission} permission is required"
        case NoSuchObject():
            return NOT_FOUND
    return error.message


def _headers_of(error: HookyardError) -> list[tuple[str, str]]:
    match error:
        case Unauthenticated():
            return [("WWW-Authenticate", "Bearer")]
        case TooMany() | Busy():
            return [("Retry-After", str(error.retry_after_s))]
    return []


def _message_of_http(error: HTTPException) -> str:
    match error:
        case NotFound():
            return NOT_FOUND
        case MethodNotAllowed():
            return f"Request method '{request.method}' is not supported"
        case UnsupportedMediaType():
            return f"Content type '{request.mimetype}' is not supported"
    return error.description or error.name


def _without_slash() -> Response:
    """Redirect to the exact path, which has no slash at its end; 308 keeps method and body."""
    location = quote(request.root_path + request.path.rstrip("/"), safe="/-._~!$&'()*+,;=:@")
    query = request.query_string.decode("latin-1")
    return Response(status=308, headers={"Location": f"{location}?{query}" if query else location})
