"""The fields of a hook and the rules that each must pass: one place for forms, the API and the dialects."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy import select

from console.core.envelopes import FORMATS
from console.core.errors import FieldError, Invalid, Refused
from console.core.filters import check_filter
from console.core.headers import check_headers, is_sensitive
from console.core.patterns import check_pattern
from console.core.retry_reading import parse_retry
from console.core.signing import check_secret
from console.core.targets import check_url
from console.core.urls import read_url
from console.models import Hook, Source
from console.services.event_types import catalogue
from console.services.hooks import credentials
from console.services.hooks.credentials import Keeper, Kept
from console.services.work import Work


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDraft:
    """What a caller wants a hook to be. UNSET fields keep their value, or take the default in a new hook.

    A value in *headers* may be ``Kept``. *has_new_password* says that the password in *dialect_data* was given now.
    """

    name: Any = UNSET
    url: Any = UNSET
    description: Any = UNSET
    is_active: Any = UNSET
    all_events: Any = UNSET
    event_types: Any = UNSET
    event_groups: Any = UNSET
    sources: Any = UNSET
    content_type: Any = UNSET
    payload_format: Any = UNSET
    headers: Any = UNSET
    filter: Any = UNSET
    retry: Any = UNSET
    timeout: Any = UNSET
    max_in_flight: Any = UNSET
    rate_limit: Any = UNSET
    secret: Any = UNSET
    dialect_data: Any = UNSET
    has_new_password: Any = UNSET


SLOT_SIZE = 8  # requests in flight that one worker may have for a hook
MOST_IN_FLIGHT = 128
LONGEST_TIMEOUT_S = 30
MOST_TYPES = 1000
LONGEST_SECRET = 255


def slots(max_in_flight: int) -> int:
    """Say how many turns a hook has: each is worth up to 8 requests in flight in one worker."""
    return math.ceil(max_in_flight / SLOT_SIZE)


def check(
    work: Work, *, organization_number: int, draft: HookDraft, hook: Hook | None, like: Hook | None = None
) -> dict[str, Any]:
    """Give the column values of what the draft sets (all but the secret); raise Invalid naming every bad field.

    Stored credentials that the draft keeps are those of *hook*, or of *like* when a new hook is to be like that one.
    """
    keeper = _keeper(work, draft, hook or like)
    found = _left_behind(draft, keeper)
    values: dict[str, Any] = {}
    context = _Context(work, organization_number, hook, _payload_format(draft, hook), keeper)
    for field in fields(draft):
        value = getattr(draft, field.name)
        if value is UNSET:
            continue
        try:
            values.update(RULES[field.name](context, value))
        except Refused as error:
            found.append(FieldError(f"/{field.name}", error.code, error.message))
        except Invalid as error:
            found.extend(error.fields)
    if found:
        raise Invalid(*found)
    return values


def destination_of(draft: HookDraft, hook: Hook) -> str:
    """Give the host and port that a hook will have; those it has where ``check`` will refuse the draft's URL."""
    if not isinstance(draft.url, str):
        return hook.destination
    try:
        return read_url(draft.url, allow_http=True).destination
    except Refused:
        return hook.destination


@dataclass(frozen=True, slots=True)
class _Context:
    work: Work
    organization_number: int
    hook: Hook | None
    payload_format: object
    keeper: Keeper


def _keeper(work: Work, draft: HookDraft, hook: Hook | None) -> Keeper:
    """Return what the draft may keep; stored headers are decrypted only when the draft keeps any."""
    if hook is None:
        return Keeper({}, {}, url="", new_url="")
    given = draft.headers if isinstance(draft.headers, dict) else {}
    needs_headers = draft.headers is UNSET or any(isinstance(value, Kept) for value in given.values())
    new_url = draft.url if isinstance(draft.url, str) else hook.url
    is_same = new_url == hook.url and draft.headers is UNSET
    headers = credentials.headers_of(work, hook) if needs_headers and not is_same else {}
    return Keeper(headers, hook.dialect_data, url=hook.url, new_url=new_url)


def _left_behind(draft: HookDraft, keeper: Keeper) -> list[FieldError]:
    """Return an error for each stored credential that the draft would take along to another destination."""
    found = keeper.left_behind() if draft.headers is UNSET else []
    if draft.has_new_password is not True:
        kept = keeper.dialect_data if draft.dialect_data is UNSET else draft.dialect_data
        found += keeper.password_left_behind(kept)
    return found


def _payload_format(draft: HookDraft, hook: Hook | None) -> object:
    """Say which payload format the hook will have."""
    if draft.payload_format is not UNSET:
        return draft.payload_format
    return hook.payload_format if hook is not None else None


def _url(context: _Context, value: Any) -> dict[str, Any]:
    if not isinstance(value, str):
        raise Refused("Give a URL as text.", code="type")
    if context.hook is not None and value == context.hook.url:
        return {}  # an unchanged URL is not refused when the rules have tightened since; the sender still checks
    check_url(value, policy=context.work.settings.target_policy)
    return {"url": value, "destination": read_url(value, allow_http=True).destination}


def _text(name: str, *, limit: int, nullable: bool = False) -> Callable[[_Context, Any], dict[str, Any]]:
    def rule(_context: _Context, value: Any) -> dict[str, Any]:
        if value is None and nullable:
            return {name: None}
        if not isinstance(value, str):
            raise Refused("Give text.", code="type")
        if len(value) > limit:
            raise Refused(f"Use at most {limit} characters.", code="too_long")
        if "\x00" in value:
            raise Refused("Leave out the NUL character.", code="control")
        return {name: value}

    return rule


def _flag(name: str) -> Callable[[_Context, Any], dict[str, Any]]:
    def rule(_context: _Context, value: Any) -> dict[str, Any]:
        if not isinstance(value, bool):
            raise Refused("Give true or false.", code="type")
        return {name: value}

    return rule


