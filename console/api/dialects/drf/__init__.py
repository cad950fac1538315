"""What the dialects of systems built with Django REST framework share.

That is the order in which a request is checked, and the very words and shapes of the answers.

``Dialect`` takes requests in and answers errors, ``body`` reads what was sent, ``fields`` holds parsers of its fields,
``Filters`` and ``page_of`` read the query of a list.
"""

from __future__ import annotations

from console.api.auth import organization_number, principal
from console.api.dialects.drf import fields
from console.api.dialects.drf.answers import ErrorAnswer, answer, base_url, empty, moment, not_found
from console.api.dialects.drf.bodies import Given, body
from console.api.dialects.drf.dialect import Dialect, shown_author
from console.api.dialects.drf.fields import Field, Wrong, take
from console.api.dialects.drf.lists import Filters, Page, page_of
from console.api.dialects.drf.texts import read_number, read_uuid

__all__ = [
    "Dialect",
    "ErrorAnswer",
    "Field",
    "Filters",
    "Given",
    "Page",
    "Wrong",
    "answer",
    "base_url",
    "body",
    "empty",
    "fields",
    "moment",
    "not_found",
    "organization_number",
    "page_of",
    "principal",
    "read_number",
    "read_uuid",
    "shown_author",
    "take",
]
