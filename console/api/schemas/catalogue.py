"""Event types and sources as the API takes and gives them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StrictStr, WithJsonSchema

from console.api.schemas.base import Input, ListQuery, Output, QueryFlag, SearchWords, checked, without_defaults
from console.core.patterns import LONGEST_NAME, SEGMENT, check_catalogue_name
from console.services.event_types.event_type_fields import LONGEST_DESCRIPTION, MOST_GROUPS

NAME = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": rf"^{SEGMENT}(\.{SEGMENT})*(\.\*)?$"}
GROUP = r"^[A-Za-z0-9]([A-Za-z0-9._ -]{0,98}[A-Za-z0-9])?$"
SLUG = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,48}[A-Za-z0-9])?$"
GroupName = Annotated[StrictStr, Field(pattern=GROUP)]


class _Fields(Input):
    group: GroupName | None = Field(None, description="The one group it is in; for several use groups.")
    groups: Annotated[list[GroupName], Field(max_length=MOST_GROUPS)] = Field([], description="Instead of group.")
    description: Annotated[StrictStr, Field(max_length=LONGEST_DESCRIPTION)] = ""
    sample: Any = Field(None, description="A payload for tests; any JSON.")
    schema_: dict[str, Any] | None = Field(None, alias="schema", description="A JSON Schema of the payload.")
    validate_: StrictBool = Field(
        default=False, alias="validate", description="Refuse to publish payloads that do not fit the schema."
    )
    deprecated: StrictBool = Field(
        default=False, description="Not offered in the console any more; delivered as before."
    )


class EventTypeWrite(_Fields):
    """A type of the organization's own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "order.paid", "group": "orders", "sample": {"order": "A-1001"}}]}
    )

    name: Annotated[StrictStr, checked(check_catalogue_name), WithJsonSchema(NAME)]


class EventTypePatch(_Fields):
    """Fields of an event type to change; the others stay."""

    model_config = ConfigDict(json_schema_extra=without_defaults)


class EventTypeQuery(ListQuery):
    """Which event types are wanted."""

    q: SearchWords | None = Field(None, description="Words in name or description.")
    group: SearchWords | None = None
    builtin: QueryFlag | None = Field(None, description="Only those that came with Hookyard, or only the others.")


class EventTypeNameQuery(Input):
    """One event type by its name."""

    name: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00]*$")]


class EventType(Output):
    """A name that events carry."""

    name: str
    group: str | None = Field(description="The first of its groups.")
    groups: list[str]
    description: str
    sample: Any
    schema_: dict[str, Any] | None = Field(alias="schema")
    validate_: bool = Field(alias="validate")
    deprecated: bool
    builtin: bool
    created_at: datetime
    modified_at: datetime


class EventTypePage(Output):
    """A page of event types."""

    data: list[EventType]
    next_cursor: str | None


class SourceWrite(Input):
    """A named origin of events."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"slug": "shop-berlin", "name": "Shop Berlin"}]})

    slug: Annotated[StrictStr, Field(pattern=SLUG)]
    name: Annotated[StrictStr, Field(max_length=200)] = Field("", description="Empty: the slug.")


class Source(Output):
    """A named origin of events; its slug never changes."""

    id: UUID
    slug: str
    name: str
    created_at: datetime


class SourcePage(Output):
    """A page of sources."""

    data: list[Source]
    next_cursor: str | None
