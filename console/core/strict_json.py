"""JSON from outside, read strictly.

``json.loads`` takes NaN, duplicate keys and lone surrogates, and deep nesting ends in a RecursionError. RFC 8259 warns
of all of them and receivers differ about them, so a payload that has them is refused where it comes in. So is one with
more values than are worth their memory: a value takes some 60 to 200 bytes, however few it has in the text.
"""

from __future__ import annotations

import json
import math
import re
from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from typing import NoReturn

from console.core.errors import Refused

MAX_DEPTH = 64
MOST_VALUES = 500_000
"""Objects, lists, texts, numbers, true, false and null that one JSON text may hold."""

_CHUNK = 1024 * 1024
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_AS_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # +1 and -1 as signed bytes
_LONE_SURROGATE = re.compile(
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD])[c-fC-F])"
)


def load(data: bytes, *, max_depth: int = MAX_DEPTH, takes_any_number: bool = False) -> object:
    """Return what *data* says, or raise Refused.

    *takes_any_number* lets numbers such as 1e400 pass, which no float holds: right where only the text is kept.

    The codes: ``json_encoding`` (no UTF-8, or a byte order mark), ``json_values`` (more than ``MOST_VALUES``),
    ``json_depth`` (more than *max_depth* brackets in each other), ``json_syntax``, ``json_number`` (NaN, Infinity, or
    too large to hold), ``json_duplicate_key``, ``json_surrogate`` and ``json_nul`` (escapes that no text may hold).
    """
    text = _decoded(data)
    plain = data.replace(rb"\\", b"__")  # from here on a backslash begins an escape, and is no character
    _check_structure(plain, max_depth=max_depth)
    value = _parsed(text, decoder=_LENIENT if takes_any_number else _DECODER, max_depth=max_depth)
    if rb"\u" in plain:
        if rb"\u0000" in plain:
            _refuse("json_nul", r"A text contains \u0000, which databases and receivers refuse; remove it.")
        if _LONE_SURROGATE.search(plain):
            _refuse("json_surrogate", "A text contains half of a surrogate pair; write both halves or neither.")
    return value


def _refuse(code: str, message: str) -> NoReturn:
    raise Refused(message, code=code)


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"JSON must be UTF-8; byte {error.start} is not.", code="json_encoding") from None
    if text.startswith("\ufeff"):
        _refuse("json_encoding", "JSON must not begin with a byte order mark; save it as UTF-8 without one.")
    return text


def _check_structure(plain: bytes, *, max_depth: int) -> None:
    """Refuse too many values, or brackets too deep in each other; *plain* has no escaped backslashes left.

    Everything is done by whole-buffer operations: a loop over characters would take 50 ms for 256 KiB. What comes
    after a syntax error may be counted wrongly, but no parser gets there.
    """
    values, depth, deepest = 1, 0, 0
    for part in _outside_texts(plain):
        values += part.count(b",") + part.count(b"[") + part.count(b"{") - part.count(b"[]") - part.count(b"{}")
        if values > MOST_VALUES:
            _refuse("json_values", f"There are more than {MOST_VALUES:,} values in it; send them in smaller parts.")
        steps = array("b", part.translate(None, _NOT_BRACKETS).translate(_AS_STEPS))
        deepest = max(accumulate(steps, initial=depth))
        depth += sum(steps)
        if deepest > max_depth:
            _refuse("json_depth", f"Objects and lists may stand in each other at most {max_depth} deep.")


def _outside_texts(plain: bytes) -> Iterator[bytes]:
    """Yield what is outside of texts, with a quote for each text.

    It comes a part at a time: split at once, many short texts would fill the memory.
    """
    unescaped = plain.replace(rb"\"", b"")
    is_inside = False
    for start in range(0, len(unescaped), _CHUNK):
        pieces = unescaped[start : start + _CHUNK].split(b'"')
        yield b'"'.join(pieces[is_inside::2])
        is_inside ^= len(pieces) % 2 == 0


def _parsed(text: str, *, decoder: json.JSONDecoder, max_depth: int) -> object:
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refused(f"This is not JSON: {error.msg}, at {place}.", code="json_syntax") from None
    except ValueError:  # int() reads at most 4300 digits
        raise Refused("A number is too large to hold.", code="json_number") from None
    except RecursionError:  # only a *max_depth* beyond Python's own limit leads here
        raise Refused(f"This is nested too deep to read ({max_depth}).", code="json_depth") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        _refuse("json_duplicate_key", f"The key {json.dumps(twice[:80])} stands twice in one object; keep one.")
    return members


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        _refuse("json_number", "A number is too large to hold.")
    return number


def _no_number(name: str) -> NoReturn:
    _refuse("json_number", f"{name} is no JSON; use null or a text.")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_number)
_LENIENT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_number)
