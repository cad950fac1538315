"""JSON Schemas of event types: whether one can be used, and what of a payload breaks it.

A schema is somebody else's program, too. References stay within it, so nothing is fetched, and ``schema_bounds`` ends
what takes too long.
Formats (``"format": "date"``) are not checked: by the specification they are remarks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import regex
from jsonschema import validators
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from console.core.errors import FieldError, Refused
from console.core.schema_bounds import LONGEST_S, TooLong, bounded, bounded_time, compiled

MOST_FAULTS = 10
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


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
        self._validator = bounded(kind)(plain, registry=_crawled(kind, plain))
        if not is_known_good:
            _check_references(self._validator, plain)

    def faults(self, payload: Any, *, most_s: float = LONGEST_S) -> list[FieldError]:
        """Return what of *payload* breaks the schema, at most ten things, with pointers into it (RFC 6901).

        It takes at most *most_s* seconds of this thread's processor. A payload whose check takes too long, or never
        ends, or leads nowhere, breaks it as a whole (``schema_unchecked``).
        """
        try:
            with bounded_time(most_s):
                found = list(islice(self._validator.iter_errors(payload), MOST_FAULTS))
        except (TooLong, TimeoutError, RecursionError, Unresolvable) as error:
            why = "a reference in it leads nowhere" if isinstance(error, Unresolvable) else "that takes too long"
            words = f"This payload cannot be checked against the schema of its type: {why}."
            return [FieldError("", "schema_unchecked", words)]
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
        compiled(pattern)
    except regex.error as error:
        raise _unusable(f"the pattern {_cut(pattern)} is none ({error.msg})") from None


def _crawled(kind: Any, schema: dict[str, Any]) -> Registry[Any]:
    """Return a registry that knows every anchor of *schema*: without it, each reference would search all of it."""
    resource = specification_with(kind.META_SCHEMA["$schema"]).create_resource(schema)
    registry: Registry[Any] = Registry().with_resource(resource.id() or "", resource)
    return registry.crawl()


def _check_references(validator: Any, schema: dict[str, Any]) -> None:
    parts = list(_parts(schema))
    if any("$id" in part for part in parts):
        return
    for reference in {part["$ref"] for part in parts if isinstance(part.get("$ref"), str)}:
        try:
            validator._resolver.lookup(reference)  # noqa: SLF001 the only way to try one
        except Unresolvable:
            raise _unusable(f"{_cut(reference)} leads nowhere in it") from None


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
