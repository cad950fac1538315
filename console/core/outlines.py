"""A JSON Schema as a tree for readers: members with their kind, whether they must be there, what is asked of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEEPEST = 8
MOST_NODES = 300
LONGEST = 120
_RULES = {
    "const": "only {}",
    "format": "{}",
    "pattern": "like {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "{} items or more",
    "maxItems": "{} items or fewer",
    "minProperties": "{} members or more",
    "maxProperties": "{} members or fewer",
}


@dataclass(frozen=True, slots=True)
class Node:
    """One place of a payload; *rules* are remarks such as ``at most 10 characters``."""

    name: str
    kind: str
    is_required: bool
    description: str
    rules: tuple[str, ...]
    children: tuple[Node, ...]


def outline(schema: Mapping[str, Any]) -> Node:
    """Lay a schema out, whether it can be used for checking or not; what is too deep or too much is left out."""
    return _Layout(schema).node("", schema, is_required=True, depth=0, path=())


class _Layout:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._left = MOST_NODES

    def node(self, name: str, schema: Any, *, is_required: bool, depth: int, path: tuple[str, ...]) -> Node:
        """Lay out one place; *path* are the references that led here, none of which is followed again."""
        self._left -= 1
        part, path = self._followed(schema, path)
        children: tuple[Node, ...] = ()
        if depth < DEEPEST:
            children = tuple(self._children(part, depth=depth + 1, path=path))
        return Node(name, _kind(part), is_required, _text(part.get("description")), _rules(part), children)

    def _followed(self, schema: Any, path: tuple[str, ...]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Give what a reference within the schema leads to, with what stands beside it."""
        part = schema if isinstance(schema, Mapping) else {}
        reference = part.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#") or reference in path:
            return part, path
        target: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if step and isinstance(target, Mapping):
                target = target.get(key)
        return ({**target, **part} if isinstance(target, Mapping) else part), (*path, reference)

    def _children(self, part: Mapping[str, Any], *, depth: int, path: tuple[str, ...]) -> list[Node]:
        required = part.get("required")
        needed = (
            set(required) if isinstance(required, list) and all(isinstance(one, str) for one in required) else set()
        )
        found: list[tuple[str, Any, bool]] = []
        for key, optional in (("properties", False), ("patternProperties", True)):
            members = part.get(key)
            if isinstance(members, Mapping):
                found += [
                    (f"/{name}/" if optional else str(name), one, name in needed) for name, one in members.items()
                ]
        items = part.get("items")
        if isinstance(items, Mapping):
            found.append(("each item", items, True))
        for key, words in (("prefixItems", "item"), ("allOf", "and"), ("anyOf", "either"), ("oneOf", "one of")):
            forms = part.get(key)
            if isinstance(forms, list):
                found += [
                    (f"{words} {place}" if key == "prefixItems" else words, one, True)
                    for place, one in enumerate(forms)
                ]
        return [
            self.node(name, one, is_required=is_required, depth=depth, path=path)
            for name, one, is_required in found
            if self._left > 0
        ]


def _kind(part: Mapping[str, Any]) -> str:
    kind = part.get("type")
    if isinstance(kind, list):
        return " or ".join(map(str, kind))
    if isinstance(kind, str):
        return kind
    if isinstance(part.get("enum"), list):
        return f"one of {_cut(', '.join(_text(one) for one in part['enum']))}"
    return "object" if "properties" in part else "array" if "items" in part else "any"


def _rules(part: Mapping[str, Any]) -> tuple[str, ...]:
    rules = [words.format(_text(part[name])) for name, words in _RULES.items() if name in part]
    if isinstance(part.get("enum"), list) and "type" in part:
        rules.insert(0, "one of " + _cut(", ".join(_text(one) for one in part["enum"])))
    if part.get("additionalProperties") is False:
        rules.append("no other members")
    if part.get("uniqueItems") is True:
        rules.append("no item twice")
    if part.get("deprecated") is True:
        rules.append("deprecated")
    return tuple(rules)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
