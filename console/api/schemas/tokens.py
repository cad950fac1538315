"""Tokens as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StrictStr

from console.api.schemas.base import Input, Moment, OnlyNumber, Output
from console.core.permissions import Permission
from console.services.people.tokens import LONGEST_LIFE_DAYS, LONGEST_NAME


class TokenWrite(Input):
    """A token for the caller's own user, with no more permissions than the caller has."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "shop", "permissions": ["EVENTS:PUBLISH"]}]})

    permissions: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
    name: Annotated[StrictStr, Field(max_length=LONGEST_NAME)] = ""
    expires_in_days: Annotated[int, Field(ge=1, le=LONGEST_LIFE_DAYS), OnlyNumber] | None = Field(
        None, description="Absent, like expires_at: it does not expire."
    )
    expires_at: Moment | None = Field(None, description="Instead of expires_in_days.")


class Token(Output):
    """A token, without its text."""

    id: UUID
    name: str
    prefix: str = Field(description="How its text begins.")
    user: str
    permissions: list[Permission]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenWithText(Token):
    """A new token; its text is shown this once."""

    token: str


class TokenPage(Output):
    """A page of tokens."""

    data: list[Token]
    next_cursor: str | None
