"""The fields of an event type, and what is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from console.core.errors import FieldError, Refused
from console.core.patterns import check_catalogue_name
from console.core.schemas import Schema

LONGEST_DESCRIPTION = 2000


MOST_GROUPS = 20


LARGEST_JSON = 256 * 1024


_GROUP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._ -]{0,98}[A-Za-z0-9])?", re.ASCII)


FIELDS = ("groups", "description", "sample", "schema", "validate", "deprecated")


def wrong_name(name: str) -> list[FieldError]:
    """Return what is wrong with the *name* of a new type."""
    try:
        check_catalogue_name(name)
    except Refused as error:
        return [FieldError("/name", error.code, error.message)]
    return []


def wrong_fields(fields: Mapping[str, Any], *, before: Mapping[str, Any]) -> list[FieldError]:
    """Give what is wrong with *fields*, any of ``FIELDS``, in a type whose fields were *before*."""
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise TypeError(f"an event type has no field {', '.join(unknown)}")
    wrong = [_wrong_group(index, name) for index, name in enumerate(fields.get("groups", ()))]
    if len(fields.get("groups", ())) > MOST_GROUPS:
        wrong.append(FieldError("/groups", "too_many", f"A type is in at most {MOST_GROUPS} groups."))
    if len(fields.get("description", "")) > LONGEST_DESCRIPTION or "\x00" in fields.get("description", ""):
        wrong.append(
            FieldError("/description", "too_long", f"A description has at most {LONGEST_DESCRIPTION} characters.")
        )
    wrong += [
        FieldError(f"/{name}", "too_long", "Use at most 256 KiB of JSON.")
        for name in ("sample", "schema")
        if len(json.dumps(fields.get(name))) > LARGEST_JSON
    ]
    if not isinstance(fields.get("schema"), dict | None):
        wrong.append(FieldError("/schema", "type", "A schema is an object, or null for none."))
    elif not isinstance(fields.get("deprecated", False), bool):
        wrong.append(FieldError("/deprecated", "type", "Give true or false."))
    elif fields.keys() & {"schema", "validate"}:
        wrong.append(_wrong_check({**before, **fields}))
    return [error for error in wrong if error is not None]


def _wrong_check(fields: Mapping[str, Any]) -> FieldError | None:
    """Say why payloads cannot be checked although that is asked for. A schema that is only read may be anything."""
    if not isinstance(fields.get("validate", False), bool):
        return FieldError("/validate", "type", "Give true or false.")
    if not fields.get("validate"):
        return None
    if fields.get("schema") is None:
        return FieldError("/validate", "schema_missing", "Give a schema that payloads are to be checked against.")
    try:
        Schema(fields["schema"])
    except Refused as error:
        return FieldError("/schema", error.code, error.message)
    return None


def _wrong_group(index: int, name: Any) -> FieldError | None:
    if isinstance(name, str) and _GROUP.fullmatch(name):
        return None
    words = "The name of a group has 1 to 100 letters, digits, dots, dashes, underscores and spaces."
    return FieldError(f"/groups/{index}", "group_form", words)
