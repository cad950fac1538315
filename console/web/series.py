"""Roll-ups as charts: columns with labels, and the series that are stacked in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import request, url_for

from console.core.rollups import SUCCESS
from console.services.figures.stats import Overview, Period
from console.web.charts import Band, Bars, Series, latency_band, stacked_bars
from console.web.lists import Preset

ANSWERS = (("2xx", "2xx"), ("3xx", "3xx"), ("4xx", "4xx"), ("5xx", "5xx"), ("none", "No answer"))
HALF, NEARLY_ALL = 50, 95
PERIODS = {Period.DAY: "24 hours", Period.WEEK: "7 days", Period.MONTH: "30 days"}


def period_asked() -> Period:
    """Read the period of a page's charts from the query string; a day unless it says otherwise."""
    chosen = request.args.get("period", "")
    return Period(chosen) if chosen in set(Period) else Period.DAY


def periods(endpoint: str, *, chosen: Period, **values: Any) -> list[Preset]:
    """Give the periods as links to a page."""
    return [
        Preset(words, url_for(endpoint, period=one.value, **values), one is chosen) for one, words in PERIODS.items()
    ]


def labels_of(overview: Overview) -> list[str]:
    """Name each column: ``14:00`` of a day, ``Thu 12:00`` of a week, ``21 Nov`` of a month; all in UTC."""
    return [_label(column.start, overview.period) for column in overview.columns]


def _label(start: datetime, period: Period) -> str:
    if period is Period.DAY:
        return f"{start:%H:%M}"
    return f"{start:%a %H:%M}" if period is Period.WEEK else f"{start.day} {start:%b}"


def result_bars(overview: Overview) -> Bars:
    """Stack attempts that were answered with a 2xx and those that were not."""
    tallies = [column.tally for column in overview.columns]
    return stacked_bars(
        labels_of(overview),
        series=(
            Series("delivered", "Delivered", [tally.delivered for tally in tallies]),
            Series("failed", "Failed attempts", [tally.failed for tally in tallies]),
        ),
    )


def answer_bars(overview: Overview) -> Bars:
    """Stack attempts by the class of their answer; classes that never came are left out, 2xx excepted."""
    tallies = [column.tally for column in overview.columns]
    layers = [Series(key, name, [tally.classes.get(key, 0) for tally in tallies]) for key, name in ANSWERS]
    return stacked_bars(
        labels_of(overview), series=[layer for layer in layers if layer.key == SUCCESS or any(layer.values)]
    )


def latency(overview: Overview) -> Band:
    """Draw the band between the median and the 95th percentile of how long attempts took."""
    tallies = [column.tally for column in overview.columns]
    return latency_band(
        labels_of(overview),
        lower=[tally.percentile_ms(HALF) for tally in tallies],
        upper=[tally.percentile_ms(NEARLY_ALL) for tally in tallies],
    )
