"""Answers in JSON, and the errors that are answers themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from flask import Response, request

from console.core.errors import HookyardError
from console.extensions import collaborators

MEDIA_TYPE = "application/json"
NO_SUCH_PAGE = "Invalid page."
NOT_FOUND = "Not found."


class ErrorAnswer(HookyardError):
    """Ends a request with *status* and *body*, which is JSON; what was written so far is rolled back."""

    code = "dialect"

    def __init__(self, status: int, body: object, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    @classmethod
    def detail(cls, status: int, words: str, *, headers: Mapping[str, str] | None = None) -> ErrorAnswer:
        """Make an answer that is one sentence."""
        return cls(status, {"detail": words}, headers=headers)


def not_found(words: str = NOT_FOUND) -> ErrorAnswer:
    """Make the answer for an object that is not there, or not for the one who asks."""
    return ErrorAnswer.detail(404, words)


def answer(body: object, status: int = 200, *, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Write *body* as compact JSON, its keys in their order."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = Response(text.encode("utf-8", "replace"), status=status, mimetype=MEDIA_TYPE)
    response.headers.extend(headers)
    return response


def empty(status: int = 204) -> Response:
    """Answer without a body."""
    response = Response(status=status)
    del response.headers["Content-Type"]
    return response


def moment(value: datetime | None) -> str | None:
    """Write a time in UTC with six decimals and a Z."""
    return None if value is None else value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def base_url() -> str:
    """Give what absolute URLs of ours start with, without a slash at its end: as configured, else as asked for."""
    return collaborators().settings.base_url or request.url_root.rstrip("/")
