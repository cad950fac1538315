"""What the replays' pages share: the blueprint, finding the replay of an address, a replay in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint

from console.extensions import current_work
from console.models import Hook, Replay, ReplayState, Which
from console.services.replays import replays, steps
from console.services.replays.replays import Progress
from console.web import access, periods
from console.web.deliveries.asking import CLASS_LABELS, OUTCOME_LABELS
from console.web.delivery_rows import name_of
from console.web.filters import duration

pages = Blueprint("replays", __name__, url_prefix="/o/<organization>/replays")

WRONG = 422
WHICH_WORDS = {
    Which.FAILED: ("Failed", "Every attempt failed, and no more are made."),
    Which.MISSING: (
        "Missing",
        "Never sent, although the hook wants it: the hook is newer, or was off.",
    ),
    Which.ALL: ("All", "Everything that does not wait; what was delivered arrives once more."),
}
STATES = {
    ReplayState.PENDING: ("busy", "clock", "Counting"),
    ReplayState.RUNNING: ("busy", "send", "Running"),
    ReplayState.STOPPING: ("wait", "pause", "Stopping"),
    ReplayState.STOPPED: ("hold", "pause", "Stopped"),
    ReplayState.DONE: ("good", "check", "Done"),
    ReplayState.FAILED: ("bad", "cross", "Broken off"),
}
"""Tone, shape and word of each state."""
CAN_STOP = frozenset({ReplayState.PENDING, ReplayState.RUNNING})
CAN_RESUME = frozenset({ReplayState.STOPPED, ReplayState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A replay as its page and the list show it; *badge* is tone, shape and word, *rest* how long it goes on."""

    id: UUID
    number: int
    title: str
    details: tuple[str, ...]
    badge: tuple[str, str, str]
    author: str
    created_at: datetime
    finished_at: datetime | None
    progress: Progress
    per_second: float | None
    rest: str
    error: str
    is_over: bool
    is_counting: bool
    is_waiting: bool
    can_stop: bool
    can_resume: bool


def replay_of(replay_id: UUID) -> Replay:
    """Give the replay of this address; raise NotFound."""
    number = access.place().organization.number
    return replays.get(current_work(), organization_number=number, replay_id=replay_id)


def rows_of(rows: Sequence[Replay]) -> list[Row]:
    """Describe replays, whose hooks and authors are loaded."""
    progress = replays.progress_of(current_work(), rows)
    return [_row(row, progress[row.number]) for row in rows]


def _row(row: Replay, progress: Progress) -> Row:
    state, author = ReplayState(row.state), row.author
    is_calm = row.calm_s > steps.LOOK_EVERY_S  # nothing ended lately: what is left waits for a retry
    pace = row.per_second if state == ReplayState.RUNNING and not is_calm else None
    return Row(
        id=row.id,
        number=row.number,
        title=title_of(Which(row.which), row.hook),
        details=details_of(row.event_types, since=row.since, until=row.until, narrowed=row.narrowed),
        badge=STATES[state],
        author=author.who if author else "Hookyard",
        created_at=row.created_at,
        finished_at=row.finished_at,
        progress=progress,
        per_second=pace,
        rest=duration(progress.left / pace, parts=2) if pace and progress.left else "",
        error=row.error or "",
        is_over=row.finished_at is not None,
        is_counting=state == ReplayState.PENDING,
        is_waiting=is_calm and state == ReplayState.RUNNING,
        can_stop=state in CAN_STOP,
        can_resume=state in CAN_RESUME,
    )


def title_of(which: Which, hook: Hook | None) -> str:
    """Say what a replay sends and where to."""
    target = name_of(hook) if hook else "all hooks"
    return f"{WHICH_WORDS[which][0]} deliveries of {target}"


def details_of(
    event_types: Sequence[str],
    *,
    since: datetime | None,
    until: datetime | None,
    narrowed: Mapping[str, Any],
) -> tuple[str, ...]:
    """Say what narrows a replay, one thing at a time."""
    found = [", ".join(event_types)] if event_types else []
    if since is not None:
        found.append(f"since {periods.words(since)}")
    if until is not None:
        found.append(f"until {periods.words(until)}")
    return (*found, *_narrowed_words(narrowed))


def _narrowed_words(narrowed: Mapping[str, Any]) -> list[str]:
    """Name the filters of the log that a replay was narrowed by."""
    status_class, outcome = narrowed.get("status_class", ""), narrowed.get("outcome", "")
    parts = {
        "state": ", ".join(narrowed.get("states", ())),
        "answered with": CLASS_LABELS.get(status_class, status_class),
        "status": str(narrowed.get("status") or ""),
        "of": "any attempt" if narrowed.get("any_attempt") else "",
        "outcome": OUTCOME_LABELS.get(outcome, outcome),
        "of replay": str(narrowed.get("replay_number", "")),
        "search": narrowed.get("q", ""),
    }
    return [f"{name} {value}" for name, value in parts.items() if value]
