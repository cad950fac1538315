"""Bins, the built-in receiver: URLs inside Hookyard that record what they get and answer as they were told."""

from __future__ import annotations

import math
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Select, delete, func, select

from console.core.errors import FieldError, Invalid, KeyUnavailable, NotFound, TooLarge, TooMany
from console.core.headers import is_sensitive
from console.core.redact import MASK
from console.core.signing import Verification, verify
from console.models import Bin, BinRequest, Delivery, HookSecret
from console.services import audit
from console.services.work import Work

LIFE = timedelta(days=7)
KEPT_REQUESTS = 200
MOST_PER_SECOND = 20
LARGEST_BODY = 256 * 1024
LARGEST_ANSWER = 4096
LONGEST_DELAY_MS = 5000
LONGEST_RETRY_AFTER_S = 86_400
MOST_FAILURES = 1000
LONGEST_NAME = 200

UNSIGNED = "unsigned"
UNKNOWN = "unknown"
"""No delivery of the bin's organization has that ``webhook-id``, or its secrets cannot be read."""

BEFORE, WITHIN = "before", "within"
WAYS_TO_BREAK_OFF = ("", BEFORE, WITHIN)
FAILURE = "This bin was told to fail this request."
_SENT_BY_US = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})


class Numbered(Protocol):
    """An organization, as a row or as a token's tenant."""

    @property
    def number(self) -> int:
        """Its number."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bin answers: the body is what its owner wrote, never the request's own text; wait *delay_ms* first.

    *breaks_off* is empty, BEFORE (the connection is closed without an answer) or WITHIN (in the middle of the body).
    """

    status: int
    body: str
    headers: Mapping[str, str]
    delay_ms: int
    breaks_off: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a signature says: *verified_with* is the number of the HookSecret, *skew_s* how late the request came."""

    webhook_id: str | None
    verification: str
    verified_with: str | None
    skew_s: float | None


# --- bins -----------------------------------------------------------------------------------------------------------


def create(work: Work, *, organization: Numbered, name: str, is_pinned: bool = False, **answer: Any) -> Bin:
    """Make a bin with an unguessable address, for 7 days unless pinned; *answer* as in ``change``. Raise Invalid."""
    values = _checked({"name": name, **answer})
    now = work.now()
    caught_in = Bin(
        id=work.new_id(),
        organization_number=organization.number,
        key=urlsafe_b64encode(work.token_bytes(16)).decode().rstrip("="),
        created_at=now,
        expires_at=None if is_pinned else now + LIFE,
        **values,
    )
    with work.transaction():
        work.session.add(caught_in)
        work.session.flush()
        _audit(work, caught_in, "bin.created")
    return caught_in


def find(work: Work, *, organization_number: int, before: int | None = None, limit: int = 50) -> list[Bin]:
    """List living bins, newest first, with a number below *before*."""
    query = _living(work).where(Bin.organization_number == organization_number)
    if before is not None:
        query = query.where(Bin.number < before)
    return list(work.session.scalars(query.order_by(Bin.number.desc()).limit(limit)))


def get(work: Work, *, organization_number: int, bin_id: UUID) -> Bin:
    """Give a living bin of the organization; raise NotFound."""
    query = _living(work).where(Bin.organization_number == organization_number, Bin.id == bin_id)
    found = work.session.scalar(query)
    if found is None:
        raise NotFound("bin")
    return found


def counts_of(work: Work, *, bins: Sequence[Bin]) -> dict[int, int]:
    """Count the requests that each bin holds, by the bin's number."""
    numbers = [one.number for one in bins]
    query = select(BinRequest.bin_number, func.count()).where(BinRequest.bin_number.in_(numbers))
    counts = dict(work.session.execute(query.group_by(BinRequest.bin_number)).all())
    return {number: counts.get(number, 0) for number in numbers}


def change(work: Work, *, changed: Bin, is_pinned: bool | None = None, **fields: Any) -> Bin:
    """Set any of the fields, and the pin; raise Invalid.

    They are ``name answer_status answer_body retry_after_s delay_ms breaks_off fail_next``.
    """
    values = _checked(fields)
    with work.transaction():
        before = {name: getattr(changed, name) for name in values}
        for name, value in values.items():
            setattr(changed, name, value)
        if is_pinned is not None:
            changed.expires_at = None if is_pinned else work.now() + LIFE
        changes = {name: [before[name], value] for name, value in values.items() if before[name] != value}
        if changes or is_pinned is not None:
            _audit(work, changed, "bin.updated", changes)
    return changed


def clear(work: Work, *, cleared: Bin) -> None:
    """Forget the requests that a bin caught."""
    with work.transaction():
        work.session.execute(delete(BinRequest).where(BinRequest.bin_number == cleared.number))


def remove(work: Work, *, removed: Bin) -> None:
    """Delete a bin and what it caught; its address then answers 404."""
    with work.transaction():
        _audit(work, removed, "bin.deleted")
        work.session.delete(removed)


