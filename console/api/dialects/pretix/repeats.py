"""Requests that are sent again with the same X-Idempotency-Key: they get the first answer, before any other check.

Only callers with a valid token leave something behind: others are answered the same each time as it is, and must not
be able to fill the database. An answer that asks for another try is not kept.
"""

from __future__ import annotations

import structlog
from apiflask import APIBlueprint
from flask import Response, g, request
from werkzeug.datastructures import Headers

from console.api.dialects.drf import ErrorAnswer
from console.api.dialects.drf.dialect import enter
from console.core.errors import Busy, Unauthenticated
from console.extensions import current_work
from console.services import idempotency

HEADER = "X-Idempotency-Key"
METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
NOT_KEPT = frozenset({401, 409, 429, 500, 503})
CONCURRENT = "Concurrent request with idempotency key."
RETRY_AFTER_S = 5
_log = structlog.get_logger(__name__)


def watch(blueprint: APIBlueprint) -> None:
    """Watch the requests of *blueprint*."""
    blueprint.before_request(_begin)
    blueprint.after_request(_finish)


def _begin() -> Response | None:
    """Answer a request whose key was used before; take the key of one that is new."""
    key = request.headers.get(HEADER)
    if not key or request.method not in METHODS or not request.path.endswith("/"):
        return None  # what is only sent to the path with a slash comes again with the same key
    try:
        token_number = enter().token_number
    except Unauthenticated:
        return None  # answered in its turn
    request.get_data()  # wait for the client now: how long a key may be in progress does not depend on it
    standing = idempotency.begin(
        current_work(), token_number=token_number, credential=request.headers["Authorization"], key=key
    )
    if isinstance(standing, idempotency.InProgress):
        raise ErrorAnswer.detail(409, CONCURRENT, headers={"Retry-After": str(RETRY_AFTER_S)})
    if isinstance(standing, idempotency.Begun):
        g.begun = standing
        return None
    response = Response(standing.body, standing.status)
    response.headers = Headers(standing.headers)
    return response


def _finish(response: Response) -> Response:
    """Keep the answer of a request that began with a key. What was done is done, also when that fails."""
    response.vary.add("Accept")
    begun: idempotency.Begun | None = g.pop("begun", None)
    if begun is None:
        return response
    work = current_work()
    try:
        if response.status_code in NOT_KEPT:
            idempotency.release(work, begun=begun)
        else:
            headers = list(response.headers.items())
            idempotency.keep(work, begun=begun, status=response.status_code, headers=headers, body=response.get_data())
    except Busy:
        _log.warning("an answer could not be kept for its idempotency key", status=response.status_code)
    return response
