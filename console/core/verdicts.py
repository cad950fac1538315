"""What happens to a delivery after an attempt: delivered, another attempt and when, or failed.

Pure: the hour, the age of the delivery and the randomness are passed in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from types import MappingProxyType
from typing import Literal

from console.core.outcomes import CHARGED, OPENS_CIRCUIT, TIMEOUTS, Outcome
from console.core.retry import RetryPolicy

LONGEST_RETRY_AFTER_S = 86_400.0
CROWDED_DELAY_S = 60.0
OWN_FAULT_DELAY_S = 5.0
FIRST_INTERRUPTION_DELAY_S = 0.5
"""Most workers die once, of something that no delivery is to blame for."""
LONGEST_OWN_FAULT_DELAY_S = 600.0
CROWDED_STATUSES = frozenset({429, 502, 503, 504})
"""The receiver, or what stands before it, has more to do than it can: Retry-After is honoured for these."""


class Reason(StrEnum):
    """Why a verdict is what it is; those of failed deliveries are stored with them."""

    DELIVERED = "delivered"
    SCHEDULE = "schedule"
    RETRY_AFTER = "retry_after"
    OWN_FAULT = "own_fault"
    GONE = "gone"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    NOT_RETRIED = "not_retried"
    CRASHES_WORKER = "crashes_worker"


REASONS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.DELIVERED: "The receiver took it.",
        Reason.SCHEDULE: "It is tried again by its retry policy.",
        Reason.RETRY_AFTER: "It is tried again when the receiver asked for it (Retry-After).",
        Reason.OWN_FAULT: "It is tried again soon, at no cost to its retry policy, because the fault was ours.",
        Reason.GONE: "The receiver answered 410 and wants no more.",
        Reason.EXHAUSTED: "Every attempt of its retry policy failed.",
        Reason.EXPIRED: "Its next attempt would come after its expiry.",
        Reason.NOT_RETRIED: "A test is one attempt and is not repeated.",
        Reason.CRASHES_WORKER: "The worker died each time it was attempted.",
    }
)
"""A sentence for people for each reason."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the delivery and its hook.

    *delay_s* is set only when *state* is pending. *charged*: it was one more charged failure of this chain (never so
    when delivered). *hold_hook_s*: the receiver asked that nothing be sent to the hook for so long. *opens_circuit*:
    the failure counts towards opening the hook's circuit.
    """

    state: Literal["delivered", "pending", "failed"]
    reason: Reason
    delay_s: float | None = None
    charged: bool = False
    disable_hook: bool = False
    hold_hook_s: float | None = None
    opens_circuit: bool = False


def judge(
    outcome: Outcome,
    *,
    status: int | None = None,
    retry_after: str | None = None,
    now: datetime,
    policy: RetryPolicy,
    failures: int,
    interruptions: int = 0,
    random: Random,
    age_s: float = 0.0,
    is_test: bool = False,
    is_own_fault: bool = False,
) -> Verdict:
    """Decide what follows from an attempt that ended with *outcome* (and *status*, where one came).

    *retry_after* is the header's text; *now* (aware) the end of the attempt; *failures* and *interruptions* the
    charged and uncharged failures of this chain before this one; *age_s* the seconds since the chain began, which the
    policy's expiry counts. *is_own_fault* says that an outcome which is usually the receiver's was ours this time: no
    host at all could be resolved.
    """
    if outcome is Outcome.OK:
        return Verdict("delivered", Reason.DELIVERED)
    if outcome is Outcome.GONE:
        return Verdict("failed", Reason.GONE, charged=True, disable_hook=True)
    charged = outcome in CHARGED and not is_own_fault
    opens = charged and outcome in OPENS_CIRCUIT
    asked = _asked_delay(status, retry_after, now=now)
    reason: Reason = Reason.OWN_FAULT
    is_first = outcome is Outcome.INTERRUPTED and not interruptions
    delay: float | None = FIRST_INTERRUPTION_DELAY_S if is_first else _own_fault_delay(interruptions)
    if charged:
        reason, delay = _next_attempt(outcome, status, policy=policy, failures=failures + 1, asked=asked, random=random)
    if is_test:
        reason, delay = Reason.NOT_RETRIED, None
    elif delay is not None and policy.expires_after_s is not None and age_s + delay > policy.expires_after_s:
        reason, delay = Reason.EXPIRED, None
    state: Literal["pending", "failed"] = "failed" if delay is None else "pending"
    return Verdict(state, reason, delay_s=delay, charged=charged, hold_hook_s=asked, opens_circuit=opens)


def _next_attempt(
    outcome: Outcome, status: int | None, *, policy: RetryPolicy, failures: int, asked: float | None, random: Random
) -> tuple[Reason, float | None]:
    delay = policy.delay_after(failures=failures, random=random)
    if delay is None:
        return Reason.EXHAUSTED, None
    if not policy.is_exact and (outcome in TIMEOUTS or status in CROWDED_STATUSES):
        # The minimum is spread as wide as a jittered minute, else all that failed together would return together.
        delay = max(delay, CROWDED_DELAY_S * random.uniform(1, 1 + 2 * policy.jitter))
    if asked is not None and asked > delay:
        return Reason.RETRY_AFTER, asked
    return Reason.SCHEDULE, delay


def _own_fault_delay(interruptions: int) -> float:
    """Return 5 s · 2^k, at most 10 minutes: long enough not to spin, short enough to recover soon."""
    return min(OWN_FAULT_DELAY_S * 2.0 ** min(interruptions, 10), LONGEST_OWN_FAULT_DELAY_S)


def _asked_delay(status: int | None, retry_after: str | None, *, now: datetime) -> float | None:
    """Return the seconds that Retry-After asks for, at most 24 h; None when the status does not make it count."""
    if retry_after is None or status not in CROWDED_STATUSES:
        return None
    asked = parse_retry_after(retry_after, now=now)
    return None if asked is None else min(asked, LONGEST_RETRY_AFTER_S)


def state_after(
    verdict: Literal["pending", "failed"],
    *,
    is_canceled: bool,
    is_hook_deleted: bool,
    is_hook_active: bool,
    is_automatic: bool,
) -> Literal["pending", "failed", "held", "canceled"]:
    """Say what becomes of a delivery that was not delivered, from the *verdict* on it and what people want by now.

    Canceled by a person or with its hook; else failed when nothing is left to try; else held while its hook is
    disabled, unless somebody asked for it (a test, a resend, a replay); else it goes on.
    """
    if is_canceled or is_hook_deleted:
        return "canceled"
    if verdict == "failed":
        return "failed"
    return "held" if is_automatic and not is_hook_active else "pending"


_SECONDS = re.compile(r"(-?)([0-9]+(?:\.[0-9]+)?)")
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"
_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_DATES = (
    re.compile(rf"{_DAY}, (?P<day>\d\d) {_MONTH} (?P<year>\d{{4}}) {_TIME} GMT", re.ASCII),  # IMF-fixdate
    re.compile(rf"{_LONG_DAY}, (?P<day>\d\d)-{_MONTH}-(?P<year>\d\d) {_TIME} GMT", re.ASCII),  # RFC 850
    re.compile(rf"{_DAY} {_MONTH} (?P<day>[ \d]\d) {_TIME} (?P<year>\d{{4}})", re.ASCII),  # asctime
)
_LONGEST_VALUE = 64
_FULL_YEAR = 4


def parse_retry_after(value: str, *, now: datetime) -> float | None:
    """Return the seconds from *now* (aware) that a Retry-After field asks for: 0 for the past, None for garbage.

    Takes whole seconds and the three HTTP dates (RFC 9110, sections 5.6.7 and 10.2.3), and fractions and negative
    numbers, which some receivers send.
    """
    text = value.strip(" \t")
    if len(text) > _LONGEST_VALUE:
        return None
    if seconds := _SECONDS.fullmatch(text):
        return 0.0 if seconds[1] else float(seconds[2])
    moment = _http_date(text, now=now)
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def _http_date(text: str, *, now: datetime) -> datetime | None:
    match = next(filter(None, (form.fullmatch(text) for form in _DATES)), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) < _FULL_YEAR:
        # RFC 9110, section 5.6.7: more than 50 years ahead means the most recent past year with these two digits.
        year += now.year - now.year % 100
        year -= 100 if year > now.year + 50 else 0
    clock = {part: int(match[part]) for part in ("day", "hour", "minute", "second")}
    clock["second"] = min(clock["second"], 59)  # a leap second has no datetime
    try:
        return datetime(year, _MONTHS.index(match["month"]) + 1, tzinfo=UTC, **clock)
    except ValueError:
        return None
