"""Attempts that came to their end, and what each of them says in its own row and in that of its delivery."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.core.outcomes import NO_STATUS, Outcome
from console.models import DeliveryState
from console.services.engine.claims import Claimed
from console.services.engine.recipients import Recipient

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An attempt that came to its end; *request_headers* have their secrets masked, *timings* are milliseconds."""

    row: Claimed
    recipient: Recipient
    outcome: Outcome
    started_at: datetime
    duration_ms: float
    status: int | None = None
    error: str | None = None
    retry_after: str | None = None
    peer: str | None = None
    is_resent: bool = False
    is_reused: bool = False
    is_truncated: bool = False
    is_own_fault: bool = False
    body_note: str | None = None
    timings: dict[str, float] | None = None
    request_headers: Headers = ()
    response_headers: Headers | None = None
    response_body: bytes | None = None

    @property
    def ended_at(self) -> datetime:
        """The moment that delays are counted from."""
        return self.started_at + timedelta(milliseconds=self.duration_ms)


def changed_row(
    one: Ended,
    *,
    state: DeliveryState,
    now: datetime,
    failures: int | None = None,
    reason: str | None = None,
    next_attempt_at: datetime | None = None,
) -> dict[str, Any]:
    """Say what an attempt changes of its delivery, which is in *state* from now on."""
    is_final = state in {DeliveryState.DELIVERED, DeliveryState.FAILED, DeliveryState.CANCELED}
    return {
        "delivery": one.row.number,
        "state": state.value,
        "chain_failures": one.row.chain_failures if failures is None else failures,
        "next_attempt_at": next_attempt_at,
        "waiting_reason": reason,
        "finished_at": now if is_final else None,
        "modified_at": now,
        "last_status": one.status,
        "last_outcome": one.outcome.value,
        "last_duration_ms": one.duration_ms,
        "url": one.recipient.url,
        "bad_answer": None if one.outcome is Outcome.OK else str(one.status or NO_STATUS),
    }


def attempt_row(one: Ended, *, charged: bool) -> dict[str, Any]:
    """Make the row of an attempt; *charged*: it counts against the retry policy."""
    return {
        "delivery_number": one.row.number,
        "number": one.row.attempt,
        "chain": one.row.chain,
        "trigger": one.row.trigger,
        "worker_number": one.row.worker,
        "started_at": one.started_at,
        "duration_ms": one.duration_ms,
        "outcome": one.outcome.value,
        "charged": charged,
        "error": one.error,
        "status": one.status,
        "peer": one.peer,
        "is_resent": one.is_resent,
        "is_reused": one.is_reused,
        "is_truncated": one.is_truncated,
        "body_note": one.body_note,
        "timings": one.timings,
        "url": one.recipient.url,
        "method": "POST",
        "request_headers": one.request_headers,
        "response_headers": one.response_headers,
        "response_body": one.response_body,
    }
