"""Replays as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool
from pydantic.config import JsonDict

from console.api.schemas.base import Id, Input, ListQuery, Moment, Output
from console.api.schemas.hooks import PatternText
from console.models import DeliveryState, ReplayState, Which
from console.services.replays.planning import MOST_TYPES

EXAMPLE: JsonDict = {"which": "failed", "event_types": ["order.*"], "since": "2026-11-22T09:00:00Z", "dry_run": True}


class ReplayWrite(Input):
    """What to send again."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    which: Which = Field(
        description="failed: the latest chain of attempts failed. missing: the hook wants the event and never got an "
        "attempt of it. all: both, and what was delivered."
    )
    hook: Id | None = Field(
        None,
        description="The id of a hook; absent: every hook that is enabled. A disabled one that is named is sent to.",
    )
    event_types: Annotated[list[PatternText], Field(max_length=MOST_TYPES)] = Field(
        [], description="Event types, and wildcards that end in .*; empty: any."
    )
    since: Moment | None = Field(None, description="Made at this time or later.")
    until: Moment | None = Field(None, description="Made before this time.")
    dry_run: StrictBool = Field(default=False, description="Only say what would be sent.")


class ReplayProgress(Output):
    """How far a replay is, in deliveries; all 0 while it is pending."""

    total: int = Field(description="What matched; all that follows is part of it.")
    queued: int = Field(description="Handed to the workers so far.")
    delivered: int
    failed: int
    canceled: int
    skipped: int = Field(description="Left out: waiting already, its hook disabled or deleted, changed meanwhile.")
    left: int = Field(description="Not come to its end yet.")


class Replay(Output):
    """A bulk resend."""

    id: UUID
    state: ReplayState
    which: Which
    hook: UUID | None
    event_types: list[str]
    since: datetime | None
    until: datetime | None
    progress: ReplayProgress
    error: str | None
    author: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class PlannedShare(Output):
    """What a replay would do for one hook; *skipped* counts by reason."""

    hook: UUID
    count: int
    skipped: dict[str, int]


class PlannedRow(Output):
    """A delivery that would be sent; delivery and state are null for an event that its hook has missed."""

    event: UUID
    event_type: str
    hook: UUID
    delivery: UUID | None
    state: DeliveryState | None
    created_at: datetime


class ReplayPlan(Output):
    """What a replay would do. Nothing was changed."""

    count: int = Field(description="How many deliveries would be sent.")
    capped: bool = Field(description="There is more than was counted.")
    skipped: dict[str, int] = Field(description="How many match and would be left out, by reason.")
    seconds: float | None = Field(description="How long it would take, estimated; null: nothing was ever sent there.")
    hooks: list[PlannedShare]
    rows: list[PlannedRow] = Field(description="The first five.")


class ReplayQuery(ListQuery):
    """Which replays are wanted."""

    hook: Id | None = Field(None, description="The id of the hook that they were started for.")


class ReplayPage(Output):
    """A page of replays."""

    data: list[Replay]
    next_cursor: str | None
