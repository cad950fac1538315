"""The attempts of a delivery as its page shows them: by chain, the opened one with request, answer and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.core.envelopes import Body
from console.core.outcomes import EXPLANATIONS, Explanation, Outcome
from console.models import Attempt, Delivery
from console.services.deliveries import deliveries
from console.services.deliveries.signatures import base_string
from console.services.people.sight import Sight
from console.web.deliveries import words
from console.web.downloads import Readable, readable_text

Headers = tuple[tuple[str, str], ...]
_UNKNOWN = Explanation("Ended", "This outcome is not known to this version.", "Read the answer for its reason.")
_IN_FLIGHT = Explanation("Sending", "The request is on its way.", "Wait for the answer; this page shows it by itself.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One attempt in a line; *mark* changes when it ends."""

    number: int
    mark: str
    started_at: datetime
    duration_ms: float | None
    tone: str
    shape: str
    explanation: Explanation
    is_in_flight: bool
    is_ok: bool
    is_charged: bool
    status: int | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """What was sent and what came back in one attempt; *is_cut* says that the answer was longer than what is kept."""

    url: str
    method: str
    request_headers: Headers
    response_headers: Headers
    response: Readable
    is_cut: bool
    timings: Mapping[str, Any]
    is_reused: bool
    is_resent: bool
    peer: str
    curl: str
    base_string: str


@dataclass(frozen=True, slots=True)
class Chain:
    """The attempts that one act began, oldest first."""

    number: int
    title: str
    attempts: tuple[Shown, ...]


def chains(delivery: Delivery, *, who: Mapping[int, str]) -> list[Chain]:
    """Give the chains of a delivery, oldest first; *who* names the people who began some of them."""
    found = []
    for number in sorted({attempt.chain for attempt in delivery.attempts}):
        members = [attempt for attempt in delivery.attempts if attempt.chain == number]
        title = words.chain_title(members[0].trigger, who=who.get(number, ""))
        found.append(Chain(number, title, tuple(shown(attempt) for attempt in members)))
    return found


def shown(attempt: Attempt) -> Shown:
    """Describe an attempt in a line."""
    is_in_flight, is_ok = attempt.outcome is None, attempt.outcome == Outcome.OK
    tone, shape = ("busy", "send") if is_in_flight else ("good", "check") if is_ok else ("bad", "cross")
    return Shown(
        number=attempt.number,
        mark=attempt.outcome or "sending",
        started_at=attempt.started_at,
        duration_ms=attempt.duration_ms,
        tone=tone,
        shape=shape,
        explanation=_IN_FLIGHT if is_in_flight else _explanation(attempt.outcome),
        is_in_flight=is_in_flight,
        is_ok=is_ok,
        is_charged=attempt.charged,
        status=attempt.status,
        error=attempt.error or "",
    )


def detail_of(attempt: Attempt, *, body: Body | None, sight: Sight) -> Detail:
    """Describe what was sent and what came back; *body* is what every attempt of the delivery sends."""
    return Detail(
        url=attempt.url or "",
        method=attempt.method,
        request_headers=_pairs(attempt.request_headers),
        response_headers=sight.response_headers(attempt.response_headers),
        response=readable_text(deliveries.response_of(attempt), size=len(attempt.response_body or b"")),
        is_cut=attempt.is_truncated,
        timings=attempt.timings or {},
        is_reused=attempt.is_reused,
        is_resent=attempt.is_resent,
        peer=attempt.peer or "",
        curl=words.curl(attempt, body=body.data) if body is not None and attempt.url else "",
        base_string=base_string(attempt, body=body.data) if body is not None else "",
    )


def _explanation(outcome: str | None) -> Explanation:
    return EXPLANATIONS[Outcome(outcome)] if outcome in set(Outcome) else _UNKNOWN


def _pairs(headers: Sequence[Any] | None) -> Headers:
    return tuple((str(name), str(value)) for name, value in headers or [])
