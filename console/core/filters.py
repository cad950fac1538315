"""Payload filters: a JMESPath expression that an event's payload must satisfy.

What counts as satisfied is JMESPath's own rule: everything but ``false``, ``null``, and an empty text, list or object.
So 0 satisfies, and a path that leads nowhere does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import ArityError, EmptyExpressionError, JMESPathError, JMESPathTypeError, ParseError
from jmespath.functions import Functions

from console.core.errors import Refused
from console.core.filter_work import evaluate

LONGEST_FILTER = 1000
DEEPEST = 40
LONGEST_SHOWN = 200
_PATH_PARTS = frozenset({"field", "index", "identity", "current", "subexpression", "index_expression"})
_CONDITIONS = frozenset({"comparator", "and_expression", "or_expression", "not_expression", "function_expression"})
_TABLE: dict[str, Any] = Functions.FUNCTION_TABLE


@dataclass(frozen=True, slots=True)
class Reading:
    """What a filter makes of a payload: *passes*, the *value* it gives as JSON, and *problem* when it gives none."""

    passes: bool
    value: str = ""
    problem: str = ""


def check_filter(expression: str) -> None:
    """Raise Refused unless *expression* may be a hook's filter.

    The codes: ``filter_too_long``, ``filter_syntax`` (with the place), ``filter_function`` (unknown, or with another
    number of arguments), ``filter_too_deep``, ``filter_value`` (a bare ``&expression``, which is no value).
    """
    if len(expression) > LONGEST_FILTER:
        raise Refused(f"A filter has at most {LONGEST_FILTER} characters.", code="filter_too_long")
    tree = parse(expression)
    if tree["type"] == "expref":
        raise Refused("An expression behind & is no value; leave the & out.", code="filter_value")
    for node in nodes(tree):
        if node["type"] == "function_expression":
            _check_function(node)


def read(expression: str, payload: Any) -> Reading:
    """Try a filter on a payload, as ``json.loads`` gives it. Never raises: what fails does not pass, with a problem."""
    try:
        value = evaluate(parse(expression), payload)
        shown = _shown(value)
    except Refused as error:
        return Reading(passes=False, problem=error.message)
    except JMESPathError as error:
        return Reading(passes=False, problem=_in_words(error))
    except Exception as error:  # noqa: BLE001 whatever breaks inside: a filter must never fail a publish
        return Reading(passes=False, problem=f"It cannot be applied to this payload ({type(error).__name__}).")
    return Reading(passes=not _is_empty(value), value=shown)


def values_read(expression: str, payload: Any) -> list[tuple[str, str]]:
    """Give each path that the conditions of a filter look at, with the value it has in *payload* as JSON.

    ``total > `10` && paid`` gives ``[("total", "7"), ("paid", "true")]``; paths within projections are left out.
    """
    try:
        tree = parse(expression)
        paths = {written(node): node for node in _paths(tree)}
        return [(path, _shown(evaluate(node, payload))) for path, node in paths.items()]
    except (Refused, JMESPathError, RecursionError):
        return []


# --- reading the expression -----------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def parse(expression: str) -> dict[str, Any]:
    """Give the tree of an expression; raise Refused."""
    _check_literals(expression)
    try:
        tree: dict[str, Any] = jmespath.compile(expression).parsed
    except EmptyExpressionError:
        raise Refused("The filter is empty.", code="filter_syntax") from None
    except RecursionError:
        raise Refused(_TOO_DEEP, code="filter_too_deep") from None
    except ArityError as error:
        raise Refused(f"{error}.", code="filter_function") from None
    except ParseError as error:
        raise Refused(_place(expression, error), code="filter_syntax") from None
    except ValueError as error:  # JMESPathError is one, too
        raise Refused(f"This is not a JMESPath expression: {_first_line(error)}.", code="filter_syntax") from None
    if _depth(tree) > DEEPEST:
        raise Refused(_TOO_DEEP, code="filter_too_deep")
    return tree


_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`((?:[^`\\]|\\.)*)`""")


