"""Catching: a bin records a request, judges its signature, and answers as it was told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from sqlalchemy import delete, select

from console.core.errors import KeyUnavailable, NotFound, TooLarge, TooMany
from console.core.headers import is_sensitive
from console.core.redact import MASK
from console.core.signing import Verification, verify
from console.models import Bin, BinRequest, Delivery, HookSecret
from console.services.bins import bins
from console.services.people.sight import SENT_BY_US
from console.services.work import Work

KEPT_REQUESTS = 200


MOST_PER_SECOND = 20


LARGEST_BODY = 256 * 1024


UNSIGNED = "unsigned"


UNKNOWN = "unknown"
"""No delivery of the bin's organization has that ``webhook-id``, or its secrets cannot be read."""


FAILURE = "This bin was told to fail this request."


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
        bin_ = work.session.scalar(bins.living(work).where(Bin.key == key).with_for_update())
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
            answered_status=0 if answer.breaks_off == bins.BEFORE else answer.status,
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
    """Return whether the value of a header is somebody's secret; signatures are not, and people debug them here."""
    return name.lower() not in SENT_BY_US and is_sensitive(name)


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
