"""Hooks as the API takes and gives them. Fields and bounds are those of ``services.hook_fields``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictStr, WithJsonSchema
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from console.api.schemas.base import (
    Input,
    ListQuery,
    OnlyNumber,
    Output,
    QueryDecimal,
    QueryFlag,
    SearchWords,
    checked,
    without_defaults,
)
from console.core.filters import LONGEST_FILTER, check_filter
from console.core.health import Health
from console.core.patterns import LONGEST_NAME, SEGMENT, check_event_type, check_pattern
from console.core.redact import MASK
from console.core.retry import LONGEST_DELAY_S, MOST_JITTER
from console.core.retry_reading import LONGEST_EXPIRY_S, MOST_ATTEMPTS, MOST_DELAYS
from console.services.hooks.hook_fields import LONGEST_SECRET, LONGEST_TIMEOUT_S, MOST_IN_FLIGHT, MOST_TYPES
from console.services.hooks.hook_secrets import DEFAULT_OVERLAP_S, LONGEST_OVERLAP_S

LONGEST_URL = 2048
LONGEST_WAIT_S = 20
PATTERN = rf"^(\*|{SEGMENT})(\.(\*|{SEGMENT}))*$"
EVENT_TYPE = rf"^{SEGMENT}(\.{SEGMENT})*$"
EXAMPLE: JsonDict = {
    "name": "Shop to warehouse",
    "url": "https://warehouse.example.com/hooks/shop",
    "event_types": ["order.*"],
    "retry": {"kind": "exponential", "base": 2, "factor": 10, "attempts": 8},
}


SECONDS: dict[str, Any] = {"type": "number", "minimum": 0, "maximum": LONGEST_DELAY_S}
WHOLE_SECONDS: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": LONGEST_DELAY_S}

COMMON: dict[str, Any] = {
    "attempts": {"type": "integer", "minimum": 1, "maximum": MOST_ATTEMPTS},
    "jitter": {"type": "number", "minimum": 0, "maximum": MOST_JITTER},
    "expires_after": {"type": "number", "minimum": 1, "maximum": LONGEST_EXPIRY_S},
}


def _kind(name: str, *, optional: tuple[str, ...] = (), **required: dict[str, Any]) -> dict[str, Any]:
    """Describe a kind of retry policy by its parameters; *optional* ones are seconds, and null counts as absent."""
    may_be_null = dict.fromkeys(optional, SECONDS) | COMMON
    nullable = {key: schema | {"type": [schema["type"], "null"]} for key, schema in may_be_null.items()}
    return {
        "title": name,
        "type": "object",
        "properties": {"kind": {"const": name}, **required, **nullable},
        "required": ["kind", *required],
        "additionalProperties": False,
    }


RETRY: dict[str, Any] = {
    "description": "Delays in seconds before each retry; null is the default schedule.",
    "oneOf": [
        {"type": "null"},
        _kind("schedule"),
        _kind("fixed", seconds=SECONDS),
        _kind("linear", base=SECONDS, optional=("start", "limit")),
        _kind("exponential", base=SECONDS, optional=("factor", "limit")),
        _kind("random", min=WHOLE_SECONDS, max=WHOLE_SECONDS),
        _kind("list", delays={"type": "array", "items": SECONDS, "minItems": 1, "maxItems": MOST_DELAYS}),
    ],
}


def _check_filter(expression: str) -> None:
    if expression.strip():
        check_filter(expression.strip())


def _name(pattern: str) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME, "pattern": pattern}


def _object_or_null(value: object) -> object:
    if value is not None and not isinstance(value, dict):
        raise PydanticCustomError("type", "Give an object, or null.")
    return value


Retry: TypeAlias = Annotated[dict[str, Any] | None, BeforeValidator(_object_or_null), WithJsonSchema(RETRY)]
"""Checked by ``parse_retry``, whose pointers and words are better than a union's; given back as stored."""

PatternText: TypeAlias = Annotated[StrictStr, checked(check_pattern), WithJsonSchema(_name(PATTERN))]
EventTypeText: TypeAlias = Annotated[StrictStr, checked(check_event_type), WithJsonSchema(_name(EVENT_TYPE))]
Filter: TypeAlias = Annotated[StrictStr, Field(max_length=LONGEST_FILTER), checked(_check_filter)]
Url: TypeAlias = Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_URL)]
ShortList: TypeAlias = Annotated[list[StrictStr], Field(max_length=MOST_TYPES)]


class RateLimit(Input):
    """At most so many requests in so many seconds."""

    count: Annotated[int, Field(ge=1, le=100_000), OnlyNumber]
    seconds: Annotated[int, Field(ge=1, le=86_400), OnlyNumber]


