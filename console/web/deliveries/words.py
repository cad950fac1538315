"""A delivery in words: its headline, the steps of its life, the command that repeats an attempt."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.core.outcomes import EXPLANATIONS, TIMEOUTS, Outcome
from console.core.redact import MASK
from console.models import Attempt, Delivery, DeliveryState
from console.web.filters import duration, milliseconds, plural

LONGEST_IN_COMMAND = 16 * 1024


@dataclass(frozen=True, slots=True)
class Headline:
    """What a reader wants to know first, beside the state: *words* end where the time of the next attempt follows."""

    words: str
    next_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A station of a delivery's life; *at* is None while it is not reached."""

    name: str
    at: datetime | None
    note: str = ""


def headline(delivery: Delivery, *, reason: str, most_attempts: int | None, timeout_s: int) -> Headline:
    """Say how a delivery stands and why; *reason* is what ``services.waits`` says of it."""
    count = delivery.attempt_count
    if delivery.state == DeliveryState.SENDING:
        stopping = "This attempt is the last one: it was canceled meanwhile." if delivery.cancel_requested else ""
        return Headline(f"Attempt {count} is on its way.", detail=stopping)
    if delivery.state == DeliveryState.DELIVERED:
        return Headline(_delivered(delivery))
    last = _last_words(delivery, timeout_s=timeout_s)
    tried = f"tried {plural(count, 'time')}" if count else "never sent"
    if delivery.state == DeliveryState.FAILED:
        return Headline(f"{_upper(last) or 'No attempt succeeded'}, {tried}.", detail=reason)
    if delivery.state == DeliveryState.CANCELED:
        return Headline(f"{_upper(tried)}{f', last {last}' if last else ''}.", detail=reason)
    if delivery.state == DeliveryState.HELD:
        held = "It goes out when the hook is enabled, or when somebody resends it."
        return Headline(f"{reason.rstrip('.') or 'The hook is disabled'}, {tried}.", detail=held)
    return _waiting(delivery, reason=reason, last=last, most_attempts=most_attempts)


def steps(delivery: Delivery) -> list[Step]:
    """List the stations from publishing to the end, those to come without a time."""
    attempts = delivery.attempts
    first = attempts[0] if attempts else None
    answered = next((one for one in reversed(attempts) if one.status is not None), None)
    found = [
        Step("Published", delivery.event.created_at),
        Step("Queued", delivery.created_at),
        Step("First sent", first.started_at if first else None, _gap(delivery.created_at, first)),
        Step(
            "Answered",
            _end_of(answered) if answered else None,
            f"{answered.status} in {milliseconds(answered.duration_ms)}" if answered else "",
        ),
    ]
    names = {"delivered": "Delivered", "failed": "Failed", "canceled": "Canceled"}
    name = names.get(delivery.state, "Delivered")
    finished = delivery.finished_at
    return [*found, Step(name, finished, f"after {_span(finished - delivery.created_at)}" if finished else "")]


def curl(attempt: Attempt, *, body: bytes) -> str:
    """Write the shell command that sends the request of an attempt again; masked values become placeholders.

    ``--data-raw`` takes a leading ``@`` as it is, ``--globoff`` brackets in the URL; every word is quoted for a shell.
    """
    parts = [f"curl --globoff --include -X {shlex.quote(attempt.method)} {shlex.quote(attempt.url or '')}"]
    for name, value in attempt.request_headers or []:
        if name.lower() in {"content-length", "host", "accept-encoding"}:
            continue
        shown = f"<{name}>" if MASK in value else value
        parts.append(f"-H {shlex.quote(f'{name}: {shown}')}")
    text = body.decode("utf-8", "replace")
    is_short = len(body) <= LONGEST_IN_COMMAND and "\ufffd" not in text
    parts.append(f"--data-raw {shlex.quote(text)}" if is_short else "--data-binary @request-body.json")
    return " \\\n  ".join(parts)


def _waiting(delivery: Delivery, *, reason: str, last: str, most_attempts: int | None) -> Headline:
    if not last:
        return Headline("Not sent yet, first attempt", delivery.next_attempt_at, reason)
    of_most = f" of {most_attempts}" if most_attempts and delivery.attempt_count <= most_attempts else ""
    count = f"{delivery.attempt_count}{of_most}" if delivery.chain == 1 else str(delivery.attempt_count)
    noun = "time" if count == "1" else "times"
    return Headline(f"{_upper(last)}, tried {count} {noun}, next", delivery.next_attempt_at, reason)


def _delivered(delivery: Delivery) -> str:
    status = delivery.last_status or 200
    took = f" in {milliseconds(delivery.last_duration_ms)}" if delivery.last_duration_ms is not None else ""
    count = delivery.attempt_count
    tries = "at the first attempt" if count <= 1 else f"at attempt {count}"
    return f"The receiver answered {status}{took}, {tries}."


def _last_words(delivery: Delivery, *, timeout_s: int) -> str:
    """Say what the last attempt came to, as a part of a sentence; nothing when there was none."""
    if delivery.attempt_count == 0 or delivery.last_outcome is None:
        return ""
    if delivery.last_status is not None:
        return f"the receiver answered {delivery.last_status}"
    if delivery.last_outcome not in set(Outcome):
        return delivery.last_outcome
    outcome = Outcome(delivery.last_outcome)
    if outcome in TIMEOUTS:
        return f"no answer within {timeout_s} s" if outcome is Outcome.TIMEOUT else "nothing answers at this address"
    return _lower(EXPLANATIONS[outcome].title)


def _lower(text: str) -> str:
    """Begin with a small letter, unless the first word is an abbreviation."""
    is_word = len(text) > 1 and text[0].isupper() and not text[1].isupper()
    return (text[0].lower() + text[1:] if is_word else text).rstrip(".")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _end_of(attempt: Attempt) -> datetime:
    return attempt.started_at + timedelta(milliseconds=attempt.duration_ms or 0)


def _gap(since: datetime, first: Attempt | None) -> str:
    return f"after {_span(first.started_at - since)}" if first else ""


def _span(time: timedelta) -> str:
    seconds = max(time.total_seconds(), 0.0)
    return milliseconds(seconds * 1000) if seconds < 10 else duration(seconds, parts=2)  # noqa: PLR2004 then whole seconds do


def chain_title(trigger: str, *, who: str = "") -> str:
    """Say how a chain of attempts began."""
    titles = {"automatic": "Automatic", "test": "Test", "resend": "Resent", "replay": "Replayed"}
    title = titles.get(trigger, trigger.capitalize())
    return f"{title} by {who}" if who and trigger in {"resend", "test"} else title


def resenders(names: Sequence[str], *, chains: int) -> dict[int, str]:
    """Map each chain after the first to who began it, when the audit log (*names*, oldest first) knows all of them."""
    return dict(enumerate(names, start=2)) if len(names) == chains - 1 else {}
