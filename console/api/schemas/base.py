"""What inputs and outputs are made of: strict texts, numbers, times, and the parameters of every list."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictStr
from pydantic_core import PydanticCustomError

from console.api.paging import CURSOR, LONGEST_PAGE, USUAL_PAGE
from console.core.errors import Refused
from console.core.moments import OutOfRange, moment_of

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Input(BaseModel):
    """What a caller says. A field that does not exist is an error, and nothing is turned into another type."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    keeps_bytes: ClassVar[bool] = False  # JSON in it is kept as text, so numbers may have any size


class Output(BaseModel):
    """What a caller is told. Never a subclass of an input, and without defaults: every field is always there."""

    model_config = ConfigDict(frozen=True)


def without_defaults(schema: dict[str, Any]) -> None:
    """Take the defaults out of a schema whose absent fields mean: leave it as it is."""
    for field in schema["properties"].values():
        field.pop("default", None)


def _only_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("type", "Give a number.")
    return value


def _only_digits(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        raise PydanticCustomError("type", "Give a whole number.")
    return int(value)


def _decimal(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", value, re.ASCII):
        raise PydanticCustomError("type", "Give a number.")
    return float(value)


def _true_or_false(value: object) -> object:
    if value not in ("true", "false"):
        raise PydanticCustomError("type", "Give true or false.")
    return value == "true"


def _moment(value: object) -> object:
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise PydanticCustomError("time", "Give a time with its zone as in 2026-11-22T09:00:00Z (RFC 3339).")
    try:
        return moment_of(value, zone=UTC)
    except OutOfRange as error:
        raise PydanticCustomError("range", "{words}", {"words": str(error)}) from error
    except ValueError as error:
        raise PydanticCustomError("time", "There is no such time.") from error


def _dashed(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", value):
        raise PydanticCustomError("uuid", "Give an id: a UUID with its dashes.")
    return value


def checked(rule: Callable[[str], None]) -> AfterValidator:
    """Let a rule of the core check a text: its words and codes are better than a pattern's."""

    def check(value: str) -> str:
        try:
            rule(value)
        except Refused as error:
            raise PydanticCustomError(error.code, "{words}", {"words": error.message}) from error
        return value

    return AfterValidator(check)


# Bounds stand before the validator that narrows the type: the other way round they vanish from the schema.
OnlyNumber = BeforeValidator(_only_number)
Id: TypeAlias = Annotated[UUID, BeforeValidator(_dashed)]
Moment: TypeAlias = Annotated[datetime, BeforeValidator(_moment)]

# A query parameter is always text.
QueryNumber = BeforeValidator(_only_digits)
QueryDecimal = BeforeValidator(_decimal)
QueryFlag: TypeAlias = Annotated[bool, BeforeValidator(_true_or_false)]
SearchWords: TypeAlias = Annotated[StrictStr, Field(max_length=200)]


class ListQuery(Input):
    """The parameters of every list."""

    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE), QueryNumber] = Field(
        USUAL_PAGE, description="How many rows a page has at most."
    )
    cursor: Annotated[StrictStr, Field(pattern=CURSOR)] | None = Field(
        None, description="Where the page begins: the next_cursor of the page before."
    )
