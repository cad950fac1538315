"""Deliveries and their attempts as the API gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StrictStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from console.api.schemas.base import Id, ListQuery, Moment, Output, QueryNumber, SearchWords
from console.api.schemas.hooks import PatternText
from console.models import DeliveryState, Trigger

_STATES = [state.value for state in DeliveryState]


def _states(value: object) -> object:
    names = value.split(",") if isinstance(value, str) else []
    if not names or not set(names) <= set(_STATES):
        raise PydanticCustomError("choice", f"Choose from {', '.join(_STATES)}, separated by commas.")
    return tuple(map(DeliveryState, names))


States = Annotated[
    tuple[DeliveryState, ...],
    BeforeValidator(_states),
    WithJsonSchema({"type": "string", "pattern": f"^({'|'.join(_STATES)})(,({'|'.join(_STATES)}))*$"}),
]


class DeliveryQuery(ListQuery):
    """Which deliveries are wanted."""

    hook: Id | None = Field(None, description="The id of a hook, deleted ones too.")
    event: Id | None = Field(None, description="The id of an event.")
    replay: Id | None = Field(None, description="The id of a replay: the deliveries that it was the last to queue.")
    event_type: PatternText | None = Field(None, description="A type, or a wildcard that ends in .*")
    state: States | None = Field(None, description="One state, or several separated by commas.")
    status_class: Literal["1xx", "2xx", "3xx", "4xx", "5xx", "none", "failed"] | None = Field(
        None, description="Of the last attempt; none: no response came, failed: anything but a success."
    )
    status: Annotated[int, Field(ge=100, le=999), QueryNumber] | None = Field(
        None, description="The exact status code of the last attempt."
    )
    attempt: Literal["last", "any"] = Field(
        "last", description="any: status and status_class hold for any attempt that failed, not only for the last."
    )
    since: Moment | None = Field(None, description="Created at this time or later.")
    until: Moment | None = Field(None, description="Created before this time.")
    q: SearchWords | None = Field(None, description="The start of a delivery's or an event's id, or an event's object.")


class Delivery(Output):
    """One event for one hook."""

    id: UUID
    number: int
    event: UUID
    hook: UUID
    event_type: str
    url: str
    state: DeliveryState
    attempt_count: int
    next_attempt_at: datetime | None
    waiting_reason: str | None = Field(description="For what it waits now, or why it ended, in a sentence.")
    created_at: datetime
    finished_at: datetime | None
    test: bool


class SentRequest(Output):
    """What was sent. Header values that are or may be secrets are masked."""

    method: StrictStr
    url: str
    headers: dict[str, str]
    body: str


class ReceivedResponse(Output):
    """What came back: up to 64 KiB of the body; null for viewers, who may not read what receivers answer.

    The body is unpacked and decoded as its headers say; body_note says when it was cut or bytes had to be replaced.
    """

    status: int
    headers: dict[str, str]
    body: str | None
    body_note: str | None
    truncated: bool


class Attempt(Output):
    """One HTTP request; its outcome is null while it is under way."""

    number: int
    chain: int
    trigger: Trigger
    started_at: datetime
    duration_ms: float | None
    outcome: str | None
    error: str | None
    request: SentRequest
    response: ReceivedResponse | None
    timings: dict[str, Any] | None


class DeliveryWithAttempts(Delivery):
    """A delivery with every attempt, oldest first."""

    attempts: list[Attempt]


class DeliveryPage(Output):
    """A page of deliveries."""

    data: list[Delivery]
    next_cursor: str | None
