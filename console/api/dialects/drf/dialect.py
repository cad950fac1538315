"""How a request is taken in, in the order that clients rely on, and how errors are answered.

Slash redirect, 406, 401, 403, 405, 404 while the API is switched off; then the view looks its object up (404), reads
the body (415, 400) and its fields.
Routing cannot give this order (it knows the methods before it knows who asks), so every path takes every method and
is served here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from secrets import token_hex
from typing import NoReturn, TypeVar
from urllib.parse import quote

from apiflask import APIBlueprint
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from console.api import auth, faces
from console.api.dialects.drf.answers import NOT_FOUND, ErrorAnswer, answer, empty, not_found
from console.api.problems import STATUS
from console.core.errors import (
    Busy,
    Forbidden,
    HookyardError,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
)
from console.core.permissions import Permission
from console.database import is_busy
from console.extensions import current_work
from console.services.organizations import foreign_apis
from console.services.people.token_use import Principal

View = TypeVar("View", bound=Callable[..., Response])
KEYWORD = "token"
FORBIDDEN = "You do not have permission to perform this action."
THROTTLED = "Request was throttled. Expected available in {} seconds."
UNACCEPTABLE = "Could not satisfy the request Accept header."
BROKEN = "Something broke on our side; it was logged."
INVALID_TOKEN = "Invalid token."  # noqa: S105  a sentence

TOKEN_WORDS: Mapping[str, str] = {
    "token_missing": "Authentication credentials were not provided.",
    "token_empty": "Invalid token header. No credentials provided.",
    "token_spaces": "Invalid token header. Token string should not contain spaces.",
}
"""What is said of a credential, by the code of the error; INVALID_TOKEN of all others."""


@dataclass(frozen=True, slots=True)
class _Offer:
    """A method that a path offers."""

    permission: Permission
    view: Callable[..., Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """An API in the manner of Django REST framework.

    *prefixes* are the paths whose errors it answers. *token_words* are sentences of its own for a refused token, by
    code, *not_found* the one for an object. *field_names* says what it calls the fields of a hook that services refuse.
    *may_enter* gets the principal and the values of the path and says whether that place is open to them (else 403).
    """

    name: str
    prefixes: tuple[str, ...]
    token_words: Mapping[str, str] = field(default_factory=dict)
    not_found: str = NOT_FOUND
    field_names: Mapping[str, str] = field(default_factory=dict)
    may_enter: Callable[[Principal, Mapping[str, str]], bool] | None = None
    blueprint: APIBlueprint = field(init=False)
    _offers: dict[str, dict[str, _Offer]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Make the blueprint, on which ``before_request`` and ``after_request`` functions may be hung."""
        blueprint = APIBlueprint(f"api_{self.name}", __name__, enable_openapi=False)
        object.__setattr__(self, "blueprint", blueprint)

    def on(self, method: str, path: str, *, permission: Permission) -> Callable[[View], View]:
        """Offer *method* (GET: HEAD too) on *path*, which ends with a slash; may be stacked."""

        def register(view: View) -> View:
            self._offers.setdefault(path, {})[method] = _Offer(permission, view)
            return view

        return register

    def install(self, app: Flask) -> None:
        """Register the paths, and who answers their errors."""
        for prefix in self.prefixes:
            faces.register(prefix, faces.Face(self.answer_error, self.answer_crash))
        app.register_blueprint(self.blueprint)
        for number, (path, offers) in enumerate(self._offers.items()):
            endpoint = f"{self.blueprint.name}.path_{number}"
            _add(app, path, endpoint=endpoint, view=self._served(offers))
            _add(app, path.rstrip("/"), endpoint=f"{endpoint}_without_slash", view=_redirect)

    def _served(self, offers: Mapping[str, _Offer]) -> Callable[..., Response]:
        def serve(**values: str) -> Response:
            check_accept()
            principal = enter()
            if self.may_enter is not None and not self.may_enter(principal, values):
                auth.count_request()
                raise ErrorAnswer.detail(403, FORBIDDEN)
            offer = offers.get("GET" if request.method == "HEAD" else request.method)
            number = principal.organization.number
            if offer is None:
                auth.count_request()
                if foreign_apis.is_off(current_work(), organization_number=number, api=self.name):
                    raise not_found()
                _refuse_method(offers)
            auth.check(offer.permission)
            if not foreign_apis.admit(current_work(), organization_number=number, api=self.name):
                raise not_found()
            request.get_data()  # wait for the client now: no transaction is open yet
            return offer.view(**values)

        return serve

    # --- errors -----------------------------------------------------------------------------------------------------

    def answer_error(self, error: HTTPException | HookyardError) -> Response:
        """Answer a known error."""
        if isinstance(error, HTTPException):
            return _answer_http(error)
        if isinstance(error, ErrorAnswer):
            return answer(error.body, error.status, headers=error.headers.items())
        if isinstance(error, Unauthenticated):
            words = {**TOKEN_WORDS, **self.token_words}.get(error.code, INVALID_TOKEN)
            return answer({"detail": words}, 401, headers=[("WWW-Authenticate", "Token")])
        if isinstance(error, Invalid):
            return answer(self._field_errors(error), 400)
        return self._answer_other(error)

    def _answer_other(self, error: HookyardError) -> Response:
        words = {Forbidden: FORBIDDEN, NotFound: self.not_found}.get(type(error), error.message)
        if isinstance(error, TooMany):
            words = THROTTLED.format(error.retry_after_s)
        status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), HTTPStatus(500))
        headers = [("Retry-After", str(error.retry_after_s))] if isinstance(error, TooMany | Busy) else []
        return answer({"detail": words}, status, headers=headers)

    def answer_crash(self, error: Exception) -> Response:
        """Answer an error nobody expected; a database that is busy is no crash."""
        if is_busy(error):
            return self.answer_error(Busy())
        return answer({"detail": BROKEN, "request_id": g.setdefault("request_id", token_hex(6))}, 500)

    def _field_errors(self, error: Invalid) -> dict[str, list[str]]:
        """Name the fields that a service refused as this dialect does."""
        found: dict[str, list[str]] = {}
        for one in error.fields:
            name = one.pointer.split("/")[1] if one.pointer else "non_field_errors"
            found.setdefault(self.field_names.get(name, name), []).append(one.message)
        return found


