"""The log: filters in the query string, rows by day, newer and older."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Invalid
from console.core.patterns import is_pattern
from console.core.permissions import Permission, grants
from console.extensions import current_work
from console.models import Delivery, Hook
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.organizations import defaults
from console.web import access, hook_choices, hx, lists, periods
from console.web.deliveries import tail
from console.web.deliveries.asking import (
    ATTEMPT_LABELS,
    CLASS_LABELS,
    OUTCOME_LABELS,
    STATES,
    Asked,
    asked_of,
    chips_of,
    filter_values,
    hook_named,
    query_of,
)
from console.web.deliveries.shared import pages
from console.web.delivery_rows import name_of, rows_of
from console.web.lists import Page, Preset

PRESETS = ("delivered", "waiting", "failed", "held", "canceled")
MOST_FAILED = 1000
"""So many failed deliveries are counted: a reader wants to know whether it is one, some or all of them."""


@pages.get("/deliveries")
@access.requires(Permission.DELIVERIES_VIEW)
def index() -> Response:
    """Show the log of the organization."""
    return _log(hook=None)


@pages.get("/hooks/<uuid:hook_id>/deliveries")
@access.requires(Permission.DELIVERIES_VIEW)
def of_hook(hook_id: UUID) -> Response:
    """Show the log of one hook, also of a deleted one."""
    return _log(hook=hook_named(hook_id))


def _log(*, hook: Hook | None) -> Response:
    work, asked = current_work(), asked_of(hook=hook)
    page: Page[Delivery] = Page(())
    if not asked.problem:
        try:
            page = lists.turn(
                lambda before, after, limit: deliveries.find(
                    work, organization_number=_number(), wanted=asked.wanted, before=before, after=after, limit=limit
                )
            )
        except Invalid as error:
            asked = replace(asked, problem=error.message)
    chips = chips_of(asked, fixed=hook)
    response = hx.page(
        "deliveries/index.html",
        block="log",
        status=422 if asked.problem else 200,
        rows=rows_of(work, page.rows),
        page=page,
        asked=asked,
        fixed=hook,
        chips=chips,
        total=_total(hook) if not page.rows else None,
        presets=_presets(asked),
        periods=periods.choices(asked.period),
        hooks=hook_choices.choices(asked.hook),
        classes=CLASS_LABELS,
        attempts=ATTEMPT_LABELS,
        outcomes=OUTCOME_LABELS,
        may_resend=grants(access.place().permissions, Permission.DELIVERIES_RESEND),
        retention_days=defaults.retention_for(work, access.place().organization),
        tail_url=_tail_url(page, asked, hook=hook),
        is_flowing=request.args.get("tail") == "1",
        query=query_of(filter_values(hook=hook)),
        replay_url=_replay_url(hook) if page.older else "",
        matching=_matching(asked) if page.older else None,
        failed=_failed(asked) if page.rows else None,
        most_failed=MOST_FAILED,
        failed_url=_replay_url(hook),
        back=lists.here(before=request.args.get("before"), after=request.args.get("after")),
        name_of=name_of,
    )
    return lists.push_clean_url(response) if hx.wants_fragment() else response


def _number() -> int:
    return access.place().organization.number


def _presets(asked: Asked) -> list[Preset]:
    rest = [Preset(STATES[name][0], lists.here(state=name), asked.state == name) for name in PRESETS]
    return [Preset("All", lists.here(state=None), not asked.state), *rest]


def _total(hook: Hook | None) -> int:
    everything = DeliveryFilter(hook_number=hook.number if hook else None)
    return deliveries.count(current_work(), organization_number=_number(), wanted=everything)


def _tail_url(page: Page[Delivery], asked: Asked, *, hook: Hook | None) -> str:
    """Give the address that tells of newer rows: only for the first page, and not for a period that is over."""
    if asked.problem or page.newer or asked.period.until is not None:
        return ""
    return tail.address_for(page.rows, hook=hook)


def _replay_url(hook: Hook | None) -> str:
    """Give the page that resends everything that matches, with the filter taken over."""
    values = filter_values(hook=hook)
    which = "failed" if values.get("state") == "failed" else "all"
    return url_for("replays.new") + query_of({"which": which, **values})


def _matching(asked: Asked) -> int | None:
    """Count what the filter lets through, where an index tells; None where the log would have to be walked."""
    wanted = asked.wanted
    if wanted.status_class or wanted.status or wanted.outcome or wanted.q:
        return None
    narrowing = (wanted.hook_number is not None, bool(wanted.event_type), bool(wanted.states))
    if sum(narrowing) > 1 or is_pattern(wanted.event_type or ""):  # no index tells of two things at once
        return None
    return deliveries.count(current_work(), organization_number=_number(), wanted=wanted)


def _failed(asked: Asked) -> int | None:
    """Count what failed for good, where that is what is looked at and the index over it tells; else None."""
    wanted = asked.wanted
    if asked.state != "failed" or any(
        (wanted.status_class, wanted.status, wanted.outcome, wanted.q, wanted.event_type)
    ):
        return None
    return deliveries.count(current_work(), organization_number=_number(), wanted=wanted, cap=MOST_FAILED + 1)
