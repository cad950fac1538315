"""What comes in, read strictly: bodies of known size in plain JSON, queries that name a parameter once."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping
from threading import BoundedSemaphore
from typing import Any, TypeVar, cast

from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request, current_app, g, request
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import ErrorDetails
from werkzeug.exceptions import LengthRequired, UnsupportedMediaType

from console.api.schemas.base import Input
from console.core import json_members, strict_json
from console.core.errors import Busy, FieldError, Invalid, Refused, TooLarge
from console.extensions import collaborators
from console.services.events.event_drafts import LONGEST_PAYLOAD

View = TypeVar("View", bound=Callable[..., Any])
KIB = 1024
MIB = 1024 * KIB
LARGEST_BODY = MIB
MOST_LARGER = 2
"""Bodies over 1 MiB that a process reads at the same time: each may take some 150 MB of memory."""
PATIENCE_S = 2.0
"""So long a larger body waits for its turn, if a thread may wait at all."""
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

MOST_ERRORS = 100
FIELD_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("required", "This field is required."),
    "extra_forbidden": ("unknown_field", "There is no such field; /docs/api lists those there are."),
    "string_type": ("type", "Give text."),
    "bool_type": ("type", "Give true or false."),
    "list_type": ("type", "Give a list."),
    "dict_type": ("type", "Give an object."),
    "model_type": ("type", "Give an object."),
    "int_from_float": ("type", "Give a whole number."),
    "string_too_short": ("too_short", "Use at least {min_length} character(s)."),
    "string_too_long": ("too_long", "Use at most {max_length} characters."),
    "too_short": ("too_few", "Give at least {min_length}."),
    "too_long": ("too_many", "Give at most {max_length}."),
    "literal_error": ("choice", "Choose one of {expected}."),
    "enum": ("choice", "Choose one of {expected}."),
    "greater_than_equal": ("range", "Use at least {ge}."),
    "less_than_equal": ("range", "Use at most {le}."),
    "string_pattern_mismatch": ("pattern", "This is not of the form that is asked for: {pattern}"),
}
"""pydantic's kinds of errors: the code of ours, and a sentence that takes its context."""


def body_limit(size: int) -> Callable[[View], View]:
    """Take bodies of up to *size* bytes in a view, instead of 1 MiB."""

    def mark(view: View) -> View:
        view.body_limit = size  # type: ignore[attr-defined]  # check_body() reads it
        return view

    return mark


def check_body() -> None:
    """Refuse a body of unknown size, packed, too large or no JSON, before a byte of it is read.

    Hookyard's web server joins the chunks of a body and gives its length; another one may leave that to the app.
    """
    if request.method in WITHOUT_BODY:
        return
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType
    view = current_app.view_functions[str(request.endpoint)]
    limit = getattr(view, "body_limit", LARGEST_BODY)
    request.max_content_length = limit
    length = request.content_length or 0
    if length > limit:
        raise TooLarge(f"The body is over its limit of {limit // MIB} MiB.")
    if length and request.mimetype != "application/json":
        raise UnsupportedMediaType


_larger = BoundedSemaphore(MOST_LARGER)
_trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it


def _take_turn() -> None:
    """Wait until few other larger bodies are being read; raise Busy. ``leave`` ends the turn with the request."""
    if not _larger.acquire(blocking=False):
        with collaborators().waits.one() as may_wait:
            if not (may_wait and _larger.acquire(timeout=PATIENCE_S)):
                raise Busy(
                    "Other large batches are being read; nothing was stored. Try again, or send smaller batches."
                )
    g.has_turn = True


def leave(_error: BaseException | None) -> None:
    """End the turn of a larger body, and give its memory back to the system."""
    if g.pop("has_turn", False):
        _larger.release()
        if _trim is not None:
            _trim(0)


class InOrder(GenerateJsonSchema):
    """Writes JSON Schema without sorting its keys."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002  pydantic's
        """Leave the order."""
        return value


class StrictAdapter(PydanticAdapter):
    """Reads our inputs; those of other models (a dialect's) are read as APIFlask does."""

    def validate_input(self, request: Request, location: str, **kwargs: Any) -> BaseModel:
        """Give the validated model, or raise Invalid with one error a field, or Refused for what is no JSON."""
        if not issubclass(self.model_class, Input):
            return super().validate_input(request, location, **kwargs)
        try:
            return self.model_class.model_validate(_READERS[location](request, self.model_class))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[:MOST_ERRORS]
            raise Invalid(*map(_field_error, found)) from error

    def get_openapi_schema(self, **kwargs: Any) -> dict[str, Any]:
        """Give the JSON Schema with examples and fields in the order in which they were written."""
        return self.model_class.model_json_schema(
            ref_template=f"#/components/schemas/{self.get_schema_name()}.{{model}}",
            schema_generator=InOrder,
            mode=kwargs.get("mode", "validation"),
        )


registry.register("pydantic", StrictAdapter)


def _read_json(request: Request, model: type[Input]) -> object:
    data = request.get_data()
    if not data and not any(field.is_required() for field in model.model_fields.values()):
        return {}
    if len(data) > LARGEST_BODY:
        _take_turn()
    try:
        return strict_json.load(data, takes_any_number=model.keeps_bytes)
    except Refused as error:
        if error.code == "json_values":
            raise TooLarge(error.message, code=error.code) from None
        raise


def _read_query(request: Request, model: type[Input]) -> Mapping[str, str]:  # noqa: ARG001  one signature for all
    for name, values in request.args.lists():
        if len(values) > 1:
            raise Invalid.field(name, f"{name} is given twice; keep one.", code="repeated")
        if "\x00" in values[0]:
            raise Invalid.field(name, "Leave out the NUL character.", code="control")
    return request.args.to_dict()


def _read_headers(request: Request, model: type[Input]) -> Mapping[str, str]:
    names = {name: name.replace("_", "-") for name in model.model_fields}
    return {name: request.headers[header] for name, header in names.items() if header in request.headers}


_READERS: Mapping[str, Callable[[Request, type[Input]], object]] = {
    "json": _read_json,
    "query": _read_query,
    "headers": _read_headers,
}


def _field_error(error: ErrorDetails) -> FieldError:
    known = FIELD_WORDS.get(error["type"])
    if known is None:  # a rule of ours, whose sentence is finished and may quote what was sent, braces and all
        return FieldError(pointer(error["loc"]), error["type"], error["msg"])
    code, words = known
    return FieldError(pointer(error["loc"]), code, words.format(**error.get("ctx", {})))


def pointer(path: Iterable[str | int]) -> str:
    """Write a path into a document as an RFC 6901 pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path if part != "[key]")


def payload_as_sent() -> bytes:
    """Give the very bytes of the member ``payload`` of this request's body."""
    parts = json_members.split(request.get_data().decode(), depth=1)
    payload = cast("dict[str, str]", parts)["payload"].encode()
    if len(payload) > LONGEST_PAYLOAD:
        raise Invalid.field("payload", f"A payload is at most {LONGEST_PAYLOAD // KIB} KiB.", code="too_large")
    return payload
