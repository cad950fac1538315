"""One bin: what it caught, newest first, live; each request with what its signature says and what caused it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import NotFound
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import Bin, BinRequest, Delivery
from console.services.bins import bins
from console.services.bins.catching import KEPT_REQUESTS, UNKNOWN, UNSIGNED
from console.web import access, hx, lists
from console.web.bins.shared import answer_words, bin_of, pages, url_of
from console.web.downloads import Readable, attachment, readable

PAGE = 20
ENDINGS = {"clear": Permission.WEBHOOKS_EDIT, "delete": Permission.WEBHOOKS_REMOVE}
"""What can be asked about a bin before it is done, and the permission that it needs."""
VERDICTS = {
    "valid": "The signature is valid",
    "no_match": "No secret of the hook makes this signature: the body or the secret is another one.",
    "malformed": "The signature headers are not as Standard Webhooks writes them.",
    "too_old": "The timestamp is more than 5 minutes old, so receivers refuse it.",
    "too_new": "The timestamp is more than 5 minutes in the future, so receivers refuse it.",
    UNSIGNED: "The request carries no signature.",
    UNKNOWN: "It is signed, but not for a delivery of this organization, so it cannot be checked.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """One request as its bin shows it; *first* is the number of the request that it repeats."""

    number: int
    received_at: datetime
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: Readable
    answered_status: int
    verification: str
    verdict: str
    skew: str
    webhook_id: str
    first: int | None
    delivery: Delivery | None


@pages.get("/<uuid:bin_id>")
@access.requires(Permission.WEBHOOKS_VIEW)
def show(bin_id: UUID) -> Response:
    """Show a bin and what it caught, or ask before it is cleared or deleted (``confirm``)."""
    bin_ = bin_of(bin_id)
    work = current_work()
    act = request.args.get("confirm", "")
    if act in ENDINGS and grants(access.place().permissions, ENDINGS[act]):
        return _question(bin_, act)
    page = lists.turn(
        lambda before, _after, limit: bins.requests_of(work, bin_number=bin_.number, before=before, limit=limit),
        limit=PAGE,
        is_one_way=True,
    )
    latest = page.rows if not page.newer else bins.requests_of(work, bin_number=bin_.number, limit=1)
    newest = latest[0].number if latest else 0
    return hx.page(
        "bins/show.html",
        block="requests",
        bin=bin_,
        page=page,
        caught=_caught(bin_, page.rows),
        count=bins.counts_of(work, bins=[bin_])[bin_.number],
        kept=KEPT_REQUESTS,
        poll_url="" if lists.cursor("before") else url_for("bins.news", bin_id=bin_.id, after=newest),
        url_of=url_of,
        answer_words=answer_words,
        newest=newest,
    )


def _question(bin_: Bin, act: str) -> Response:
    work = current_work()
    latest = next(iter(bins.requests_of(work, bin_number=bin_.number, limit=1)), None)
    return hx.page(
        "bins/confirm.html",
        bin=bin_,
        act=act,
        count=bins.counts_of(work, bins=[bin_])[bin_.number],
        newest=latest.number if latest else 0,
    )


@pages.get("/<uuid:bin_id>/news")
@access.requires(Permission.WEBHOOKS_VIEW)
def news(bin_id: UUID) -> Response:
    """Give what came after the request with the number ``after``; 204 for nothing."""
    bin_ = bin_of(bin_id)
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("bins.show", bin_id=bin_.id))
    found = bins.requests_of(current_work(), bin_number=bin_.number, after=lists.cursor("after") or 0, limit=PAGE)
    if not found:
        return hx.nothing_new()
    return hx.page(
        "bins/news.html",
        bin=bin_,
        caught=_caught(bin_, found),
        count=bins.counts_of(current_work(), bins=[bin_])[bin_.number],
        kept=KEPT_REQUESTS,
        poll_url=url_for("bins.news", bin_id=bin_.id, after=found[0].number),
    )


@pages.get("/<uuid:bin_id>/requests/<int:number>/body")
@access.requires(Permission.WEBHOOKS_VIEW)
def body(bin_id: UUID, number: int) -> Response:
    """Give the body of a request as a file."""
    found = bins.get_request(current_work(), bin_number=bin_of(bin_id).number, number=number)
    if not found.body:
        raise NotFound("body")
    return attachment(found.body, name=f"request-{found.number}.bin")


def _caught(bin_: Bin, requests: Sequence[BinRequest]) -> list[Caught]:
    work = current_work()
    first = bins.duplicates_among(work, bin_number=bin_.number, requests=requests)
    causes = {
        one.number: bins.delivery_behind(work, organization_number=bin_.organization_number, request=one)
        for one in requests
        if one.webhook_id
    }
    return [_one(one, first=first.get(one.number), delivery=causes.get(one.number)) for one in requests]


def _one(one: BinRequest, *, first: int | None, delivery: Delivery | None) -> Caught:
    headers = tuple((str(name), str(value)) for name, value in one.headers)
    return Caught(
        number=one.number,
        received_at=one.received_at,
        method=one.method,
        path=one.path,
        headers=access.sight().caught_headers(one.headers),
        body=readable(one.body, headers=headers),
        answered_status=one.answered_status,
        verification="" if one.verification == UNSIGNED else one.verification,
        verdict=VERDICTS.get(one.verification, one.verification),
        skew=_skew(one.skew_s),
        webhook_id=one.webhook_id or "",
        first=first,
        delivery=delivery,
    )


def _skew(skew_s: float | None) -> str:
    """Say how far the timestamp of a request is from when it came; whole seconds, as timestamps are."""
    if skew_s is None:
        return ""
    seconds = round(skew_s)
    if abs(seconds) <= 1:
        return "signed just before it came"
    return f"signed {seconds} s before it came" if seconds > 0 else f"signed {-seconds} s after it came"
