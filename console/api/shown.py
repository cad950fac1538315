"""How rows are shown: one function for each thing the API gives. Secrets are left out or masked here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from console import database
from console.api.schemas import catalogue as catalogue_schemas
from console.api.schemas import deliveries as delivery_schemas
from console.api.schemas import events as event_schemas
from console.api.schemas import hooks as hook_schemas
from console.api.schemas import tokens as token_schemas
from console.core.headers import is_sensitive
from console.core.redact import MASK
from console.models import Attempt, Delivery, Event, EventType, Hook, Source, Token
from console.services import deliveries, hook_health, hooks
from console.services.events import FanOut
from console.services.hook_health import Condition
from console.services.stats import Tally
from console.services.work import Work

# --- hooks ----------------------------------------------------------------------------------------------------------


def one_hook(work: Work, row: Hook) -> hook_schemas.Hook:
    """Show a hook by itself, with what the engine knows of it."""
    return hook(work, row, _condition_of(work, row))


def hook(work: Work, row: Hook, condition: Condition) -> hook_schemas.Hook:
    """Show a hook of a list."""
    return hook_schemas.Hook(**_hook_fields(work, row, condition))


def hook_with_secret(work: Work, made: hooks.Made) -> hook_schemas.HookWithSecret:
    """Show a new hook, or one with a new secret."""
    fields = _hook_fields(work, made.hook, _condition_of(work, made.hook))
    return hook_schemas.HookWithSecret(**fields, secret=made.secret)


def _condition_of(work: Work, row: Hook) -> Condition:
    with database.read_only():
        return hook_health.condition(work, row)


def _hook_fields(work: Work, row: Hook, condition: Condition) -> dict[str, Any]:
    state = condition.state
    with database.read_only():
        author = row.author.username if row.author else None
    headers = hooks.headers_of(work, row)
    return {
        "id": row.id,
        "name": row.name,
        "url": row.url,
        "is_active": row.is_active,
        "all_events": row.all_events,
        "event_types": row.event_types,
        "event_groups": row.event_groups,
        "sources": row.sources,
        "content_type": row.content_type,
        "payload_format": row.payload_format,
        "headers": {name: MASK if is_sensitive(name) else value for name, value in headers.items()},
        "filter": row.filter,
        "retry": row.retry,
        "timeout": row.timeout_s,
        "max_in_flight": row.max_in_flight,
        "rate_limit": row.rate_limit,
        "description": row.description,
        "author": author,
        "created_at": row.created_at,
        "modified_at": row.modified_at,
        "last_delivery_at": state.last_delivery_at if state else None,
        "disabled_reason": row.disabled_reason,
        "health": condition.health.health,
    }


def figures(tally: Tally) -> hook_schemas.Figures:
    """Show what happened in a period."""
    return hook_schemas.Figures(
        attempts=tally.attempts,
        succeeded=tally.delivered,
        success_rate=tally.success_rate,
        by_status=dict(sorted(tally.classes.items())),
        p50_ms=tally.percentile_ms(50),
        p95_ms=tally.percentile_ms(95),
    )


# --- deliveries -----------------------------------------------------------------------------------------------------


def delivery(row: Delivery) -> delivery_schemas.Delivery:
    """Show a delivery without its attempts."""
    return delivery_schemas.Delivery(**_delivery_fields(row))


def delivery_with_attempts(
    row: Delivery, *, with_response_bodies: bool = True
) -> delivery_schemas.DeliveryWithAttempts:
    """Show a delivery with every attempt; *row* was loaded with them."""
    with database.read_only():
        body = deliveries.body_of(row).data.decode("utf-8", "replace") if row.attempts else ""
    attempts = [_attempt(row, one, body=body, with_response_body=with_response_bodies) for one in row.attempts]
    return delivery_schemas.DeliveryWithAttempts(**_delivery_fields(row), attempts=attempts)


def _delivery_fields(row: Delivery) -> dict[str, Any]:
    return {
        "id": row.id,
        "number": row.number,
        "event": row.event.id,
        "hook": row.hook.id,
        "event_type": row.event_type,
        "url": row.url,
        "state": row.state,
        "attempt_count": row.attempt_count,
        "next_attempt_at": row.next_attempt_at,
        "waiting_reason": row.waiting_reason,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
        "test": row.is_test,
    }


def _attempt(row: Delivery, attempt: Attempt, *, body: str, with_response_body: bool) -> delivery_schemas.Attempt:
    return delivery_schemas.Attempt(
        number=attempt.number,
        chain=attempt.chain,
        trigger=attempt.trigger,
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        outcome=attempt.outcome,
        error=attempt.error,
        request=delivery_schemas.SentRequest(
            method=attempt.method,
            url=attempt.url or row.url,
            headers=_joined(attempt.request_headers or ()),
            body=body,
        ),
        response=_response(attempt, with_body=with_response_body),
        timings=attempt.timings,
    )


def _response(attempt: Attempt, *, with_body: bool) -> delivery_schemas.ReceivedResponse | None:
    if attempt.status is None:
        return None
    body = (attempt.response_body or b"").decode("utf-8", "replace")
    return delivery_schemas.ReceivedResponse(
        status=attempt.status,
        headers=_joined(attempt.response_headers or ()),
        body=body if with_body else None,
        truncated=attempt.is_truncated,
    )


def _joined(pairs: Iterable[Sequence[str]]) -> dict[str, str]:
    """Make an object of header fields; a repeated one is joined by commas (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


# --- events ---------------------------------------------------------------------------------------------------------


def event(row: Event, fan_out: FanOut) -> event_schemas.Event:
    """Show an event without its payload."""
    is_about = row.object_model is not None or row.object_pk is not None
    return event_schemas.Event(
        id=row.id,
        number=row.number,
        type=row.type,
        source=row.source,
        message=row.message,
        object=event_schemas.ObjectReference(model=row.object_model, pk=row.object_pk) if is_about else None,
        occurred_at=row.occurred_at,
        created_at=row.created_at,
        test=row.is_test,
        fan_out=event_schemas.FanOut(
            deliveries=fan_out.deliveries,
            delivered=fan_out.delivered,
            failed=fan_out.failed,
            waiting=fan_out.waiting,
        ),
    )


# --- catalogue and tokens -------------------------------------------------------------------------------------------


def event_type(row: EventType) -> catalogue_schemas.EventType:
    """Show an event type."""
    return catalogue_schemas.EventType(
        name=row.name,
        group=row.groups[0] if row.groups else None,
        groups=row.groups,
        description=row.description,
        sample=row.sample,
        schema=row.schema,
        validate=row.validate,
        deprecated=row.deprecated,
        builtin=row.is_builtin,
        created_at=row.created_at,
        modified_at=row.modified_at,
    )


def source(row: Source) -> catalogue_schemas.Source:
    """Show a source."""
    return catalogue_schemas.Source(id=row.id, slug=row.slug, name=row.name, created_at=row.created_at)


def token(row: Token) -> token_schemas.Token:
    """Show a token, without its text."""
    return token_schemas.Token(**_token_fields(row))


def token_with_text(row: Token, text: str) -> token_schemas.TokenWithText:
    """Show a new token with its text."""
    return token_schemas.TokenWithText(**_token_fields(row), token=text)


def _token_fields(row: Token) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "user": row.user.username,
        "permissions": row.permissions,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
