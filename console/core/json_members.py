"""The parts of a JSON text as they were written.

A payload is stored, signed and sent as the bytes that were received. Here is how it is cut out of the request around
it: numbers keep their digits, objects the order of their keys, texts their escapes.
"""

from __future__ import annotations

import json
import re
from typing import TypeAlias

from console.core.errors import Refused

Parts: TypeAlias = "dict[str, Parts] | list[Parts] | str"

_SPACE = r"[ \t\n\r]*"
_FIRST = re.compile(_SPACE)
_KEY = re.compile(rf'{_SPACE}"((?:[^"\\]|\\.)*)"{_SPACE}:{_SPACE}')
_NEXT = re.compile(rf"{_SPACE}([,\]}}]){_SPACE}")
_EMPTY = re.compile(rf"[\[{{]{_SPACE}[\]}}]")

_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # C: reads one value, says where it ends


def split(text: str, *, depth: int) -> Parts:
    """Take *text* apart: the outer *depth* levels of objects and lists become dicts and lists, the rest stays text.

    ``split('{"a": [1.10], "b": 2}', depth=1)`` is ``{"a": "[1.10]", "b": "2"}``. *text* has passed ``strict_json``;
    here it is only cut, not checked again. Refused (``json_syntax``) is raised where it cannot be cut.
    """
    try:
        return _part(text, _FIRST.match(text).end(), depth=depth)[0]  # type: ignore[union-attr]  # matches always
    except (StopIteration, ValueError, TypeError, AttributeError, IndexError) as error:
        raise Refused("This is not JSON.", code="json_syntax") from error


def _part(text: str, start: int, *, depth: int) -> tuple[Parts, int]:
    """Return the part that begins at *start*, and where it ends."""
    opening = text[start]
    if depth and opening == "{":
        return _members(text, start, depth=depth - 1)
    if depth and opening == "[":
        return _items(text, start, depth=depth - 1)
    end = _scan(text, start)[1]
    return text[start:end], end


def _members(text: str, start: int, *, depth: int) -> tuple[Parts, int]:
    if empty := _EMPTY.match(text, start):
        return {}, empty.end()
    members: dict[str, Parts] = {}
    position, mark = start + 1, ","
    while mark == ",":
        key = _KEY.match(text, position)
        name = key[1]  # type: ignore[index]  # None is no JSON: split() turns it into Refused
        if "\\" in name:
            name = json.loads(f'"{name}"')
        position = key.end()  # type: ignore[union-attr]  # as above
        if depth:
            members[name], end = _part(text, position, depth=depth)
        else:
            end = _scan(text, position)[1]
            members[name] = text[position:end]
        after = _NEXT.match(text, end)
        mark, position = after[1], after.end()  # type: ignore[index,union-attr]  # as above
    return members, position


def _items(text: str, start: int, *, depth: int) -> tuple[Parts, int]:
    if empty := _EMPTY.match(text, start):
        return [], empty.end()
    items: list[Parts] = []
    position, mark = _FIRST.match(text, start + 1).end(), ","  # type: ignore[union-attr]  # matches always
    while mark == ",":
        item, end = _part(text, position, depth=depth)
        items.append(item)
        after = _NEXT.match(text, end)
        mark, position = after[1], after.end()  # type: ignore[index,union-attr]  # as above
    return items, position
