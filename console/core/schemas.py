"""JSON Schemas of event types: whether one can be used, and what of a payload breaks it.

A schema is somebody else's program, too. References stay within it, so nothing is fetched; patterns are run by an
engine that can be stopped; all of it ends after ``LONGEST_S`` seconds of this thread's processor, however busy the
machine is.
Formats (``"format": "date"``) are not checked: by the specification they are remarks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from itertools import islice
from typing import Any

import regex
from jsonschema import validators
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from console.core.errors import FieldError, Refused

MOST_FAULTS = 10
LONGEST_S = 0.5
MOST_UNEVALUATED = 1000
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ends_at: ContextVar[float] = ContextVar("_ends_at")


class Schema:
    """A JSON Schema that payloads can be checked against; raises Refused (``schema_unusable``) for one that cannot.

    *is_known_good*: it was checked when it was stored, and only its draft is looked at.
    """

    def __init__(self, schema: Mapping[str, Any], *, is_known_good: bool = False) -> None:
        kind = validators.validator_for({"$schema": schema.get("$schema", DRAFT)}, default=None)
        if kind is None:
            raise _unusable("its $schema names a draft that is not known here; leave it out for 2020-12")
        plain = {name: value for name, value in schema.items() if name != "$schema"}
        if not is_known_good:
            _check_places(plain)
            _check_form(kind, plain)
        self._validator = _bounded(kind)(plain, registry=Registry())
        if not is_known_good:
            _check_references(self._validator, plain)

    def faults(self, payload: Any) -> list[FieldError]:
        """Say what of *payload* breaks the schema, at most ten things, with pointers into it (RFC 6901).

        One whose check takes too long, or never ends, or leads nowhere, breaks it as a whole (``schema_unchecked``).
        """
        token = _ends_at.set(time.thread_time() + LONGEST_S)
        try:
            found = list(islice(self._validator.iter_errors(payload), MOST_FAULTS))
        except (_TooLong, TimeoutError, RecursionError, Unresolvable) as error:
            why = "a reference in it leads nowhere" if isinstance(error, Unresolvable) else "that takes too long"
            words = f"This payload cannot be checked against the schema of its type: {why}."
            return [FieldError("", "schema_unchecked", words)]
        finally:
            _ends_at.reset(token)
        return [FieldError(_pointer(error.absolute_path), "schema", _in_words(error)) for error in found]


def _unusable(words: str) -> Refused:
    return Refused(f"This cannot be used as a JSON Schema: {words}.", code="schema_unusable")


# --- checking a schema ----------------------------------------------------------------------------------------------


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a schema, itself first, samples and enumerations in it included."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _check_places(schema: dict[str, Any]) -> None:
    """Refuse what the bounds below would not hold for."""
    keys = {name for part in _parts(schema) for name in part}
    if any(isinstance(part.get("$schema"), str) for part in _parts(schema)):
        raise _unusable("$schema may only stand at its top")
    if keys >= {"patternProperties", "unevaluatedProperties"}:
        raise _unusable("patternProperties and unevaluatedProperties are not checked together here; use one of them")
    for part in _parts(schema):
        for name in _REFERENCES:
            if isinstance(part.get(name), str) and not part[name].startswith("#"):
                raise _unusable(f"{_cut(part[name])} leads out of it; copy what it needs into $defs")
        for pattern in [part.get("pattern"), *_keys_of(part.get("patternProperties"))]:
            _check_pattern(pattern)


def _check_form(kind: Any, schema: dict[str, Any]) -> None:
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise _unusable(f"{_pointer(error.absolute_path) or '/'}: {_cut(error.message)}") from None
    except RecursionError:
        raise _unusable("it is nested too deep") from None


def _keys_of(value: Any) -> list[str]:
    return list(value) if isinstance(value, dict) else []


def _check_pattern(pattern: Any) -> None:
    if not isinstance(pattern, str):
        return
    try:
        _compiled(pattern)
    except regex.error as error:
        raise _unusable(f"the pattern {_cut(pattern)} is none ({error.msg})") from None


def _check_references(validator: Any, schema: dict[str, Any]) -> None:
    for part in _parts(schema):
        reference = part.get("$ref")
        if isinstance(reference, str) and not any("$id" in one for one in _parts(schema)):
            try:
                validator._resolver.lookup(reference)  # noqa: SLF001 the only way to try one
            except Unresolvable:
                raise _unusable(f"{_cut(reference)} leads nowhere in it") from None


# --- bounds ---------------------------------------------------------------------------------------------------------


class _TooLong(Exception):
    """The time is over."""


def _left() -> float:
    """Give how many seconds are left; raise _TooLong when none are."""
    left = _ends_at.get() - time.thread_time()
    if left <= 0:
        raise _TooLong
    return left


Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


@cache
def _bounded(kind: Any) -> Any:
    """Make a validator of one draft whose every keyword looks at the time."""
    keywords = {name: _timed(keyword) for name, keyword in {**kind.VALIDATORS, **_own_keywords(kind)}.items()}
    return validators.extend(kind, validators=keywords)


def _timed(keyword: Keyword) -> Keyword:
    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        _left()
        yield from keyword(validator, value, instance, schema) or ()

    return run


def _own_keywords(kind: Any) -> dict[str, Keyword]:
    """Give the keywords that the library runs without bounds: all that use patterns, and those that compare pairs."""
    keywords: dict[str, Keyword] = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
        "unevaluatedItems": _few(kind, "unevaluatedItems"),
        "unevaluatedProperties": _few(kind, "unevaluatedProperties"),
    }
    return {name: keyword for name, keyword in keywords.items() if name in kind.VALIDATORS}


@lru_cache(maxsize=1024)  # tenants write the patterns
def _compiled(pattern: str) -> Any:
    return regex.compile(pattern)


def _search(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(text, timeout=_left()) is not None


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _search(pattern, instance):
        yield ValidationError(pattern)


def _pattern_properties(validator: Any, patterns: dict[str, Any], instance: Any, _schema: Any) -> Iterator[Any]:
    if isinstance(instance, dict):
        for pattern, schema in patterns.items():
            for name, value in instance.items():
                if _search(pattern, name):
                    yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items():
        if name not in known and not any(_search(pattern, name) for pattern in patterns):
            if isinstance(allowed, dict):
                yield from validator.descend(value, allowed, path=name)
            elif not allowed:
                yield ValidationError(name, path=[name])


def _unique_items(_validator: Any, unique: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if unique and isinstance(instance, list) and len({_identity(one) for one in instance}) < len(instance):
        yield ValidationError("")


def _identity(value: Any) -> Any:
    """Give something hashable that is equal for what JSON Schema holds equal: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, list):
        return ("list", *map(_identity, value))
    if isinstance(value, dict):
        return ("dict", frozenset((name, _identity(one)) for name, one in value.items()))
    return (isinstance(value, bool), value)


