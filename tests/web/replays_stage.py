"""Replays go on when tests tell them to; what a browser sends by the form of a new one."""

from __future__ import annotations

from console.services.replays import steps


def tend(work, clock, times=1):
    for _ in range(times):
        steps.tend(work)
        clock.advance(seconds=1)
    work.session.commit()


def hidden_of(page) -> dict[str, str]:
    """Give what the browser would send by the button that starts the replay."""
    fields = page.select("#what-to-replay input, [form=what-to-replay][type=hidden]")
    sent = [one for one in fields if one.get("type") != "radio" or one.has_attr("checked")]
    chosen = {one["name"]: one.get("value", "") for one in sent if one["name"] != "csrf_token"}
    return chosen | {"hook": (page.select_one("#replay-hook [selected]") or {"value": ""})["value"]}