def remove_expired(work: Work, *, limit: int = 100) -> int:
    """Delete bins whose time is up, at most *limit*; say how many."""
    with work.transaction():
        expired = select(Bin.number).where(Bin.expires_at <= work.now()).order_by(Bin.number).limit(limit)
        numbers = list(work.session.scalars(expired))
        work.session.execute(delete(Bin).where(Bin.number.in_(numbers)))
    return len(numbers)


def _living(work: Work) -> Select[Bin]:
    return select(Bin).where((Bin.expires_at.is_(None)) | (Bin.expires_at > work.now()))


_RANGES = {
    "answer_status": (200, 599),
    "retry_after_s": (0, LONGEST_RETRY_AFTER_S),
    "delay_ms": (0, LONGEST_DELAY_MS),
    "fail_next": (0, MOST_FAILURES),
}


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(fields) - {*_RANGES, "name", "answer_body", "breaks_off"}
    if unknown:
        raise TypeError(f"a bin has no field {', '.join(sorted(unknown))}")
    wrong = [
        FieldError(f"/{name}", "range", f"Choose a whole number from {low} to {high}.")
        for name, (low, high) in _RANGES.items()
        if name in fields and not _is_between(fields[name], low, high, nullable=name == "retry_after_s")
    ]
    if fields.get("breaks_off", "") not in WAYS_TO_BREAK_OFF:
        wrong.append(FieldError("/breaks_off", "choice", "Choose one of the ways to answer."))
    name, body = fields.get("name", "-"), fields.get("answer_body", "")
    if not 1 <= len(name.strip()) <= LONGEST_NAME or "\x00" in name:
        wrong.append(FieldError("/name", "length", f"A name has 1 to {LONGEST_NAME} characters."))
    if len(body.encode()) > LARGEST_ANSWER or "\x00" in body:
        wrong.append(FieldError("/answer_body", "too_long", f"An answer has at most {LARGEST_ANSWER} bytes of text."))
    if wrong:
        raise Invalid(*wrong)
    return dict(fields)


def _is_between(value: Any, low: int, high: int, *, nullable: bool) -> bool:
    if value is None:
        return nullable
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _audit(work: Work, about: Bin, action: str, changes: Mapping[str, Any] | None = None) -> None:
    audit.record(
        work,
        action=action,
        organization_number=about.organization_number,
        object_type="bin",
        object_id=str(about.id),
        object_name=about.name,
        changes=changes,
    )


# --- catching -------------------------------------------------------------------------------------------------------


def catch(
    work: Work,
    *,
    key: str,
    method: str,
    path: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    now: datetime | None = None,
) -> Answer:
    """Record a request at the address of a bin and say what to answer; *now* is when it came, if not just now.

    Raise NotFound, TooLarge for a body over 256 KiB, TooMany for the 21st request within a second.
    """
    now = now or work.now()
    if len(body) > LARGEST_BODY:
        raise TooLarge(f"A bin takes bodies of up to {LARGEST_BODY // 1024} KiB.")
    pairs = [(_plain(name), _plain(value)) for name, value in headers]
    with work.transaction():
        # The lock makes requests of one bin take turns: the rate, the countdown and the last 200 are exact.
        bin_ = work.session.scalar(_living(work).where(Bin.key == key).with_for_update())
        if bin_ is None:
            raise NotFound("bin")
        _check_rate(work, bin_, now=now)
        receipt = _receipt(work, bin_, pairs, body=body, now=now)
        answer = _answer(bin_)
        request = BinRequest(
            bin_number=bin_.number,
            received_at=now,
            method=_plain(method)[:40],
            path=_plain(path)[:2048],
            headers=[[name, MASK if _is_hidden(name) else value] for name, value in pairs],
            webhook_id=receipt.webhook_id,
            verification=receipt.verification,
            verified_with=receipt.verified_with,
            skew_s=receipt.skew_s,
            answered_status=0 if answer.breaks_off == BEFORE else answer.status,
            body=body,
        )
        work.session.add(request)
        work.session.flush()
        _forget_the_oldest(work, bin_)
    return answer


def _check_rate(work: Work, bin_: Bin, *, now: datetime) -> None:
    recent = select(BinRequest.received_at).where(BinRequest.bin_number == bin_.number)
    nth = work.session.scalar(recent.order_by(BinRequest.number.desc()).offset(MOST_PER_SECOND - 1).limit(1))
    if nth is not None and nth > now - timedelta(seconds=1):
        raise TooMany(f"A bin takes {MOST_PER_SECOND} requests a second.", retry_after_s=1)


def _answer(bin_: Bin) -> Answer:
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    if bin_.retry_after_s is not None:
        headers["Retry-After"] = str(bin_.retry_after_s)
    if bin_.fail_next > 0:
        bin_.fail_next -= 1
        return Answer(500, FAILURE, headers, bin_.delay_ms)
    if HTTPStatus.MULTIPLE_CHOICES <= bin_.answer_status < HTTPStatus.BAD_REQUEST:
        headers["Location"] = f"/in/{bin_.key}"  # its own address: a bin leads nobody elsewhere
    return Answer(bin_.answer_status, bin_.answer_body, headers, bin_.delay_ms, bin_.breaks_off)


