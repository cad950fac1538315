"""WebhookParms: what a caller says about a webhook, read strictly, every bad field named in the order of the fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from console.core import strict_json
from console.core.catalogue import with_wildcards
from console.core.errors import Refused
from console.core.headers import HeaderRefused, check_headers
from console.core.patterns import check_pattern, is_pattern, matches
from console.core.redact import MASK
from console.core.signing import check_secret
from console.core.targets import check_url
from console.core.urls import MAX_URL_LENGTH
from console.services.event_types import catalogue
from console.services.hooks.credentials import Kept
from console.services.hooks.hook_fields import LONGEST_SECRET, MOST_TYPES, UNSET, HookDraft
from console.services.work import Work

LONGEST_NAME = 100
LONGEST_DESCRIPTION = 255
LONGEST_ECHO = 200
"""As much of a wrong name is said back; no right one is longer."""

PRIVATE_TARGET = frozenset({"address_denied", "host_name", "host_numeric", "port_denied", "self_target"})
"""Codes of the target rules for URLs that are well-formed and lead where nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a body is read against: the organization, and url and headers of the hook that it is to replace."""

    work: Work
    organization_number: int
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def read_body() -> dict[str, Any]:
    """Give the JSON object of this request's body; raise UnsupportedMediaType or Refused."""
    data = b"" if request.mimetype else request.get_data()
    if request.mimetype != "application/json" and (request.mimetype or data):
        raise UnsupportedMediaType
    try:
        value = strict_json.load(request.get_data())
    except Refused as error:
        raise Refused("Request body is not valid JSON", code=error.code) from error
    if not isinstance(value, dict):
        raise Refused("Request body must be a JSON object", code="type")
    return value


def draft_of(body: Mapping[str, Any], *, scope: Scope) -> HookDraft:
    """Say what *body* wants a hook to be, absent optional fields at their defaults; raise Refused naming bad fields."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for name, (attribute, rule) in _FIELDS.items():
        try:
            values[attribute] = rule(body.get(name), scope)
        except Refused as error:
            wrong.append(f"{name}: {error.message}")
    if wrong:
        raise Refused("; ".join(wrong), code="invalid")
    return HookDraft(**values)


def _refuse(message: str) -> Refused:
    return Refused(message, code="invalid")


def _text(value: Any, *, limit: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise _refuse("must be a string")
    if len(value) > limit:
        raise _refuse(f"must be at most {limit} characters")
    return value


def _name(value: Any, _scope: Scope) -> str:
    return _text(value, limit=LONGEST_NAME) or ""


def _description(value: Any, _scope: Scope) -> str | None:
    return _text(value, limit=LONGEST_DESCRIPTION)


def _callback_url(value: Any, scope: Scope) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise _refuse("must not be blank")
    if not isinstance(value, str):
        raise _refuse("must be an http or https URL")
    if len(value) > MAX_URL_LENGTH:
        raise _refuse(f"must be at most {MAX_URL_LENGTH} characters")
    if value != scope.url:  # a hook keeps its URL though the rules have tightened since; the sender still checks
        settings = scope.work.settings
        try:
            check_url(value, policy=settings.target_policy)
        except Refused as error:
            if error.code in PRIVATE_TARGET:
                raise _refuse("This address is not allowed.") from error
            raise _refuse(f"must be an {'http or ' if settings.allow_http else ''}https URL") from error
    return value


def _events(value: Any, scope: Scope) -> list[str]:
    if value is None or value == []:
        raise _refuse("must not be empty")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _refuse("must be a list of strings")
    events = list(dict.fromkeys(value))
    if len(events) > MOST_TYPES:
        raise _refuse(f"must be at most {MOST_TYPES}")
    known = catalogue.known_names(scope.work, organization_number=scope.organization_number)
    for event in events:
        if not _is_known(event, known=known):
            raise _refuse(f"unknown event {event[:LONGEST_ECHO]}")
    return events


def _is_known(event: str, *, known: frozenset[str]) -> bool:
    """Say whether a hook may hear *event*: in the catalogue, below a ``.*`` of it, or a wildcard over some of it."""
    try:
        check_pattern(event)
    except Refused:
        return False
    return not known.isdisjoint(with_wildcards(event)) or (
        is_pattern(event) and any(matches(event, name) for name in known)
    )


def _enabled(value: Any, _scope: Scope) -> bool:
    if value is None:
        return True
    if not isinstance(value, bool):
        raise _refuse("must be a boolean")
    return value


def _headers(value: Any, scope: Scope) -> dict[str, str | Kept]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise _refuse("must be an object of strings")
    stored = {name.lower(): text for name, text in scope.headers.items()}
    kept = {name for name, text in value.items() if text == MASK and name.lower() in stored}
    try:
        check_headers({name: stored[name.lower()] if name in kept else text for name, text in value.items()})
    except HeaderRefused as error:
        raise _refuse(f"{error.header[:LONGEST_ECHO]} may not be set") from error
    return {name: Kept(name) if name in kept else text for name, text in value.items()}


def _secret(value: Any, _scope: Scope) -> Any:
    if value is None:
        return UNSET
    if not isinstance(value, str):
        raise _refuse("must be a string")
    if not 1 <= len(value) <= LONGEST_SECRET:
        raise _refuse(f"must be 1 to {LONGEST_SECRET} characters")
    check_secret(value)
    return value


_FIELDS: Mapping[str, tuple[str, Callable[[Any, Scope], Any]]] = {
    "name": ("name", _name),
    "description": ("description", _description),
    "callbackUrl": ("url", _callback_url),
    "events": ("event_types", _events),
    "enabled": ("is_active", _enabled),
    "headers": ("headers", _headers),
    "secret": ("secret", _secret),
}
"""The fields of WebhookParms in their order: what of a hook each one sets, and its rule."""
