"""What an event is about, in a few words, so that rows of a list can be told apart.

The object that its publisher named, else the first fields of the payload. Only the beginning of a payload is read: a
list shows fifty of them, and each may have 256 KiB. Values of fields whose name speaks of a secret are masked.
"""

from __future__ import annotations

import json
import re
from itertools import islice

from console.core.headers import is_sensitive
from console.core.redact import MASK, redact_text

PREFIX = 400
"""Bytes of the payload that are looked at."""
LONGEST = 120
MOST_FIELDS = 3
LONGEST_VALUE = 40

_TEXT = r'"(?:[^"\\]|\\.){0,200}"'
_FIELD = re.compile(rf"({_TEXT})\s*:\s*({_TEXT}|-?[0-9][0-9.eE+-]{{0,30}}|true|false)(?=\s*[,}}\]])")


def about(*, source: str | None, model: str | None, pk: str | None, key: str | None, payload: bytes | None) -> str:
    """Return what an event is about; *payload* is its beginning, *key* the id that its publisher chose."""
    named = f"{model} {pk}" if pk and model else pk
    what = named or _fields(payload or b"") or key
    return _shortened(" · ".join(filter(None, (source, what))), LONGEST)


def _fields(beginning: bytes) -> str:
    """Return the first fields of a JSON text, at whatever depth, or the text itself where it has none."""
    text = beginning.decode("utf-8", "ignore")
    found = (one.groups() for one in _FIELD.finditer(text))
    fields = [(_read(name), _read(value)) for name, value in islice(found, MOST_FIELDS)]
    if fields:
        return ", ".join(f"{name} {MASK if is_sensitive(name) else value}" for name, value in fields)
    return "" if text.strip() in {"{}", "[]", "null", '""'} else _plain(text)


def _read(text: str) -> str:
    """Return what a JSON text or number says, as it is shown."""
    try:
        value = json.loads(text) if text.startswith('"') else text
    except ValueError:
        value = text
    return _plain(str(value))


def _plain(text: str) -> str:
    # Half of a pair of surrogates is valid JSON and cannot be sent to a browser.
    words = " ".join(text.encode("utf-8", "replace").decode().split())
    return _shortened(redact_text(words), LONGEST_VALUE)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
