"""The dashboard: how deliveries go, what waits, what needs a person, and who does the work."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, url_for

from console.core.permissions import Permission
from console.extensions import collaborators, current_work
from console.services.deliveries import unfinished
from console.services.deliveries.unfinished import Backlog
from console.services.figures import attention, stats
from console.services.figures.stats import Overview, Period, Tally
from console.settings import Settings
from console.web import access, hx
from console.web.filters import figure, milliseconds, percent, relative
from console.web.hooks.shared import name_of
from console.web.series import NEARLY_ALL, PERIODS, latency, period_asked, periods, result_bars

pages = Blueprint("dashboard", __name__, url_prefix="/o/<organization>/")

SETTLED = 0.005
"""A change of less than this share is none worth naming."""

LANES = {
    "deliveries": ("Deliveries", "healthy hooks"),
    "deliveries-slow": ("Slow lane", "hooks that fail or time out"),
    "background": ("Background", "replays and upkeep"),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure of the dashboard, in words, with the address of what it counts."""

    label: str
    value: str
    trend: str
    note: str
    url: str
    tone: str = ""


@pages.get("")
@access.requires(Permission.WEBHOOKS_VIEW)
def show() -> Response:
    """Show the dashboard, or the first steps while there is nothing to show."""
    work, number = current_work(), access.place().organization.number
    period = period_asked()
    overview = stats.overview(work, organization_number=number, period=period)
    is_empty = not (overview.total.attempts or stats.has_events(work, organization_number=number))
    return hx.page(
        "dashboard/show.html",
        block="charts",
        periods=periods("dashboard.show", chosen=period),
        words=PERIODS[period],
        tiles=tiles_of(overview, unfinished.backlog(work, organization_number=number)),
        total=overview.total,
        bars=result_bars(overview),
        band=latency(overview),
        is_empty=is_empty,
        hook_count=stats.hook_count(work, organization_number=number),
        base_url=collaborators().settings.base_url,
        data_setting=data_setting(collaborators().settings),
        **_live(),
    )


def data_setting(settings: Settings) -> str:
    """Return what a shell needs before ``hookyard`` to find this installation: empty for the usual data directory."""
    usual = Settings.model_fields["data"].get_default(call_default_factory=True)
    return "" if settings.data == usual else f"HOOKYARD_DATA={shlex.quote(str(settings.data))} "


@pages.get("live")
@access.requires(Permission.WEBHOOKS_VIEW)
def live() -> Response:
    """Give what needs attention and the workers again."""
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("dashboard.show"))
    return hx.page("dashboard/show.html", block="live", **_live())


def _live() -> dict[str, Any]:
    work, number = current_work(), access.place().organization.number
    return {
        "attention": attention.attention(work, organization_number=number, tokens_of=access.only_own_tokens()),
        "lanes": [(lane, *LANES.get(lane.name, (lane.name, ""))) for lane in stats.lanes(work)],
        "due": unfinished.due_by_lane(work, organization_number=number),
        "name_of": name_of,
    }


def tiles_of(overview: Overview, backlog: Backlog) -> list[Tile]:
    """Put the four figures into words."""
    total, before = overview.total, overview.before
    since = overview.period.value if overview.period is not Period.MONTH else ""
    rate, slow = total.success_rate, total.percentile_ms(NEARLY_ALL)
    return [
        Tile(
            "Delivered",
            figure(total.delivered),
            _change(total.delivered, before.delivered),
            f"last {PERIODS[overview.period]}",
            url_for("deliveries.index", state="delivered", since=since or None),
        ),
        Tile(
            "Success rate",
            percent(rate),
            _points(total, before),
            f"{figure(total.failed)} of {figure(total.attempts)} attempts failed" if total.attempts else "no attempts",
            url_for("deliveries.index", state="failed", since=since or None),
            "bad" if rate is not None and rate < 0.9 else "",  # noqa: PLR2004 what nobody should overlook
        ),
        Tile(
            "Response time",
            milliseconds(slow),
            _change(slow, before.percentile_ms(NEARLY_ALL), faster=True),
            "95% were as fast or faster" if slow is not None else "no attempts",
            url_for("deliveries.index", since=since or None),
        ),
        Tile(
            "Waiting now",
            figure(backlog.pending + backlog.held),
            "",
            _backlog_words(backlog),
            url_for("deliveries.index", state="waiting" if backlog.pending or not backlog.held else "held"),
            "wait" if backlog.pending + backlog.held else "",
        ),
    ]


def _change(now: float | None, before: float | None, *, faster: bool = False) -> str:
    """Say how a figure differs from that of the time before: ``up 12%``; nothing without one to compare with."""
    if not before or now is None:
        return ""
    change = now / before - 1
    if abs(change) < SETTLED:
        return "unchanged"
    up, down = ("slower by", "faster by") if faster else ("up", "down")
    size = f"{abs(change):.0%}" if abs(change) < 10 else f"{now / before:.0f}-fold"  # noqa: PLR2004 1,000 % is no word
    return f"{up if change > 0 else down} {size}"


def _points(now: Tally, before: Tally) -> str:
    if now.success_rate is None or before.success_rate is None:
        return ""
    points = (now.success_rate - before.success_rate) * 100
    if abs(points) < SETTLED * 10:
        return "unchanged"
    return f"{'up' if points > 0 else 'down'} {abs(points):.1f} points"


def _backlog_words(backlog: Backlog) -> str:
    if not backlog.pending and not backlog.held:
        return "nothing waits"
    parts = [f"{figure(backlog.pending)} waiting"] if backlog.pending else []
    parts += [f"{figure(backlog.held)} held"] if backlog.held else []
    if backlog.oldest_at is not None:
        parts.append(f"oldest {relative(backlog.oldest_at, now=current_work().now())}")
    return " · ".join(parts)
