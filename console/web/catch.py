"""The addresses of bins, ``/in/<key>``: anybody may send anything there; it is recorded and answered as told.

No session, no CSRF token, any method. Answers are plain text and never hold anything of the request.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from console.core.errors import Busy, HookyardError, NotFound, TooLarge, TooMany
from console.extensions import collaborators, current_work, db
from console.services.bins import catching
from console.services.bins.bins import WITHIN
from console.services.bins.catching import LARGEST_BODY, Answer

pages = Blueprint("catch", __name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "LINK", "UNLINK")
MISSING = 1000
"""Bytes that an answer which is broken off announces and does not send."""
STATUS: dict[type[HookyardError], int] = {NotFound: 404, TooLarge: 413, TooMany: 429, Busy: 503}


@pages.route("/in/<key>", methods=METHODS, provide_automatic_options=False)
def catch(key: str) -> Response:
    """Record the request and answer as the bin's owner chose."""
    try:
        answer = _caught(key)
    except RequestEntityTooLarge:
        return _plain(f"A bin takes bodies of up to {LARGEST_BODY // 1024} KiB.", status=413)
    except HTTPException as error:  # the body broke off, or is not encoded as it says
        return _plain("The request could not be read.", status=error.code or 400)
    except HookyardError as error:
        response = _plain(error.message, status=STATUS.get(type(error), 500))
        retry_after_s = getattr(error, "retry_after_s", None)
        if retry_after_s is not None:
            response.headers["Retry-After"] = str(retry_after_s)
        return response
    _wait(answer.delay_ms)
    response = _plain(answer.body, status=answer.status)
    response.headers.update(answer.headers)
    if answer.breaks_off:
        response.response = _broken_off(answer.body.encode(), is_begun=answer.breaks_off == WITHIN)
        response.content_length = len(answer.body.encode()) + MISSING
    return response


def _broken_off(body: bytes, *, is_begun: bool) -> Iterator[bytes]:
    """Give what is sent before the connection is closed; the web server takes the error for a peer that has gone."""
    if is_begun:
        yield body or b"."
    raise ConnectionResetError(errno.ECONNRESET, "the bin breaks off, as it was told")


def _caught(key: str) -> Answer:
    request.max_content_length = LARGEST_BODY
    body = request.get_data(cache=False)
    return catching.catch(
        current_work(),
        key=key,
        method=request.method,
        path=request.full_path.rstrip("?"),
        headers=list(request.headers.items()),
        body=body,
    )


def _wait(delay_ms: int) -> None:
    """Wait without a database connection; when too many wait already, answer at once."""
    if delay_ms <= 0:
        return
    with collaborators().waits.one() as may_wait:
        if may_wait:
            db.session.remove()
            time.sleep(delay_ms / 1000)


def _plain(text: str, *, status: int) -> Response:
    response = Response(text, status=status, content_type="text/plain; charset=utf-8")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
