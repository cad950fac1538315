"""Whose error body a path gets: each API is a face on the same core and says what went wrong in its own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, request
from werkzeug.exceptions import HTTPException

from console.api import problems
from console.core.errors import HookyardError


@dataclass(frozen=True, slots=True)
class Face:
    """How an API answers errors on its paths."""

    answer_error: Callable[[HTTPException | HookyardError], Response]
    answer_crash: Callable[[Exception], Response]


NATIVE = "/api"
_faces: dict[str, Face] = {NATIVE: Face(problems.answer_error, problems.answer_crash)}


def register(prefix: str, face: Face) -> None:
    """Let *face* answer for *prefix* (no slash at its end) and everything below it; the longest prefix wins."""
    _faces[prefix] = face


def owns(path: str) -> bool:
    """Say whether *path* belongs to an API, and not to the console's pages."""
    return _prefix_of(path) is not None


def answer_error(error: HTTPException | HookyardError) -> Response:
    """Answer a known error as the API of this request does."""
    return _face().answer_error(error)


def answer_crash(error: Exception) -> Response:
    """Answer an error nobody expected; it has been logged."""
    return _face().answer_crash(error)


def _face() -> Face:
    return _faces[_prefix_of(request.path) or NATIVE]


def _prefix_of(path: str) -> str | None:
    matching = [prefix for prefix in _faces if path == prefix or path.startswith(f"{prefix}/")]
    return max(matching, key=len, default=None)
