"""Tokens as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StrictStr

from console.api.schemas.base import Input, Moment, OnlyNumber, Output
from console.core.permissions import Permission
from console.core.token_rights import TokenStatus
from console.services.people.tokens import LONGEST_LIFE_DAYS, LONGEST_NAME


class TokenWrite(Input):
    """A token of the caller's user, or of the organization, with no more permissions than the caller has."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "shop", "permissions": ["EVENTS:PUBLISH"], "service": True}]}
    )

    permissions: Annotated[list[Permission], Field(min_length=1, max_length=len(Permission))]
    name: Annotated[StrictStr, Field(max_length=LONGEST_NAME)] = ""
    expires_in_days: Annotated[int, Field(ge=1, le=LONGEST_LIFE_DAYS), OnlyNumber] | None = Field(
        None, description="Absent, like expires_at: it does not expire."
    )
    expires_at: Moment | None = Field(
        None,
        description="Instead of expires_in_days. A token expires no later than the one that creates it.",
    )
    service: StrictBool = Field(
        default=False,
        description="Whether it belongs to the organization: a service token works on when its creator leaves.",
    )


class Token(Output):
    """A token, without its text."""

    id: UUID
    name: str
    prefix: str = Field(description="How its text begins.")
    user: str | None = Field(description="The user name of its owner; null for a service token.")
    service: bool = Field(description="Whether it belongs to the organization, not to a person.")
    owner: str = Field(description="The e-mail address of the person, or the slug of the organization.")
    permissions: list[Permission] = Field(description="What it may do now: no more than the role of its owner allows.")
    status: TokenStatus = Field(description="Whether it works, or the error code that it gets.")
    created_by: str = Field(description="Who created it; empty for tokens from before this was recorded.")
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
