"""Fields of a body: what each takes, and what is said of a value it does not take.

A parser gives the value to keep, or raises Wrong. ``take`` runs those of all fields, so that everything that is wrong
is said at once, in the order of the fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from console.api.dialects.drf.answers import ErrorAnswer
from console.api.dialects.drf.bodies import Given, not_an_object
from console.api.dialects.drf.texts import read_uuid
from console.core.errors import Refused
from console.core.targets import TargetPolicy, check_url

REQUIRED = "This field is required."
NULL = "This field may not be null."
BLANK = "This field may not be blank."
NO_BOOLEAN = "Must be a valid boolean."
NO_STRING = "Not a valid string."
NO_INTEGER = "A valid integer is required."
NO_URL = "Enter a valid URL."
NO_UUID = "Must be a valid UUID."
NUL = "Null characters are not allowed."
NOT_ALLOWED = "This address is not allowed."

TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
INNER = frozenset({"address_denied", "host_name", "host_numeric", "port_denied"})
"""The refusals of a target that are about where it is, and not about how the URL is written."""

_INTEGER = re.compile(r"\s*([+-]?[0-9]+)(?:\.0*)?\s*", re.ASCII)
_MOST_DIGITS = 1000

Parser = Callable[[Any], Any]
Detail = list[str] | dict[str, Any]


class Wrong(Exception):
    """A value is not taken; *detail* is what the answer says of it: sentences, or an object of them by key."""

    def __init__(self, *messages: str, detail: Detail | None = None) -> None:
        super().__init__(*messages)
        self.detail: Detail = list(messages) if detail is None else detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a body. *is_list* and *is_object* say how it is written in a form."""

    name: str
    parse: Parser
    is_required: bool = False
    is_nullable: bool = False
    is_list: bool = False
    is_object: bool = False


def take(given: Given, fields: Iterable[Field], *, is_partial: bool = False) -> dict[str, Any]:
    """Give the fields that were sent, parsed; others are not in it. *is_partial* lets required ones be left out.

    Raise ErrorAnswer with everything that is wrong.
    """
    try:
        return _take(given, fields, is_partial=is_partial)
    except Wrong as error:
        raise ErrorAnswer(400, error.detail) from None


def _take(given: Given, fields: Iterable[Field], *, is_partial: bool = False) -> dict[str, Any]:
    values: dict[str, Any] = {}
    wrong: dict[str, Any] = {}
    for field in fields:
        if not _is_given(given, field):
            if field.is_required and not is_partial:
                wrong[field.name] = [REQUIRED]
            continue
        try:
            values[field.name] = _parsed(given, field)
        except Wrong as error:
            wrong[field.name] = error.detail
    if wrong:
        raise Wrong(detail=wrong)
    return values


def _is_given(given: Given, field: Field) -> bool:
    return given.has_object(field.name) if field.is_object else field.name in given.values


def _parsed(given: Given, field: Field) -> Any:
    if field.is_object:
        value = given.object(field.name)
    elif field.is_list:
        value = given.listed(field.name)
    else:
        value = given.values[field.name]
    if value is None:
        if field.is_nullable:
            return None
        raise Wrong(NULL)
    return field.parse(value)


# --- parsers --------------------------------------------------------------------------------------------------------


def boolean(value: Any) -> bool:
    """Take true and false in their usual spellings."""
    word = value.lower() if isinstance(value, str) else value
    if word in (True, False):  # numbers 1 and 0 too
        return bool(word)
    if isinstance(word, str) and word in TRUE | FALSE:
        return word in TRUE
    raise Wrong(NO_BOOLEAN)


def text(*, max_length: int | None = None, may_be_blank: bool = False) -> Parser:
    """Take text, or a number as its text; white space around it goes."""

    def parse(value: Any) -> str:
        words = as_text(value)
        if not words and not may_be_blank:
            raise Wrong(BLANK)
        if wrong := text_problems(words, max_length=max_length):
            raise Wrong(*wrong)
        return words

    return parse


def as_text(value: Any) -> str:
    """Give the text of a text or a number, trimmed; raise Wrong."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Wrong(NO_STRING)
    return str(value).strip()


def text_problems(words: str, *, max_length: int | None) -> list[str]:
    """Say what is wrong with a text."""
    wrong = []
    if max_length is not None and len(words) > max_length:
        wrong.append(f"Ensure this field has no more than {max_length} characters.")
    if "\x00" in words:
        wrong.append(NUL)
    return wrong


def url(*, policy: TargetPolicy, max_length: int, kept: str | None = None) -> Parser:
    """Take a URL that *policy* allows. *kept* is the present one: it stays, also when the rules are tighter by now."""

    def parse(value: Any) -> str:
        words = as_text(value)
        if not words:
            raise Wrong(BLANK)
        wrong = text_problems(words, max_length=max_length)
        if words != kept:
            try:
                check_url(words, policy=policy)
            except Refused as error:
                wrong.append(NOT_ALLOWED if error.code in INNER else NO_URL)
        if wrong:
            raise Wrong(*wrong)
        return words

    return parse


def integer(*, at_least: int | None = None) -> Parser:
    """Take a whole number, or its digits as text."""

    def parse(value: Any) -> int:
        words = str(value)
        found = _INTEGER.fullmatch(words) if len(words) <= _MOST_DIGITS else None
        if found is None or isinstance(value, bool):
            raise Wrong(NO_INTEGER)
        number = int(found[1])
        if at_least is not None and number < at_least:
            raise Wrong(f"Ensure this value is greater than or equal to {at_least}.")
        return number

    return parse


def choice(options: Collection[str]) -> Parser:
    """Take one of *options*."""

    def parse(value: Any) -> str:
        word = str(value)
        if word not in options:
            raise Wrong(f'"{word}" is not a valid choice.')
        return word

    return parse


def choices(options: Collection[str]) -> Parser:
    """Take a list of *options*, given back sorted and without repetition; the first that is none is named."""
    one = choice(options)

    def parse(value: Any) -> list[str]:
        return sorted({one(item) for item in items(value)})

    return parse


def items(value: Any) -> list[Any]:
    """Give the items of a list, the keys of an object; raise Wrong for anything else."""
    if not isinstance(value, list | dict):
        raise Wrong(f'Expected a list of items but got type "{type(value).__name__}".')
    return list(value)


def uuid(value: Any) -> Any:
    """Take a UUID as text."""
    found = read_uuid(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise Wrong(NO_UUID)
    return found


def dictionary(value: Any) -> dict[str, Any]:
    """Take an object of anything."""
    if not isinstance(value, dict):
        raise Wrong(f'Expected a dictionary of items but got type "{type(value).__name__}".')
    return value


def nested(*fields: Field, joined: Callable[[dict[str, Any]], None] | None = None) -> Parser:
    """Take an object with *fields*; *joined* checks them together, once each is right, and raises Wrong."""

    def parse(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Wrong(detail={"non_field_errors": [not_an_object(value)]})
        values = _take(Given(value), fields)
        if joined is not None:
            try:
                joined(values)
            except Wrong as error:
                raise Wrong(detail={"non_field_errors": error.detail}) from None
        return values

    return parse