def _add(app: Flask, path: str, *, endpoint: str, view: Callable[..., Response]) -> None:
    app.url_map.add(app.url_rule_class(path, endpoint=endpoint))  # a rule without methods takes all of them
    app.view_functions[endpoint] = view


def _redirect(**_values: str) -> Response:
    """Send the client to the path with a slash (RFC 9110, section 15.4.9: with the same method and body)."""
    response = empty(308)
    query = request.query_string.decode("latin-1")
    response.location = quote(f"{request.path}/") + (f"?{query}" if query else "")
    return response


def shown_author() -> int | None:
    """Return the number of the only user whose hooks the caller sees; None: those of everybody.

    Staff and tokens with ADMIN see those of everybody. So do service tokens: they belong to the organization, as all of
    its hooks do, and have none of their own.
    """
    caller = auth.principal()
    sees_all = caller.is_service or caller.is_staff or Permission.ADMIN in caller.permissions
    return None if sees_all else caller.user_number


def check_accept() -> None:
    """Raise ErrorAnswer when the client takes no JSON; the most specific range counts (RFC 9110, section 12.5.1)."""
    qualities: dict[str, float] = {}
    for media_range, quality in request.accept_mimetypes:
        kind = media_range.partition(";")[0].strip().lower()
        qualities[kind] = max(quality, qualities.get(kind, 0))
    found = next((qualities[kind] for kind in ("application/json", "application/*", "*/*") if kind in qualities), 0)
    if qualities and not found:
        raise ErrorAnswer.detail(406, UNACCEPTABLE)


def enter() -> Principal:
    """Take the token of this request and keep who it speaks for; raise Unauthenticated."""
    return auth.identify(_token_text(request.headers.get("Authorization", "")))


def _token_text(header: str) -> str:
    words = header.split()
    if not words or words[0].lower() != KEYWORD:
        raise Unauthenticated("There is no token.", code="token_missing")
    if len(words) == 1:
        raise Unauthenticated("The token is empty.", code="token_empty")
    if len(words) > 2:  # noqa: PLR2004  keyword and token
        raise Unauthenticated("The token has spaces.", code="token_spaces")
    return words[1]


def _refuse_method(offers: Mapping[str, _Offer]) -> NoReturn:
    allowed = [name for method in offers for name in ((method, "HEAD") if method == "GET" else (method,))]
    words = f'Method "{request.method}" not allowed.'
    raise ErrorAnswer.detail(405, words, headers={"Allow": ", ".join(allowed)})


def _answer_http(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug raise by themselves."""
    status = HTTPStatus(error.code or 500)
    words = NOT_FOUND if status == HTTPStatus.NOT_FOUND else error.description or status.phrase
    return answer({"detail": words}, status)