def _few(kind: Any, name: str) -> Keyword:
    keyword: Keyword = kind.VALIDATORS.get(name)

    def run(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError] | None:
        if isinstance(instance, (list, dict)) and len(instance) > MOST_UNEVALUATED:
            raise _TooLong
        return keyword(validator, value, instance, schema)

    return run


# --- words ----------------------------------------------------------------------------------------------------------


def _pointer(path: Any) -> str:
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def _cut(text: str, length: int = 100) -> str:
    return text if len(text) <= length else f"{text[:length]}…"


def _in_words(error: ValidationError) -> str:
    """Say what is wrong without repeating the payload, which may be large and is the publisher's own."""
    wanted = error.validator_value
    if error.validator == "required":
        missing = [name for name in wanted if name not in error.instance]
        named = re.match(r"'(.*)' is a required property$", error.message)  # the library makes one error of each
        return f"The member {_cut(named[1] if named else ', '.join(missing))} is missing."
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"Give {' or '.join(_KINDS.get(kind, str(kind)) for kind in kinds)}."
    words = _WORDS.get(str(error.validator))
    if words is None:
        return (
            "Nothing may stand here." if error.validator is None else f"The schema's rule {error.validator} is broken."
        )
    return words.format(_cut(str(wanted)) if not isinstance(wanted, list) else _cut(", ".join(map(str, wanted))))


_KINDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_WORDS = {
    "enum": "Give one of: {}.",
    "const": "Only {} may stand here.",
    "pattern": "This does not fit the pattern {}.",
    "minLength": "Give at least {} characters.",
    "maxLength": "Give at most {} characters.",
    "minimum": "Give at least {}.",
    "maximum": "Give at most {}.",
    "exclusiveMinimum": "Give more than {}.",
    "exclusiveMaximum": "Give less than {}.",
    "multipleOf": "Give a multiple of {}.",
    "minItems": "Give at least {} items.",
    "maxItems": "Give at most {} items.",
    "uniqueItems": "No item may stand here twice.",
    "contains": "No item is as the schema wants one to be.",
    "additionalProperties": "The schema knows no such member.",
    "unevaluatedProperties": "The schema knows no such member.",
    "minProperties": "Give at least {} members.",
    "maxProperties": "Give at most {} members.",
    "anyOf": "This fits none of the forms that the schema offers.",
    "oneOf": "This must fit exactly one of the forms that the schema offers.",
    "not": "This has a form that the schema forbids.",
}
