"""Why a delivery waits, in one sentence for people: the API and the console say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is known of a pending delivery and its hook; None and 0: it is not so.

    *is_asked*: somebody asked for it just now (a test, a resend); *is_exact*: its retry policy is kept to the second.
    Neither waits for circuits. *stored* is what its last verdict left behind. *may_have* and *in_flight* count the
    hook's requests.
    """

    next_attempt_at: datetime
    is_asked: bool = False
    is_exact: bool = False
    attempts: int = 0
    stored: str | None = None
    problem: str | None = None
    failures: int = 0
    openings: int = 0
    open_until: datetime | None = None
    destination: str = ""
    destination_until: datetime | None = None
    probe_until: datetime | None = None
    is_destination_open: bool = False
    rate_limit: Mapping[str, int] | None = None
    next_send_at: datetime | None = None
    may_have: int = 1
    in_flight: int = 0
    is_slow: bool = False


def reason(waiting: Waiting, *, now: datetime) -> str:
    """Say for what a pending delivery waits at *now*: a pause, its schedule, the rate limit, or its turn."""
    due_at = max(waiting.next_attempt_at, now)
    if not waiting.is_asked and not waiting.is_exact:
        paused = _pause(waiting, after=due_at)
        if paused is not None:
            return paused
    if waiting.next_attempt_at > now:
        return _schedule(waiting)
    return _turn(waiting, now=now)


def _pause(waiting: Waiting, *, after: datetime) -> str | None:
    if waiting.open_until is not None and waiting.open_until > after:
        if waiting.openings:
            since = f"after {waiting.failures} failures in a row"
            return f"Its hook is paused until {_at(waiting.open_until)} {since}; then one request tries it again."
        return f"The receiver asked to wait until {_at(waiting.open_until)}."
    if waiting.destination_until is not None and waiting.destination_until > after:
        until = _at(waiting.destination_until)
        return (
            f"Nothing answers at {waiting.destination}: all hooks there wait until {until}; then one request tries it."
        )
    if waiting.probe_until is not None and waiting.probe_until > after:
        return f"One request tries {waiting.destination} again after its silence; the others wait for what comes of it."
    return None


def _schedule(waiting: Waiting) -> str:
    if waiting.problem is not None:
        return f"Its hook's retry policy cannot be read, so the usual one sets the time: {waiting.problem}"
    if waiting.stored:
        return waiting.stored
    return "Its last attempt failed; its retry policy sets the time." if waiting.attempts else "It is not due yet."


def _turn(waiting: Waiting, *, now: datetime) -> str:
    limit = waiting.rate_limit
    if limit and waiting.next_send_at is not None and waiting.next_send_at > now:
        words = f"{limit['count']} requests in {limit['seconds']} s"
        return f"Its hook's rate limit of {words} lets the next one go at {_at(waiting.next_send_at)}."
    if waiting.in_flight and (waiting.openings or waiting.is_destination_open):
        return "Its hook is tried again with one request at a time; this one is next after it."
    if waiting.in_flight >= waiting.may_have:
        return f"Its hook has as many requests under way as it may have now: {waiting.in_flight}."
    if waiting.is_slow:
        return "It is due and waits for a sender of the slow lane, where its hook is because it did not answer in time."
    return "It is due and waits for a free sender."


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
