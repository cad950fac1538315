"""JSON laid out for reading, without changing it: tokens as they were received, only the space between them is ours."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARACTERS = 64 * 1024
"""Longer texts stay as they are: a page has a budget."""

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>true|false|null)
      | (?P<open>[\[{]) | (?P<close>[\]}]) | (?P<comma>,) | (?P<colon>:)""",
    re.VERBOSE,
)
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text; *kind* is key, string, number, word or punctuation, and the CSS class ``token-KIND``."""

    kind: str
    text: str


def _split(text: str) -> list[tuple[str, str]] | None:
    """Cut *text* into JSON tokens without white space; None when some of it is none."""
    position, parts = 0, []
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            return None
        if match.lastgroup != "space":
            parts.append((match.lastgroup, match.group()))
        position = match.end()
    return parts


def json_tokens(text: str) -> tuple[Token, ...] | None:
    """Return *text* as indented tokens, or None when it is not an object or array, is too long or too deep.

    Numbers, escapes and duplicate keys stay exactly as received. The check is that of a reader's aid: brackets
    balance and every piece is a JSON token; it is no validation.
    """
    if len(text) > MAX_CHARACTERS or not text.lstrip().startswith(("{", "[")):
        return None
    parts = _split(text)
    if parts is None:
        return None
    tokens: list[Token] = []
    closers: list[str] = []
    for index, (kind, piece) in enumerate(parts):
        following = parts[index + 1][0] if index + 1 < len(parts) else ""
        previous = parts[index - 1][0] if index else ""
        if kind == "open":
            closers.append("]" if piece == "[" else "}")
            tokens.append(Token("punctuation", piece if following == "close" else piece + _line(len(closers))))
        elif kind == "close":
            if not closers or closers.pop() != piece:
                return None
            tokens.append(Token("punctuation", piece if previous == "open" else _line(len(closers)) + piece))
        elif kind in ("comma", "colon"):
            tokens.append(Token("punctuation", "," + _line(len(closers)) if kind == "comma" else ": "))
        else:
            tokens.append(Token("key" if kind == "string" and following == "colon" else kind, piece))
        if len(closers) > _MAX_DEPTH:
            return None
    return None if closers else tuple(tokens)


def _line(depth: int) -> str:
    """Return a line break and the indent of *depth*."""
    return "\n" + "  " * depth
