"""Make one attempt: send a guarded HTTP request and give back everything worth knowing about how it went.

Every request that leaves this installation goes through here: deliveries, test sends, replays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from traceback import extract_tb

import structlog

from console.core.outcomes import Outcome, of_status
from console.core.redact import redact_url
from console.core.targets import Target, TargetPolicy
from workers import failures
from workers.adapter import Answer, GuardedAdapter, Outgoing
from workers.failures import Failure
from workers.heads import Head
from workers.resolver import Resolver
from workers.stopwatch import Timings

log = structlog.get_logger(__name__)

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be sent: *headers* and *body* exactly as they go out, *timeout_s* for everything together.

    The sender adds Host, Content-Length and Accept-Encoding, and User-Agent where there is none.
    """

    target: Target
    method: str
    headers: Mapping[str, str]
    body: bytes
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """How the attempt went.

    *sent_headers* are all that were written, the sender's own too; none when the request could not be written.
    *status*, *headers* and *body* (at most 64 KiB, raw as received) are what came back, *body_note* a sentence when the
    body did not come whole. *error* is a sentence unless the outcome is ok. *peer* is the address that was talked to;
    *blocked* the address that was refused and why, for admins only. *reused* says that the connection was an idle one,
    *resent* that an idle one had died and the request went out again on a fresh one.
    """

    outcome: Outcome
    sent_headers: tuple[tuple[str, str], ...] = ()
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    truncated: bool = False
    body_note: str | None = None
    error: str | None = None
    timings: Timings = field(default_factory=Timings)
    peer: str | None = None
    resent: bool = False
    reused: bool = False
    blocked: str | None = None


class Sender:
    """Sends requests from many threads at once; build one per process and close it at the end."""

    def __init__(
        self,
        policy: TargetPolicy,
        *,
        user_agent: str,
        pool_size: int,
        ca_file: str | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """Keep up to *pool_size* idle connections; *ca_file* (PEM) replaces the authorities that are trusted."""
        self._user_agent = user_agent
        self._adapter = GuardedAdapter(policy, pool_size=pool_size, ca_file=ca_file, resolver=resolver)

    def send(self, request: Request) -> Result:
        """Make one attempt; no Exception ever comes out of it, only what ends the process does.

        Not for the main thread of an RQ worker: its job timeout is an Exception and would be taken for an outcome.
        """
        outgoing = Outgoing(
            request.target,
            method=request.method,
            headers=request.headers,
            body=request.body,
            timeout_s=request.timeout_s,
        )
        outgoing.headers.setdefault("User-Agent", self._user_agent)
        try:
            answer = self._adapter.send(outgoing)
        except Failure as failure:
            return _failed(outgoing, failure)
        except Exception as error:  # noqa: BLE001 - no hook may crash a worker
            return _failed(outgoing, failures.ours(error) or _unexpected(error))
        return _answered(outgoing, answer)

    def sweep(self) -> None:
        """Close connections that have been idle too long; call it every few seconds while nothing is sent."""
        self._adapter.pool.sweep()

    def close(self) -> None:
        """Close all idle connections; sends that are under way finish."""
        self._adapter.close()


def _unexpected(error: Exception) -> Failure:
    """Log where *error* came from, not its words: they may hold a part of the request."""
    frame = extract_tb(error.__traceback__)[-1]
    log.error("unexpected_error_in_sender", error=type(error).__name__, where=f"{frame.filename}:{frame.lineno}")
    return Failure(Outcome.INVALID_REQUEST, f"The request could not be sent ({type(error).__name__}).")


def _failed(request: Outgoing, failure: Failure) -> Result:
    return Result(
        outcome=failure.outcome,
        sent_headers=request.sent_headers,
        error=failure.sentence,
        timings=request.watch.stop(),
        peer=request.peer,
        resent=request.resent,
        reused=request.reused,
        blocked=failure.blocked,
    )


def _answered(request: Outgoing, answer: Answer) -> Result:
    head = answer.head
    outcome = of_status(head.status)
    return Result(
        outcome=outcome,
        sent_headers=request.sent_headers,
        status=head.status,
        headers=tuple(map(_without_secrets, head.headers)) if outcome is Outcome.REDIRECT else head.headers,
        body=answer.kept.data,
        truncated=answer.kept.truncated,
        body_note=answer.kept.note,
        error=None if outcome is Outcome.OK else _sentence(head, outcome),
        timings=request.watch.stop(),
        peer=request.peer,
        resent=request.resent,
        reused=request.reused,
    )


def _without_secrets(header: tuple[str, str]) -> tuple[str, str]:
    """Redact a Location: redirects to a sign-in carry tokens in their query."""
    name, value = header
    return (name, redact_url(value)) if name.lower() == "location" else header


def _sentence(head: Head, outcome: Outcome) -> str:
    status = f"{head.status} {_PHRASES.get(head.status, '')}".rstrip()
    if outcome is Outcome.UNEXPECTED_UPGRADE:
        return f"The receiver answered {status}, which nobody asked for."
    if outcome is Outcome.REDIRECT:
        return f"The receiver answered {status}; redirects are not followed."
    return f"The receiver answered {status}."