def _forget_the_oldest(work: Work, bin_: Bin) -> None:
    numbers = select(BinRequest.number).where(BinRequest.bin_number == bin_.number)
    oldest = work.session.scalar(numbers.order_by(BinRequest.number.desc()).offset(KEPT_REQUESTS).limit(1))
    if oldest is not None:
        gone = (BinRequest.bin_number == bin_.number, BinRequest.number <= oldest)
        work.session.execute(delete(BinRequest).where(*gone))


def _plain(text: str) -> str:
    """Write text that a database takes, whatever a stranger sent: no NUL, no lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _is_hidden(name: str) -> bool:
    """Say whether the value of a header is somebody's secret; signatures are not, and people debug them here."""
    return name.lower() not in _SENT_BY_US and (is_sensitive(name) or name.lower() in {"cookie", "x-csrf"})


# --- what a request says about itself -------------------------------------------------------------------------------


def _receipt(work: Work, bin_: Bin, headers: list[tuple[str, str]], *, body: bytes, now: datetime) -> Receipt:
    """Judge the signature with the secrets of the hook that the delivery named by ``webhook-id`` belongs to."""
    given = {name.lower(): value for name, value in headers}
    webhook_id, stamp = given.get("webhook-id"), given.get("webhook-timestamp", "")
    is_number = stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12  # noqa: PLR2004 up to the year 33658
    skew_s = now.timestamp() - int(stamp) if is_number else None
    shown_id = webhook_id[:100] if webhook_id else None
    signature = given.get("webhook-signature")
    if not webhook_id or not signature:
        return Receipt(shown_id, UNSIGNED, None, skew_s)
    best, secret_number = UNKNOWN, None
    for secret in _secrets_behind(work, bin_, webhook_id):
        try:
            opened = work.keys.open(secret.sealed)
        except KeyUnavailable:
            continue
        verdict = verify(
            message_id=webhook_id,
            timestamp=stamp,
            body=body,
            signature_header=signature,
            secret=opened,
            now=math.floor(now.timestamp()),
        )
        best = verdict.value
        if verdict is Verification.VALID:
            secret_number = str(secret.number)
            break
    return Receipt(shown_id, best, secret_number, skew_s)


def _secrets_behind(work: Work, bin_: Bin, webhook_id: str) -> list[HookSecret]:
    """Give the secrets, newest first, of the hook whose delivery that is; none when it is not the organization's."""
    try:
        delivery_id = UUID(webhook_id)
    except ValueError:
        return []
    query = (
        select(HookSecret)
        .join(Delivery, Delivery.hook_number == HookSecret.hook_number)
        .where(Delivery.id == delivery_id, Delivery.organization_number == bin_.organization_number)
        .order_by(HookSecret.number.desc())
    )
    return list(work.session.scalars(query))


# --- requests -------------------------------------------------------------------------------------------------------


def requests_of(
    work: Work, *, bin_number: int, before: int | None = None, after: int | None = None, limit: int = 50
) -> list[BinRequest]:
    """List what a bin caught, newest first: below *before*, or above *after* (what is new since a page was read)."""
    query = select(BinRequest).where(BinRequest.bin_number == bin_number)
    if before is not None:
        query = query.where(BinRequest.number < before)
    if after is not None:
        query = query.where(BinRequest.number > after)
    return list(work.session.scalars(query.order_by(BinRequest.number.desc()).limit(limit)))


def get_request(work: Work, *, bin_number: int, number: int) -> BinRequest:
    """Give one request of a bin; raise NotFound."""
    query = select(BinRequest).where(BinRequest.bin_number == bin_number, BinRequest.number == number)
    request = work.session.scalar(query)
    if request is None:
        raise NotFound("request")
    return request


def duplicates_among(work: Work, *, bin_number: int, requests: Sequence[BinRequest]) -> dict[int, int]:
    """Map the number of each request that repeats an earlier one's ``webhook-id`` to the number of the first."""
    ids = {request.webhook_id for request in requests if request.webhook_id}
    query = select(BinRequest.webhook_id, func.min(BinRequest.number)).where(
        BinRequest.bin_number == bin_number, BinRequest.webhook_id.in_(ids)
    )
    first = dict(work.session.execute(query.group_by(BinRequest.webhook_id)).all())
    return {
        request.number: first[request.webhook_id]
        for request in requests
        if request.webhook_id in first and first[request.webhook_id] < request.number
    }


def delivery_behind(work: Work, *, organization_number: int, request: BinRequest) -> Delivery | None:
    """Give the delivery that caused a request, when it is one of the organization's."""
    try:
        delivery_id = UUID(request.webhook_id or "")
    except ValueError:
        return None
    query = select(Delivery).where(Delivery.id == delivery_id, Delivery.organization_number == organization_number)
    return work.session.scalar(query)