def _check_literals(expression: str) -> None:
    """Refuse backquoted texts that are no JSON, which JMESPath once took for texts and warns of now."""
    for quoted in _QUOTED.finditer(expression):
        if quoted[1] is None:
            continue
        try:
            json.loads(quoted[1].replace(r"\`", "`"))
        except (ValueError, RecursionError):
            place = f"the backquotes at character {quoted.start() + 1} hold no JSON"
            words = f"This is not a JMESPath expression: {place}; a text stands in single quotes, as in 'EUR'."
            raise Refused(words, code="filter_syntax") from None


_TOO_DEEP = f"Parts of the filter stand in each other more than {DEEPEST} deep; make it flatter."


def _place(expression: str, error: ParseError) -> str:
    """Say where an expression stops being one; characters are counted from 1."""
    position = getattr(error, "lex_position", getattr(error, "lexer_position", 0))
    if position >= len(expression):
        return "This is not a JMESPath expression: it ends too early, something is missing after the last character."
    near = expression[position : position + 20]
    return f"This is not a JMESPath expression: character {position + 1} is not expected, at “{near}”."


def _first_line(error: Exception) -> str:
    return str(error).split("\n", maxsplit=1)[0].rstrip(".:")[:LONGEST_SHOWN]


def nodes(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every node of a tree; the children of a slice are numbers."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(child for child in node["children"] if isinstance(child, dict))


def _depth(tree: dict[str, Any]) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        deepest = max(deepest, depth)
        waiting.extend((child, depth + 1) for child in node["children"] if isinstance(child, dict))
    return deepest


def _check_function(node: dict[str, Any]) -> None:
    name, given = node["value"], len(node["children"])
    if name not in _TABLE:
        raise Refused(
            f"There is no function {name}(); JMESPath has {', '.join(sorted(_TABLE))}.", code="filter_function"
        )
    signature = _TABLE[name]["signature"]
    takes = len(signature)
    is_variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if given < takes or (given > takes and not is_variadic):
        least = "at least " if is_variadic else ""
        words = f"{name}() takes {least}{takes} argument{'' if takes == 1 else 's'}, not {given}."
        raise Refused(words, code="filter_function")


def _paths(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the plain paths from the payload's root that stand in conditions, in the order of the expression."""
    if tree["type"] in _CONDITIONS:
        for child in tree["children"]:
            yield from _paths(child)
    elif is_path(tree):
        yield tree


def is_path(tree: dict[str, Any]) -> bool:
    """Say whether a tree is a plain path from the payload's root."""
    return tree["type"] != "current" and all(node["type"] in _PATH_PARTS for node in nodes(tree))


def written(node: dict[str, Any]) -> str:
    """Write a plain path as it was: ``order.lines[0].sku``."""
    kind = node["type"]
    if kind == "field":
        name: str = node["value"]
        return name if name.isascii() and name.isidentifier() else json.dumps(name, ensure_ascii=False)
    if kind == "index":
        return f"[{node['value']}]"
    if kind in {"current", "identity"}:
        return "@" if kind == "current" else ""
    first, *rest = (written(child) for child in node["children"])
    return first + "".join(part if part.startswith("[") else f".{part}" for part in rest)


# --- what it gives ---------------------------------------------------------------------------------------------------


def _is_empty(value: Any) -> bool:
    return value is None or value is False or (isinstance(value, (str, list, dict)) and not value)


def _shown(value: Any) -> str:
    """Write a value as JSON, cut after so many characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def _in_words(error: JMESPathError) -> str:
    if isinstance(error, JMESPathTypeError):
        takes = " or ".join(sorted(str(kind) for kind in error.expected_types))
        return f"{error.function_name}() takes {takes}, and here it is given {error.actual_type}."
    return f"It cannot be applied to this payload: {_first_line(error)}."
