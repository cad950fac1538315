"""How rows are shown: one function for each thing the API gives. Secrets are left out or masked here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from console.api.auth import sight
from console.api.schemas import catalogue as catalogue_schemas
from console.api.schemas import deliveries as delivery_schemas
from console.api.schemas import events as event_schemas
from console.api.schemas import hooks as hook_schemas
from console.api.schemas import replays as replay_schemas
from console.api.schemas import tokens as token_schemas
from console.models import Attempt, Delivery, Event, EventType, Hook, Replay, Source, Token
from console.services.deliveries import deliveries, waits
from console.services.events.events import FanOut
from console.services.figures.stats import Tally
from console.services.hooks import hook_health, hook_secrets, hooks
from console.services.hooks.hook_health import Condition
from console.services.people import tokens
from console.services.replays.planning import Plan
from console.services.replays.replays import Progress
from console.services.work import Work

# --- hooks ----------------------------------------------------------------------------------------------------------


def one_hook(work: Work, row: Hook) -> hook_schemas.Hook:
    """Show a hook by itself, with what the engine knows of it."""
    return hook(work, row, hook_health.condition(work, row))


def hook(work: Work, row: Hook, condition: Condition) -> hook_schemas.Hook:
    """Show a hook of a list."""
    return hook_schemas.Hook(**_hook_fields(work, row, condition))


def hook_with_secret(work: Work, made: hooks.Made) -> hook_schemas.HookWithSecret:
    """Show a new hook, or one with a new secret."""
    fields = _hook_fields(work, made.hook, hook_health.condition(work, made.hook))
    return hook_schemas.HookWithSecret(**fields, secret=made.secret)


def _hook_fields(work: Work, row: Hook, condition: Condition) -> dict[str, Any]:
    state = condition.state
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
        "headers": sight().hook_headers(hook_secrets.headers_of(work, row)),
        "filter": row.filter,
        "retry": row.retry,
        "timeout": row.timeout_s,
        "max_in_flight": row.max_in_flight,
        "rate_limit": row.rate_limit,
        "description": row.description,
        "author": row.author.username if row.author else None,
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


def delivery(work: Work, row: Delivery) -> delivery_schemas.Delivery:
    """Show a delivery without its attempts."""
    return deliveries_of(work, [row])[0]


def deliveries_of(work: Work, rows: Sequence[Delivery]) -> list[delivery_schemas.Delivery]:
    """Show deliveries without their attempts."""
    reasons = waits.reasons(work, rows)
    return [delivery_schemas.Delivery(**_delivery_fields(row, reasons[row.number])) for row in rows]


def delivery_with_attempts(work: Work, row: Delivery) -> delivery_schemas.DeliveryWithAttempts:
    """Show a delivery with every attempt; *row* was loaded with them."""
    body = deliveries.body_of(row).data.decode("utf-8", "replace") if row.attempts else ""
    reason = waits.reason_of(work, row)
    attempts = [_attempt(row, one, body=body) for one in row.attempts]
    return delivery_schemas.DeliveryWithAttempts(**_delivery_fields(row, reason), attempts=attempts)


def _delivery_fields(row: Delivery, reason: str | None) -> dict[str, Any]:
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
        "waiting_reason": reason,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
        "test": row.is_test,
    }


def _attempt(row: Delivery, attempt: Attempt, *, body: str) -> delivery_schemas.Attempt:
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
        response=_response(attempt),
        timings=attempt.timings,
    )


def _response(attempt: Attempt) -> delivery_schemas.ReceivedResponse | None:
    if attempt.status is None:
        return None
    body = deliveries.response_of(attempt)
    return delivery_schemas.ReceivedResponse(
        status=attempt.status,
        headers=_joined(sight().response_headers(attempt.response_headers)),
        body=body.text if sight().reads_responses else None,
        body_note=body.note if sight().reads_responses else None,
        truncated=attempt.is_truncated,
    )


def _joined(pairs: Iterable[Sequence[str]]) -> dict[str, str]:
    """Make an object of header fields; a repeated one is joined by commas (RFC 9110, section 5.3)."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


# --- replays --------------------------------------------------------------------------------------------------------


def replay(row: Replay, progress: Progress) -> replay_schemas.Replay:
    """Show a replay and how far it is."""
    hook, author = row.hook, row.author
    return replay_schemas.Replay(
        id=row.id,
        state=row.state,
        which=row.which,
        hook=hook.id if hook else None,
        event_types=row.event_types,
        since=row.since,
        until=row.until,
        progress=replay_schemas.ReplayProgress(
            total=progress.total,
            queued=progress.queued,
            delivered=progress.delivered,
            failed=progress.failed,
            canceled=progress.canceled,
            skipped=progress.skipped,
            left=progress.left,
        ),
        error=row.error,
        author=author.username if author else None,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def replay_plan(plan: Plan) -> replay_schemas.ReplayPlan:
    """Show what a replay would do."""
    return replay_schemas.ReplayPlan(
        count=plan.to_send,
        capped=plan.is_capped,
        skipped={skip.value: count for skip, count in plan.skips.items()},
        seconds=plan.seconds,
        hooks=[
            replay_schemas.PlannedShare(
                hook=share.hook.id,
                count=share.to_send,
                skipped={skip.value: count for skip, count in share.skips.items()},
            )
            for share in plan.shares
        ],
        rows=[
            replay_schemas.PlannedRow(
                event=row.event_id,
                event_type=row.event_type,
                hook=row.hook.id,
                delivery=row.delivery.id if row.delivery else None,
                state=row.delivery.state if row.delivery else None,
                created_at=row.created_at,
            )
            for row in plan.rows
        ],
    )


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


def token(work: Work, row: Token) -> token_schemas.Token:
    """Show a token, without its text."""
    return token_schemas.Token(**_token_fields(work, row))


def token_with_text(work: Work, row: Token, text: str) -> token_schemas.TokenWithText:
    """Show a new token with its text."""
    return token_schemas.TokenWithText(**_token_fields(work, row), token=text)


def _token_fields(work: Work, row: Token) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "user": row.user.username if row.user else None,
        "service": row.is_service,
        "owner": row.user.email if row.user else row.organization.slug,
        "permissions": tokens.effective(row),
        "status": tokens.status_of(work, row),
        "created_by": row.created_by,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }
