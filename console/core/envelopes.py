"""The bodies of delivered requests: the one place from which they are built.

What each payload format says stands in ``formats``, beside this module; here are the names that others use.
"""

from __future__ import annotations

from console.core.formats import FORMATS, Format, build, extra_headers
from console.core.formats.envelope import MEDIA_TYPES, Body, Envelope, Message, json_text, rfc3339

__all__ = [
    "FORMATS",
    "MEDIA_TYPES",
    "Body",
    "Envelope",
    "Format",
    "Message",
    "build",
    "extra_headers",
    "json_text",
    "rfc3339",
]
