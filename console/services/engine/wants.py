"""Wants: of which hooks a worker may claim rows now, how many, and under what restriction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import Row, TextClause, bindparam, text

from console.database import dialect_of
from console.models.base import Moment
from console.services.engine import destinations, limits
from console.services.engine.due import (
    LATELY,
    NOT_AUTOMATIC,
    ORDINARY,
    SUSPECT,
    candidates,
    default_is_exact,
    has_suspects,
    rows_due,
)
from console.services.engine.turns import Key, Seat
from console.services.hooks.hook_fields import SLOT_SIZE
from console.services.work import DELIVERIES_SLOW, Work

MOST_TURNS = 32
MOST_ROWS = 200
ROOM_FACTOR = 4
"""A turn may hold so many rows for each request it may have in flight."""


class Order(Enum):
    """Which of a hook's due rows go."""

    OLDEST = "oldest"
    OTHERS = "others"  # what its open circuit does not hold back: what was asked for, and types that were not refused
    NEWEST = "newest"  # the newest, preferably of such a type: the oldest may be what the receiver cannot take


@dataclass(frozen=True, slots=True)
class Want:
    """How many rows of a hook fit into its turns; *turns* are (slot, cap, limit, rows)."""

    hook: Row[Any]
    turns: tuple[tuple[int, int, int, int], ...]
    rows: int
    restriction: str
    order: Order
    interval: timedelta | None
    start: datetime | None = None
    """Where its rate limit's schedule begins; set once that is locked."""

    @property
    def probes(self) -> bool:
        """Whether it tries a destination whose pause is over; explicit schedules go on through the pause as it is."""
        return bool(self.hook.destination_openings) and not self.hook.is_open and not self.hook.is_exact


@dataclass(frozen=True, slots=True)
class Asked:
    """What a worker asks for; see ``claim``."""

    worker: int
    lane: str
    held: Mapping[Key, Seat]
    without: Collection[int]
    crowding: int | None
    room: int
    only_proven: bool
    alone: bool


def find(work: Work, asked: Asked) -> list[Want]:
    """Find what could be claimed now, the turns that were not served for longest first."""
    now = work.now()
    alone, held, without = asked.alone, asked.held, asked.without
    # Hooks with nothing but suspects would be found first for ever, never served, and leave no room for others.
    which = SUSPECT if alone else ORDINARY if has_suspects(work) else ""
    rows = work.session.execute(
        candidates(dialect_of(work.session), which),
        {
            "now": now,
            "lane": asked.lane,
            "worker": asked.worker,
            "crowding": asked.crowding or 0,
            "turns": 1 if alone else MOST_TURNS + len(held) + SLOT_SIZE * len(without),
            "is_exact": default_is_exact(work),
            "lately": now - LATELY,
            "only_proven": asked.only_proven,
        },
    ).all()
    by_hook: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        if row.number not in without:
            by_hook[row.number].append(row)
    wants: list[Want] = []
    left = 1 if alone else min(MOST_ROWS, asked.room)
    reads_ahead = asked.lane != DELIVERIES_SLOW
    for turns in by_hook.values() if left > 0 else ():
        want = _want(turns, held=held, now=now, left=left, alone=alone, reads_ahead=reads_ahead)
        if want is not None:
            wants.append(want)
            left -= want.rows
        if left <= 0:
            break
    return wants


def _want(
    turns: list[Row[Any]],
    *,
    held: Mapping[Key, Seat],
    now: datetime,
    left: int,
    alone: bool,
    reads_ahead: bool,
) -> Want | None:
    hook = turns[0]
    one_by_one = alone or hook.is_open or hook.openings > 0 or hook.destination_openings > 0
    if alone:
        turns = turns[:1]
    elif one_by_one:
        turns = [turn for turn in turns if turn.slot == 0]  # in every other slot there could be one more at a time
    chosen: list[tuple[int, int, int, int]] = []
    for turn in turns:
        limit = min(SLOT_SIZE, hook.max_in_flight - turn.slot * SLOT_SIZE)
        cap = 1 if one_by_one else min(limit, hook.concurrency - turn.slot * SLOT_SIZE)
        seat = held.get((hook.number, turn.slot), Seat(0, 0))
        if one_by_one or hook.max_in_flight == 1:
            room = 1 - seat.waiting - seat.in_flight
        elif reads_ahead:
            room = ROOM_FACTOR * cap - seat.waiting
        else:
            room = cap - seat.waiting - seat.in_flight  # a slow hook's rows would only be parked
        room = min(room, left - sum(rows for *_, rows in chosen))
        if room > 0:
            chosen.append((turn.slot, cap, 1 if one_by_one else limit, room))
    rows = sum(rows for *_, rows in chosen)
    interval = None
    if hook.rate_limit:
        interval = limits.interval_of(hook.rate_limit)
        start = limits.start_of(hook.next_send_at, now)
        rows = min(rows, 1 + int((now - start) / interval))  # once more under a lock, by within_limits
    if not rows:
        return None
    return Want(hook, tuple(chosen), rows, "" if hook.is_active else NOT_AUTOMATIC, _order(hook), interval)


def _order(hook: Row[Any]) -> Order:
    if hook.is_exact:
        return Order.OLDEST
    if hook.is_open:
        return Order.OTHERS
    return Order.NEWEST if hook.openings else Order.OLDEST


def within_limits(work: Work, wants: Sequence[Want]) -> list[Want]:
    """Cut what rate limits do not allow, by their schedules as they are once nobody else can move them."""
    limited = [want.hook.number for want in wants if want.interval is not None]
    if not limited:
        return list(wants)
    starts = limits.lock(work, limited)
    kept = []
    for want in wants:
        start = starts.get(want.hook.number)
        if want.interval is None:
            kept.append(want)
        elif start is not None and start <= work.now():
            rows = min(want.rows, 1 + int((work.now() - start) / want.interval))
            kept.append(replace(want, rows=rows, start=start))
    return kept


def without_tried(work: Work, wants: Sequence[Want], *, alone: bool) -> list[Want]:
    """Leave out hooks whose destination somebody else tries.

    Destinations are locked in one go, as when results are recorded: in an order of its own, which need not be that of
    the database's collation, a claim could wait for who records, and he for it.
    """
    probing = [want for want in wants if want.probes]
    destinations.load(work, keys={(want.hook.organization_number, want.hook.destination) for want in probing})
    refused = {want.hook.number for want in probing if not _may_probe(work, want, alone=alone)}
    return [want for want in wants if want.hook.number not in refused]


def _may_probe(work: Work, want: Want, *, alone: bool) -> bool:
    """Say whether the rows of a hook may go: of all hooks behind a destination that was silent, one tries it.

    It must have something to send at once: a probe that nobody makes keeps all of them waiting for its whole time.
    """
    ready = work.session.scalar(_ready(want, alone=alone), {"hook": want.hook.number, "now": work.now()})
    return ready is not None and destinations.begin_probe(
        work, organization_number=want.hook.organization_number, name=want.hook.destination
    )


def _ready(want: Want, *, alone: bool) -> TextClause:
    which = SUSPECT if alone else ORDINARY
    return text(f"""
    SELECT 1 {rows_due(":hook", which, want.restriction)}
      AND (d.expires_at IS NULL OR d.expires_at > :now) LIMIT 1""").bindparams(bindparam("now", type_=Moment()))
