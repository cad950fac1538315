"""The live tail of the log: rows that came since it was read, and rows that stand differently now.

A poll carries the number of the newest row (``after``) and marks of the rows whose end was not shown yet (``open``), so
that one with nothing to tell costs two look-ups and answers 204.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from flask import Response, request, url_for

from console.core.errors import Invalid
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import Delivery, Hook
from console.services.deliveries import deliveries
from console.services.deliveries.deliveries import FINAL
from console.web import access, hx, lists, times
from console.web.deliveries.asking import asked_of, filter_values, query_of
from console.web.deliveries.shared import pages
from console.web.delivery_rows import rows_of

MOST = 50
"""So many new rows come with one poll; when there are more, the reader is offered the list anew."""

MOST_OPEN = 30
_MARK = re.compile(r"(\d{1,18})([a-z])(\d{1,6})")
_OF_TAIL = ("after", "day", "list", "open")


@pages.get("/deliveries/tail")
@access.requires(Permission.DELIVERIES_VIEW)
def tail() -> Response:
    """Give what is new since ``after`` and what changed of the rows in ``open``; 204 for neither."""
    asked, after, work = asked_of(hook=None), lists.cursor("after"), current_work()
    organization_number = access.place().organization.number
    if asked.problem or after is None:
        return hx.nothing_new()
    marks = dict(_marks(request.args.get("open", "")))
    try:
        found = deliveries.find(
            work, organization_number=organization_number, wanted=asked.wanted, after=after, limit=MOST + 1
        )
    except Invalid:
        return hx.nothing_new()
    open_ = deliveries.numbered(work, organization_number=organization_number, numbers=list(marks)) if marks else []
    changed = [one for one in open_ if _mark(one) != marks[one.number]]
    if not found and not changed:
        return hx.nothing_new()
    fixed = asked.hook if "list" in request.args else None
    if found and (len(found) > MOST or {_day(one) for one in found} != {request.args.get("day")}):
        return hx.page("deliveries/relist.html", count=len(found), most=MOST, first_page=_first_page(fixed))
    return hx.page(
        "deliveries/tail.html",
        rows=rows_of(work, found),
        changed=rows_of(work, changed),
        look={
            "with_hook": fixed is None,
            "selectable": grants(access.place().permissions, Permission.DELIVERIES_RESEND),
        },
        query=query_of(filter_values()),
        poll_url=_address([*found, *open_], after=found[0].number if found else after),
    )


def address_for(rows: Sequence[Delivery], *, hook: Hook | None) -> str:
    """Give the address that tells of news about a list that shows *rows*; *hook* when it is the log of that one."""
    changes = {"hook": hook.id, "list": "hook"} if hook is not None else {}
    newest = rows[0] if rows else None
    return _address(rows, after=newest.number if newest else 0, day=_day(newest) if newest else None, **changes)


def _address(rows: Iterable[Delivery], **changes: object) -> str:
    unfinished = [f"{one.number}{_mark(one)}" for one in rows if one.state not in FINAL]
    return lists.address(url_for("deliveries.tail"), open=",".join(unfinished[:MOST_OPEN]), **changes)


def _day(delivery: Delivery) -> str:
    """Name the day under which the reader finds a delivery: rows of another need a heading, so the whole list."""
    return delivery.created_at.astimezone(times.zone()).date().isoformat()


def _first_page(hook: Hook | None) -> str:
    """Give the list that asks for news: the hook's own, or the organization's with the same filters."""
    nothing = dict.fromkeys(_OF_TAIL)
    if hook is not None:
        return lists.address(url_for("deliveries.of_hook", hook_id=hook.id), hook=None, **nothing)
    return lists.address(url_for("deliveries.index"), **nothing)


def _mark(delivery: Delivery) -> str:
    """Say in a few characters how a delivery stands."""
    return f"{delivery.state[0]}{delivery.attempt_count}"


def _marks(text: str) -> Iterable[tuple[int, str]]:
    for part in text.split(",")[:MOST_OPEN]:
        found = _MARK.fullmatch(part)
        if found:
            yield int(found[1]), found[2] + found[3]
