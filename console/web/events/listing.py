"""The list of events, each with how its deliveries stand."""

from __future__ import annotations

from flask import Response, request

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Event
from console.services.events import events
from console.services.events.event_abouts import abouts
from console.services.events.events import EventFilter
from console.services.figures import stats
from console.services.organizations import defaults, sources
from console.web import access, hx, lists, periods
from console.web.events.shared import fan_out_words, number, pages
from console.web.lists import Chip, Page
from console.web.periods import Period


@pages.get("")
@access.requires(Permission.EVENTS_VIEW)
def index() -> Response:
    """List the events."""
    work, problem, period = current_work(), "", Period()
    values = {name: value.strip() for name, value in request.args.items()}
    try:
        period = periods.read(values, now=work.now())
    except Invalid as error:
        problem = error.message
    wanted = EventFilter(
        type=values.get("type") or None,
        source=values.get("source") or None,
        since=period.since,
        until=period.until,
        q=values.get("q") or None,
    )
    page: Page[Event] = Page(()) if problem else _page(wanted)
    response = hx.page(
        "events/index.html",
        block="list",
        status=422 if problem else 200,
        page=page,
        problem=problem,
        chips=_chips(wanted, period),
        periods=periods.choices(period),
        sources=sources.all_of(work, organization_number=number()),
        wanted=wanted,
        period=period,
        fan_outs=events.fan_outs(work, page.rows),
        abouts=abouts(work, organization_number=number(), numbers=[one.number for one in page.rows], with_source=False),
        tested=events.tested_hooks(work, page.rows),
        fan_out_words=fan_out_words,
        hook_count=stats.hook_count(work, organization_number=number()),
        retention_days=defaults.retention_for(work, access.place().organization),
    )
    return lists.push_clean_url(response) if hx.wants_fragment() else response


def _page(wanted: EventFilter) -> Page[Event]:
    work = current_work()
    return lists.turn(
        lambda before, _after, limit: events.find(
            work, organization_number=number(), wanted=wanted, before=before, limit=limit
        ),
        is_one_way=True,
    )


def _chips(wanted: EventFilter, period: Period) -> list[Chip]:
    return lists.chips(
        {
            "type": ("Event type", wanted.type or ""),
            "source": ("Source", wanted.source or ""),
            **periods.chip(period),
            "q": ("Search", wanted.q or ""),
        }
    )
