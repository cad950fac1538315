"""What a request brings: a JSON object, or the fields of a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from console.api.dialects.drf.answers import MEDIA_TYPE, ErrorAnswer
from console.core import strict_json
from console.core.errors import Refused

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Given:
    """The fields that were sent, by name. In a form every value is text, and a key that was repeated a list."""

    values: Mapping[str, Any]
    is_form: bool = False

    def listed(self, name: str) -> Any:
        """Give a field that is meant to be a list: in a form, a key that stands there once makes one of one item."""
        value = self.values[name]
        return [value] if self.is_form and isinstance(value, str) else value

    def has_object(self, name: str) -> bool:
        """Say whether a field that is meant to be an object was sent, in a form as ``name`` or as ``name.key``."""
        return name in self.values or (self.is_form and any(key.startswith(f"{name}.") for key in self.values))

    def object(self, name: str) -> Any:
        """Give a field that is meant to be an object: in a form it is JSON text, or one field for each key."""
        if not self.is_form:
            return self.values[name]
        if name not in self.values:
            return _tree({key: value for key, value in self.values.items() if key.startswith(f"{name}.")})[name]
        text = self.values[name]
        try:
            return strict_json.load(text.encode()) if isinstance(text, str) else text
        except Refused:
            return text


def body() -> Given:
    """Read the body of this request; raise ErrorAnswer for a type that is not taken, or what is no object."""
    data = request.get_data()
    if not data:
        return Given({})
    if request.mimetype == FORM:
        return Given(_form(), is_form=True)
    if request.mimetype != MEDIA_TYPE:
        kind = request.headers.get("Content-Type", "")
        raise ErrorAnswer.detail(415, f'Unsupported media type "{kind}" in request.')
    return Given(as_object(_json(data)))


def as_object(value: object) -> Mapping[str, Any]:
    """Give *value* when it is an object; raise ErrorAnswer."""
    if isinstance(value, Mapping):
        return value
    words = not_an_object(value) if value is not None else "No data provided"
    raise ErrorAnswer(400, {"non_field_errors": [words]})


def not_an_object(value: object) -> str:
    """Say what *value* is instead."""
    return f"Invalid data. Expected a dictionary, but got {type(value).__name__}."


def _json(data: bytes) -> object:
    try:
        return strict_json.load(data)
    except Refused as error:
        raise ErrorAnswer.detail(400, f"JSON parse error - {error.message}") from None


def _form() -> dict[str, Any]:
    return {name: values if len(values) > 1 else values[0] for name, values in request.form.lists()}


def _tree(values: Mapping[str, Any]) -> dict[str, Any]:
    """Make objects of dotted keys: ``{"a.b": 1}`` becomes ``{"a": {"b": 1}}``."""
    root: dict[str, Any] = {}
    for path, value in values.items():
        *parents, last = path.split(".", maxsplit=8)
        branch = root
        for name in parents:
            below = branch.get(name)
            if not isinstance(below, dict):
                below = branch[name] = {}
            branch = below
        branch[last] = value
    return root
