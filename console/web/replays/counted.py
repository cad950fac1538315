"""What a preview counted, written into the form that starts it: when that form says something else, nothing is sent."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.services.replays.planning import Plan, ReplayDraft

LASTS = timedelta(hours=1)
"""A preview that is older is made anew before anything is sent."""
PARTS = 4


@dataclass(frozen=True, slots=True)
class Counted:
    """A preview: the mark of what it was asked for, when it was made, the newest delivery and event it looked at."""

    mark: str
    at: datetime
    up_to: tuple[int, int]

    def __str__(self) -> str:
        """Write it for the form; ``read`` reads it back."""
        return f"{self.mark} {self.at.isoformat()} {self.up_to[0]} {self.up_to[1]}"


def of(draft: ReplayDraft, plan: Plan, *, at: datetime) -> Counted:
    """Say what was counted."""
    return Counted(mark_of(draft), at, (plan.reach.last_delivery, plan.reach.last_event))


def read(text: str, *, now: datetime) -> Counted | None:
    """Read what a form brings back; None for what is too old, or was never written like that."""
    parts = text.split(" ")
    if len(parts) != PARTS or not all(part.isascii() and part.isdecimal() for part in parts[2:]):
        return None
    try:
        at = datetime.fromisoformat(parts[1])
        is_fresh = timedelta() <= now - at <= LASTS
    except (ValueError, TypeError):  # no moment, or one without a zone
        return None
    return Counted(parts[0], at, (int(parts[2][:18]), int(parts[3][:18]))) if is_fresh else None


def mark_of(draft: ReplayDraft) -> str:
    """Give the same mark for drafts that ask for the same."""
    hook = draft.hook.number if draft.hook else None
    asked = (draft.which.value, hook, draft.event_types, draft.since, draft.until, draft.narrowed)
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]
