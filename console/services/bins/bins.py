"""Bins, the built-in receiver: URLs inside Hookyard that record what they get. Catching it is ``catching``'s."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Select, delete, func, select

from console.core.errors import FieldError, Invalid, NotFound
from console.models import Bin, BinRequest, Delivery
from console.services import audit
from console.services.work import Work

LIFE = timedelta(days=7)
LARGEST_ANSWER = 4096
LONGEST_DELAY_MS = 5000
LONGEST_RETRY_AFTER_S = 86_400
MOST_FAILURES = 1000
LONGEST_NAME = 200

BEFORE, WITHIN = "before", "within"
WAYS_TO_BREAK_OFF = ("", BEFORE, WITHIN)


class Numbered(Protocol):
    """An organization, as a row or as a token's tenant."""

    @property
    def number(self) -> int:
        """Its number."""


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
    query = living(work).where(Bin.organization_number == organization_number)
    if before is not None:
        query = query.where(Bin.number < before)
    return list(work.session.scalars(query.order_by(Bin.number.desc()).limit(limit)))


def get(work: Work, *, organization_number: int, bin_id: UUID) -> Bin:
    """Give a living bin of the organization; raise NotFound."""
    query = living(work).where(Bin.organization_number == organization_number, Bin.id == bin_id)
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


def clear(work: Work, *, cleared: Bin, up_to: int | None = None) -> int:
    """Delete the requests that a bin caught, none with a number above *up_to*; return how many there were."""
    shown = () if up_to is None else (BinRequest.number <= up_to,)
    with work.transaction():
        result = work.session.execute(delete(BinRequest).where(BinRequest.bin_number == cleared.number, *shown))
    return int(result.rowcount)  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives


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


def living(work: Work) -> Select[Bin]:
    """Select the bins whose time is not up."""
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


# --- what they caught ------------------------------------------------------------------------------------------------


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