class _Fields(Input):
    name: Annotated[StrictStr, Field(max_length=200)] = Field("", description="For people.")
    description: Annotated[StrictStr, Field(max_length=2000)] | None = None
    is_active: StrictBool = Field(
        default=True, description="A disabled hook's deliveries are held, and released on enabling."
    )
    all_events: StrictBool = Field(default=False, description="Hears every event, whatever the other fields say.")
    event_types: Annotated[list[PatternText], Field(max_length=MOST_TYPES)] = Field(
        [], description="Event types and wildcards: order.* covers order.paid and order.refund.done, not order."
    )
    event_groups: ShortList = Field([], description="Groups of the catalogue; types added to one later are included.")
    sources: ShortList | None = Field(
        None, description="Slugs: events of these sources and events without one. null: of any; []: only without one."
    )
    content_type: Literal["json", "form"] = Field("json", description="How the body is written.")
    payload_format: StrictStr = Field("standard", description="standard, waldur, pretix or oms.")
    headers: dict[str, StrictStr] = Field(
        {},
        description=(
            f"Sent with every request. Values whose name speaks of a secret come back as {MASK}; sent back like that, "
            "they are kept while scheme, host and port of the URL stay the same."
        ),
    )
    filter: Filter | None = Field(
        None, description="A JMESPath expression that the payload must satisfy: total > `100` && currency == 'EUR'."
    )
    retry: Retry = None
    timeout: Annotated[int, Field(ge=1, le=LONGEST_TIMEOUT_S), OnlyNumber] | None = Field(
        None, description="Seconds one attempt may take; null: the installation's default."
    )
    max_in_flight: Annotated[int, Field(ge=1, le=MOST_IN_FLIGHT), OnlyNumber] = Field(
        16, description="How many requests may be under way at once; 1 keeps first attempts in order."
    )
    rate_limit: RateLimit | None = None
    secret: Annotated[StrictStr, Field(min_length=1, max_length=LONGEST_SECRET)] | None = Field(
        None, description="The signing secret; one is made when this is absent or null. Never given back later."
    )


class HookWrite(_Fields):
    """A whole hook: to create one, or to replace one (absent fields take their defaults, the secret stays)."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    url: Url = Field(description="Where deliveries are sent: http or https, a public address.")


class HookPatch(_Fields):
    """Fields of a hook to change; the others stay."""

    model_config = ConfigDict(json_schema_extra=without_defaults)

    url: Url = Field("", description="Where deliveries are sent: http or https, a public address.")


class Rotation(Input):
    """How long the secrets so far sign beside the new one."""

    overlap_seconds: Annotated[int, Field(ge=0, le=LONGEST_OVERLAP_S), OnlyNumber] = DEFAULT_OVERLAP_S


class HookTest(Input):
    """What to send: the catalogue's sample of a type unless a payload is given."""

    keeps_bytes = True

    event_type: EventTypeText = "webhook.test"
    payload: Any = Field(None, description="Any JSON, sent as these bytes; absent: the catalogue's sample.")


class WaitQuery(Input):
    """How long to wait for the outcome."""

    wait: Annotated[float, Field(ge=0, le=LONGEST_WAIT_S), QueryDecimal] = Field(
        0, description="Seconds to wait for the outcome: 200 with the finished delivery, else 202."
    )


class HookQuery(ListQuery):
    """Which hooks are wanted."""

    active: QueryFlag | None = Field(None, description="Only enabled hooks, or only disabled ones.")
    q: SearchWords | None = Field(None, description="Words in name, URL or description.")
    event_type: EventTypeText | None = Field(None, description="Only hooks that hear events of this type.")
    health: Health | None = None


class Hook(Output):
    """A hook. Its secret is never here."""

    id: UUID
    name: str
    url: str
    is_active: bool
    all_events: bool
    event_types: list[str]
    event_groups: list[str]
    sources: list[str] | None
    content_type: str
    payload_format: str
    headers: dict[str, str]
    filter: str | None
    retry: Annotated[dict[str, Any] | None, WithJsonSchema(RETRY)]
    timeout: int | None
    max_in_flight: int
    rate_limit: dict[str, int] | None
    description: str | None
    author: str | None = Field(description="The user who made it.")
    created_at: datetime
    modified_at: datetime
    last_delivery_at: datetime | None
    disabled_reason: str | None
    health: Health


class HookWithSecret(Hook):
    """A hook with its signing secret, which is shown this once."""

    secret: str


class HookPage(Output):
    """A page of hooks."""

    data: list[Hook]
    next_cursor: str | None


class Figures(Output):
    """What happened to a hook's attempts in a period."""

    attempts: int
    succeeded: int = Field(description="Attempts answered with a 2xx status.")
    success_rate: float | None = Field(description="From 0 to 1; null without attempts.")
    by_status: dict[str, int] = Field(description="Attempts by class: 2xx … 5xx, none for no answer.")
    p50_ms: float | None
    p95_ms: float | None


class HookStats(Output):
    """How a hook did lately, and what waits for it (counted up to 10,001)."""

    last_24_hours: Figures
    last_7_days: Figures
    pending: int
    held: int
