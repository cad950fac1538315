"""Bounds on checking a payload against a schema that somebody else wrote.

Patterns are run by an engine that can be stopped, and all of it ends after ``LONGEST_S`` seconds of this thread's
processor, or fewer if the caller allows less, however busy the machine is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import Any

import regex
from jsonschema import validators
from jsonschema.exceptions import ValidationError

LONGEST_S = 0.5
MOST_UNEVALUATED = 1000


_ends_at: ContextVar[float] = ContextVar("_ends_at")


class TooLong(Exception):
    """The time is over."""


@contextmanager
def bounded_time(seconds: float) -> Iterator[None]:
    """Let what runs within take *seconds* of this thread's processor; then it raises TooLong or TimeoutError."""
    token = _ends_at.set(time.thread_time() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def _left() -> float:
    """Give how many seconds are left; raise _TooLong when none are."""
    left = _ends_at.get() - time.thread_time()
    if left <= 0:
        raise TooLong
    return left


Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


@cache
def bounded(kind: Any) -> Any:
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
def compiled(pattern: str) -> Any:
    """Compile a pattern for the engine that can be stopped; raise regex.error."""
    return regex.compile(pattern)


def _search(pattern: str, text: str) -> bool:
    return compiled(pattern).search(text, timeout=_left()) is not None


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
            raise TooLong
        return keyword(validator, value, instance, schema)

    return run
