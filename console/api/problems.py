"""Errors of the native API: RFC 9457 problem details, with a stable ``code`` and a pointer to each wrong field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from secrets import token_hex
from typing import Any

from flask import Response, g, make_response
from werkzeug.exceptions import HTTPException

from console.core.errors import (
    Busy,
    Conflict,
    FieldError,
    Forbidden,
    HookyardError,
    Invalid,
    KeyUnavailable,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
)
from console.database import is_busy

MEDIA_TYPE = "application/problem+json"
STATUS: Mapping[type[HookyardError], HTTPStatus] = {
    Refused: HTTPStatus.BAD_REQUEST,
    Unauthenticated: HTTPStatus.UNAUTHORIZED,
    Forbidden: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    TooMany: HTTPStatus.TOO_MANY_REQUESTS,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    KeyUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
ROUTING: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request could not be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take that method; the Allow header names those it takes."),
    411: ("length_required", "Send a Content-Length: the web server that Hookyard runs in here does not join chunks."),
    413: ("too_large", "The body is over its limit."),
    415: ("media_type", "Send JSON, as Content-Type: application/json, and not compressed."),
}
"""The code and the sentence of what Flask and Werkzeug raise by themselves."""

CHALLENGES = ('Bearer realm="Hookyard"', 'Token realm="Hookyard"')
_KEPT_HEADERS = frozenset({"Allow", "Retry-After", "Accept-Encoding"})


def answer_error(error: HTTPException | HookyardError) -> Response:
    """Answer a known error."""
    if isinstance(error, HookyardError):
        return _answer_ours(error)
    if error.code is None or error.code < HTTPStatus.BAD_REQUEST:
        return make_response(error.get_response())  # a redirect, which routing raises as an error
    code, detail = ROUTING.get(error.code, ("http_error", error.description or "The request could not be served."))
    headers = [(name, value) for name, value in error.get_headers() if name in _KEPT_HEADERS]
    return problem(error.code, code=code, detail=detail, headers=headers)


def answer_crash(error: Exception) -> Response:
    """Answer an error nobody expected, without any word of what it was; a database that is busy is no crash."""
    if is_busy(error):
        return _answer_ours(Busy())
    detail = "Something broke on our side; it was logged. Try again, and give the request_id to your operator."
    more = {"request_id": g.setdefault("request_id", token_hex(6))}
    return problem(500, code="internal", detail=detail, more=more)


def problem(
    status: int,
    *,
    code: str,
    detail: str,
    more: Mapping[str, Any] | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> Response:
    """Write a problem; *more* are its extension members (RFC 9457, section 3.2)."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "code": code}
    response = Response(json.dumps(body | dict(more or {}), ensure_ascii=False), status=status, mimetype=MEDIA_TYPE)
    response.headers.extend(headers)
    return response


def _answer_ours(error: HookyardError) -> Response:
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), HTTPStatus(500))
    more: dict[str, Any] = {}
    headers: list[tuple[str, str]] = []
    detail = error.message
    if isinstance(error, Invalid):
        more["errors"] = [field_problem(field) for field in error.fields]
        if len(error.fields) > 1:
            detail = f"{len(error.fields)} fields are wrong; errors says which and why."
    if isinstance(error, Forbidden):
        more["permission"] = str(error.permission)
    if isinstance(error, TooMany | Busy):
        headers.append(("Retry-After", str(error.retry_after_s)))
    if isinstance(error, Unauthenticated):
        headers += [("WWW-Authenticate", challenge) for challenge in CHALLENGES]
    return problem(status, code=error.code, detail=detail, more=more, headers=headers)


def field_problem(field: FieldError) -> dict[str, str]:
    """Write what is wrong with one field; *pointer* is RFC 6901, or ``/name`` of a query parameter."""
    return {"detail": field.message, "pointer": field.pointer, "code": field.code}
