"""Pages without the indentation of their templates: it is a third of their bytes, and nobody reads it."""

from __future__ import annotations

import re

from jinja2.ext import Extension

_INDENTATION = re.compile(r"\n[ \t]+")


class Unindented(Extension):
    """Takes the indentation out of a template before it is compiled; lines keep their numbers.

    What templates print keeps its own. A line of a template inside ``<pre>`` or ``<textarea>`` would lose it.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 Jinja's
        """Give the *source* that is compiled."""
        return _INDENTATION.sub("\n", source)
