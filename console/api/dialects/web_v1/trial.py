"""The test of a webhook: one request, sent by a worker like any delivery, while the caller waits for its outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType

from console.api import waiting
from console.core.errors import Conflict, Refused
from console.core.outcomes import BLOCKED, Outcome
from console.models import Attempt, Delivery, DeliveryState, Hook
from console.services.deliveries import deliveries
from console.services.hooks import hook_tests
from console.services.work import Work

PATIENCE_S = 5
"""How long a worker may take, beside the hook's timeout, to take up the test and to write down its outcome."""

_CAUSES: Mapping[Outcome, str] = MappingProxyType(
    {
        **dict.fromkeys(BLOCKED, "This address is not allowed."),
        Outcome.CONNECTION_REFUSED: "connection refused",
        Outcome.CONNECTION_RESET: "connection reset",
        Outcome.CONNECT_ERROR: "no route to the receiver",
        Outcome.NO_RESPONSE: "receiver closed the connection without an answer",
        Outcome.INVALID_HTTP: "the answer was not HTTP",
        Outcome.TLS_ERROR: "TLS error",
        Outcome.DNS_NOT_FOUND: "host name could not be resolved",
        Outcome.DNS_TEMPORARY: "host name could not be resolved",
        Outcome.INVALID_REQUEST: "the request could not be built",
        Outcome.SYSTEM_ERROR: "the sender failed",
        Outcome.INTERRUPTED: "the sender was interrupted",
    }
)


def begin(work: Work, *, hook: Hook) -> Delivery:
    """Queue one test; a worker sends it."""
    payload = json.dumps({"message": f"Test of webhook {hook.id}"}, separators=(",", ":")).encode()
    return hook_tests.send(work, hook=hook, payload=payload)


def await_outcome(work: Work, sent: Delivery, *, timeout_s: int) -> None:
    """Wait until the test has ended; raise Refused with the cause unless it was delivered.

    *timeout_s* is the hook's; the caller may wait by ``waits``. A test that no worker took up meanwhile is canceled:
    its caller hears of a failure, so nothing may go out later.
    """
    wait_s = timeout_s + PATIENCE_S
    delivery, is_finished = waiting.await_outcome(work, sent, wait_s=wait_s)
    if not is_finished:
        work.session.rollback()
        with suppress(Conflict):
            deliveries.cancel(work, delivery=delivery)
            raise _failed(f"no outcome after {wait_s} s")
        delivery, _ = waiting.await_outcome(work, sent, wait_s=0)  # it ended at the last moment
    if delivery.state != DeliveryState.DELIVERED:
        raise _failed(cause(delivery.attempts[-1], timeout_s=timeout_s) if delivery.attempts else "it was canceled")


def cause(attempt: Attempt, *, timeout_s: int) -> str:
    """Say in a few words why *attempt* failed."""
    if attempt.status is not None:
        return f"receiver answered {attempt.status}"
    if attempt.outcome == Outcome.TIMEOUT:
        return f"timed out after {timeout_s} s"
    if attempt.outcome == Outcome.CONNECT_TIMEOUT:  # connecting has a shorter time of its own
        return f"timed out after {round((attempt.duration_ms or 0) / 1000)} s"
    return _CAUSES.get(Outcome(attempt.outcome), "no usable answer") if attempt.outcome else "it was canceled"


def _failed(words: str) -> Refused:
    return Refused(f"Webhook test failed: {words}", code="test_failed")