def _choice(name: str, choices: Callable[[], list[str]]) -> Callable[[_Context, Any], dict[str, Any]]:
    def rule(_context: _Context, value: Any) -> dict[str, Any]:
        allowed = choices()
        if value not in allowed:
            raise Refused(f"Choose one of {', '.join(allowed)}.", code="choice")
        return {name: value}

    return rule


def _strings(value: Any, what: str) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise Refused(f"Give a list of {what}.", code="type")
    if len(value) > MOST_TYPES:
        raise Refused(f"Give at most {MOST_TYPES}.", code="too_many")
    return list(dict.fromkeys(value))


def _event_types(_context: _Context, value: Any) -> dict[str, Any]:
    names = _strings(value, "event types and patterns")
    wrong: list[FieldError] = []
    for index, name in enumerate(names):
        try:
            check_pattern(name)
        except Refused as error:
            wrong.append(FieldError(f"/event_types/{index}", error.code, error.message))
    if wrong:
        raise Invalid(*wrong)
    return {"event_types": names}


def _event_groups(context: _Context, value: Any) -> dict[str, Any]:
    names = _strings(value, "event groups")
    known = catalogue.group_names(context.work, organization_number=context.organization_number)
    wrong = [
        FieldError(f"/event_groups/{index}", "unknown_group", f"There is no event group {name}.")
        for index, name in enumerate(names)
        if name not in known
    ]
    if wrong:
        raise Invalid(*wrong)
    return {"event_groups": names}


def _sources(context: _Context, value: Any) -> dict[str, Any]:
    if value is None:
        return {"sources": None}
    slugs = _strings(value, "source slugs, or null for any source")
    known = set(
        context.work.session.scalars(
            select(Source.slug).where(Source.organization_number == context.organization_number, Source.slug.in_(slugs))
        )
    )
    wrong = [
        FieldError(f"/sources/{index}", "unknown_source", f"There is no source {slug}.")
        for index, slug in enumerate(slugs)
        if slug not in known
    ]
    if wrong:
        raise Invalid(*wrong)
    return {"sources": slugs}


def _headers(context: _Context, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(item, str | Kept) for item in value.values()):
        raise Refused("Give an object of header names and text values.", code="type")
    headers, wrong = context.keeper.resolve(value)
    wrong += [
        credentials.about_header(name, f"Type the value of {name}, or remove the header.")
        for name, text in headers.items()
        if text == "" and value[name] == "" and is_sensitive(name)
    ]
    try:
        check_headers(headers, allow_content_type=context.payload_format == "oms")
    except Refused as error:
        wrong.append(FieldError("/headers", error.code, error.message))
    if wrong:
        raise Invalid(*wrong)
    return {"sealed_headers": context.work.keys.seal(json.dumps(headers)) if headers else None}


def _retry(_context: _Context, value: Any) -> dict[str, Any]:
    parse_retry(value)
    return {"retry": value}


def _integer(
    name: str, column: str, *, low: int, high: int, nullable: bool
) -> Callable[[_Context, Any], dict[str, Any]]:
    def rule(_context: _Context, value: Any) -> dict[str, Any]:
        if value is None and nullable:
            return {column: None}
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused("Give a whole number.", code="type")
        if not low <= value <= high:
            raise Refused(f"Choose {name} from {low} to {high}.", code="range")
        return {column: value}

    return rule


def _rate_limit(_context: _Context, value: Any) -> dict[str, Any]:
    if value is None:
        return {"rate_limit": None}
    if not isinstance(value, dict) or set(value) != {"count", "seconds"}:
        raise Refused('Give {"count": …, "seconds": …}, or null for no limit.', code="type")
    wrong: list[FieldError] = []
    for name, high in (("count", 100_000), ("seconds", 86_400)):
        number = value[name]
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= high:
            wrong.append(FieldError(f"/rate_limit/{name}", "range", f"Give a whole number from 1 to {high}."))
    if wrong:
        raise Invalid(*wrong)
    return {"rate_limit": value}


def _filter(_context: _Context, value: Any) -> dict[str, Any]:
    if value is None:
        return {"filter": None}
    if not isinstance(value, str):
        raise Refused("Give a JMESPath expression as text, or null for no filter.", code="type")
    expression = value.strip()
    if expression:
        check_filter(expression)
    return {"filter": expression or None}


def _secret(_context: _Context, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_SECRET:
        raise Refused(f"Give a secret of 1 to {LONGEST_SECRET} characters.", code="secret")
    check_secret(value)
    return {}


def _dialect_data(_context: _Context, value: Any) -> dict[str, Any]:
    return {"dialect_data": value}


RULES: dict[str, Callable[[_Context, Any], dict[str, Any]]] = {
    "name": _text("name", limit=200),
    "url": _url,
    "description": _text("description", limit=2000, nullable=True),
    "is_active": _flag("is_active"),
    "all_events": _flag("all_events"),
    "event_types": _event_types,
    "event_groups": _event_groups,
    "sources": _sources,
    "content_type": _choice("content_type", lambda: ["json", "form"]),
    "payload_format": _choice("payload_format", lambda: sorted(FORMATS)),
    "headers": _headers,
    "filter": _filter,
    "retry": _retry,
    "timeout": _integer("a timeout in seconds", "timeout_s", low=1, high=LONGEST_TIMEOUT_S, nullable=True),
    "max_in_flight": _integer("a number", "max_in_flight", low=1, high=MOST_IN_FLIGHT, nullable=False),
    "rate_limit": _rate_limit,
    "secret": _secret,
    "dialect_data": _dialect_data,
    "has_new_password": lambda _context, _value: {},
}
