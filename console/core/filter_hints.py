"""Hints for a filter that is one and yet does not say what its author means: JMESPath's quotes and kinds of values.

An ordering compares numbers only and gives null for anything else; values of two kinds are never equal; and what
stands in double quotes is the name of a field, not a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jmespath.exceptions import JMESPathError

from console.core.errors import Refused
from console.core.filter_work import evaluate
from console.core.filters import is_path, nodes, parse, written

_ORDERINGS = frozenset({"gt", "gte", "lt", "lte"})
_SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "ne": "!="}
_KINDS: Mapping[type, str] = {str: "a text", list: "a list", dict: "an object"}
_LONGEST_TEXT = 40


def hints(expression: str, payload: Any = None) -> list[str]:
    """Give a sentence for each comparison that can hardly be meant; the kinds of values are those in *payload*."""
    try:
        return list(dict.fromkeys(_hints(expression, payload)))
    except (Refused, JMESPathError, RecursionError, ValueError):
        return []


def _hints(expression: str, payload: Any) -> Iterator[str]:
    for node in nodes(parse(expression)):
        if node["type"] != "comparator":
            continue
        left, right = node["children"]
        for path, other in ((left, right), (right, left)):
            if not is_path(path):
                continue
            if other["type"] == "literal":
                yield from _kinds(path, other["value"], sign=node["value"], payload=payload)
            elif is_path(other):
                yield from _unquoted(other, beside=path, expression=expression, payload=payload)


def _kinds(path: dict[str, Any], wanted: Any, *, sign: str, payload: Any) -> Iterator[str]:
    """Compare the kind of a literal with that of what stands in the payload."""
    found, name = evaluate(path, payload), written(path)
    is_ordering = sign in _ORDERINGS
    if found is None:
        if is_ordering and isinstance(wanted, str):
            yield f"{_SIGNS[sign]} compares numbers only, and {_literal(wanted)} is a text.{_as_number(wanted)}"
        return
    if _kind(found) == _kind(wanted) and not (is_ordering and not _is_number(wanted)):
        return
    what = f"{name} is {_kind(found)} here, and {_literal(wanted)} is {_kind(wanted)}"
    if is_ordering and isinstance(found, str):
        yield f"{name} is a text here, and {_SIGNS[sign]} compares numbers only: write to_number({name})."
    elif _is_number(found) and isinstance(wanted, str):
        yield f"{what}.{_as_number(wanted)}"
    elif isinstance(found, str) and _is_number(wanted):
        yield f"{what}, so they are never equal: write '{json.dumps(wanted)}'."
    elif is_ordering:
        yield f"{what}: {_SIGNS[sign]} compares numbers only."
    elif wanted is not None:
        yield f"{what}, so they are never equal."


def _unquoted(side: dict[str, Any], *, beside: dict[str, Any], expression: str, payload: Any) -> Iterator[str]:
    """Point at a field that is not there and may have been meant as a text."""
    if side["type"] != "field" or evaluate(side, payload) is not None:
        return
    name = side["value"]
    if f'"{name}"' in expression:
        yield f"\"{name}\" in double quotes is the name of a field, not a text: write '{name}'."
    elif evaluate(beside, payload) is not None:
        yield f"{name} is read as the name of a field, and there is none here. For the text write '{name}'."


def _as_number(text: str) -> str:
    try:
        float(text)
    except ValueError:
        return ""
    return f" Write `{text}`, in backquotes, for the number."


def _literal(value: Any) -> str:
    shown = f"'{value}'" if isinstance(value, str) else f"`{json.dumps(value, ensure_ascii=False)}`"
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if value is None:
        return "null"
    return next((words for kind, words in _KINDS.items() if isinstance(value, kind)), "a number")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
