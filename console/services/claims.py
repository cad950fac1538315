"""Claims: free turns of hooks with due work become rows to send, each with an attempt row, in one short transaction.

Nothing is sent without a committed attempt row, so a full disk is met before the request. A claim is no parking place:
what is not begun soon is given back, and its attempt row goes, so that the numbers of attempts stay without gaps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, bindparam, text
from sqlalchemy.sql.selectable import TextualSelect

from console.core.verdicts import REASONS, Reason
from console.database import dialect_of
from console.models import Delivery, Event, HookState
from console.models.base import Moment
from console.services import destinations
from console.services.due import (
    ASKED,
    NOT_AUTOMATIC,
    NOT_REPLAYED,
    ORDINARY,
    REPLAYED,
    SUSPECT,
    candidates,
    default_is_exact,
    has_suspects,
    rows_due,
)
from console.services.hook_fields import SLOT_SIZE
from console.services.queries import listing
from console.services.work import Work

MOST_TURNS = 32
MOST_ROWS = 200
ROOM_FACTOR = 4
"""A turn may hold so many rows for each request it may have in flight."""
CATCH_UP = timedelta(milliseconds=250)
"""How far a rate limit's schedule may lag behind and be caught up at once."""

Key = tuple[int, int]
"""A turn: number of the hook, slot."""


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What of an event goes into a body; deliveries of one event share it."""

    number: int
    type: str
    payload: bytes
    occurred_at: datetime
    source: str | None
    message: str | None
    context: bytes | None
    object_model: str | None
    object_pk: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that a worker holds; *attempt* is the number of the attempt row that waits for its outcome."""

    number: int
    id: UUID
    claim_no: int
    attempt: int
    chain: int
    chain_failures: int
    interrupted: int
    trigger: str
    is_test: bool
    created_at: datetime
    expires_at: datetime | None
    payload_format: str
    content_type: str
    hook_number: int
    worker: int
    hook_version: int
    event: EventFacts


_DELIVERY_COLUMNS = 14
"""How many fields of a claimed row, from the first, are columns of the delivery; the event's follow in the query."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A turn with rows to send: at most *cap* in flight now, which may grow to *limit* with every 2xx."""

    hook_number: int
    slot: int
    cap: int
    limit: int
    rows: tuple[Claimed, ...]
    organization_number: int = 0


@dataclass(frozen=True, slots=True)
class Seat:
    """What a worker holds of a turn already: rows that wait and requests in flight."""

    waiting: int
    in_flight: int


# --- claim ----------------------------------------------------------------------------------------------------------


def claim(
    work: Work,
    *,
    worker: int,
    lane: str,
    held: Mapping[Key, Seat],
    idle: Collection[Key] = (),
    without: Collection[int] = (),
    crowding: int | None = None,
    alone: bool = False,
) -> list[Grant]:
    """Take due rows of up to 32 turns for *worker* and write their attempt rows; an empty list: nothing can be served.

    *held* are the turns that the worker works on, *idle* those it needs no more: they are freed in the same
    transaction. *without* names hooks that are to be left alone. *crowding* is the organization, if any, whose requests
    take up the worker's senders: all others come before it. *alone* takes a single suspect instead, for a worker that
    has nothing else in hand.
    """
    with work.transaction():
        if idle:
            free_turns(work, worker=worker, turns=idle)
        asked = _Asked(worker=worker, lane=lane, held=held, without=without, crowding=crowding, alone=alone)
        wants = _within_limits(work, _probing(work, _wants(work, asked), alone=alone))
        return _take(work, worker=worker, wants=wants, alone=alone) if wants else []


@dataclass(frozen=True, slots=True)
class _Want:
    """How many rows of a hook fit into its turns; *turns* are (slot, cap, limit, rows)."""

    hook: Row[Any]
    turns: tuple[tuple[int, int, int, int], ...]
    rows: int
    restriction: str
    interval: timedelta | None
    start: datetime | None = None
    """Where its rate limit's schedule begins; set once that is locked."""

    @property
    def probes(self) -> bool:
        """Whether it tries a destination whose pause is over; explicit schedules go on through the pause as it is."""
        return bool(self.hook.destination_openings) and not self.hook.is_open and not self.hook.is_exact


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a worker asks for; see ``claim``."""

    worker: int
    lane: str
    held: Mapping[Key, Seat]
    without: Collection[int]
    crowding: int | None
    alone: bool


def _ready(want: _Want, *, alone: bool) -> TextClause:
    which = SUSPECT if alone else ORDINARY
    return text(f"""
    SELECT 1 {rows_due(":hook", which, want.restriction)}
      AND (d.expires_at IS NULL OR d.expires_at > :now) LIMIT 1""").bindparams(bindparam("now", type_=Moment()))


def _probing(work: Work, wants: Sequence[_Want], *, alone: bool) -> list[_Want]:
    """Leave out hooks whose destination somebody else tries.

    Destinations are locked in their order, as when results are recorded, else two could wait for each other.
    """
    probing = [want for want in wants if want.probes]
    refused = {
        want.hook.number
        for want in sorted(probing, key=lambda want: (want.hook.organization_number, want.hook.destination))
        if not _may_probe(work, want, alone=alone)
    }
    return [want for want in wants if want.hook.number not in refused]


@lru_cache
def _schedules(dialect: str) -> TextualSelect:
    lock = "FOR UPDATE" if dialect == "postgresql" else ""
    return listing(
        dialect,
        f"SELECT hook_number, next_send_at FROM hook_states WHERE hook_number IN :hooks ORDER BY hook_number {lock}",  # noqa: S608 a constant
    ).columns(next_send_at=Moment())


def _within_limits(work: Work, wants: Sequence[_Want]) -> list[_Want]:
    """Cut what rate limits do not allow, by their schedules as they are once nobody else can move them.

    Standings are locked before deliveries, as when results are recorded: in another order each could wait for the
    other. Two workers that hold turns of one hook would otherwise go by one schedule, and send twice as much.
    """
    limited = [want.hook.number for want in wants if want.interval is not None]
    if not limited:
        return list(wants)
    found = work.session.execute(_schedules(dialect_of(work.session)), {"hooks": limited})
    starts = {row.hook_number: _schedule_start(row.next_send_at, work.now()) for row in found.all()}
    kept = []
    for want in wants:
        start = starts.get(want.hook.number)
        if want.interval is None:
            kept.append(want)
        elif start is not None and start <= work.now():
            rows = min(want.rows, 1 + int((work.now() - start) / want.interval))
            kept.append(replace(want, rows=rows, start=start))
    return kept


def _may_probe(work: Work, want: _Want, *, alone: bool) -> bool:
    """Say whether the rows of a hook may go: of all hooks behind a destination that was silent, one tries it.

    It must have something to send at once: a probe that nobody makes keeps all of them waiting for its whole time.
    """
    ready = work.session.scalar(_ready(want, alone=alone), {"hook": want.hook.number, "now": work.now()})
    return ready is not None and destinations.begin_probe(
        work, organization_number=want.hook.organization_number, name=want.hook.destination
    )


def _wants(work: Work, asked: _Asked) -> list[_Want]:
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
        },
    ).all()
    by_hook: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        if row.number not in without:
            by_hook[row.number].append(row)
    wants: list[_Want] = []
    left = 1 if alone else MOST_ROWS
    for turns in by_hook.values():
        want = _want(turns, held=held, now=now, left=left, alone=alone)
        if want is not None:
            wants.append(want)
            left -= want.rows
        if left <= 0:
            break
    return wants


def _want(turns: list[Row[Any]], *, held: Mapping[Key, Seat], now: datetime, left: int, alone: bool) -> _Want | None:
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
        else:
            room = ROOM_FACTOR * cap - seat.waiting
        room = min(room, left - sum(rows for *_, rows in chosen))
        if room > 0:
            chosen.append((turn.slot, cap, 1 if one_by_one else limit, room))
    rows = sum(rows for *_, rows in chosen)
    interval = None
    if hook.rate_limit:
        interval = interval_of(hook.rate_limit)
        start = _schedule_start(hook.next_send_at, now)
        rows = min(rows, 1 + int((now - start) / interval))  # once more under a lock, by _within_limits
    if not rows:
        return None
    return _Want(hook, tuple(chosen), rows, _restriction(hook), interval)


def _restriction(hook: Row[Any]) -> str:
    """Say in SQL which rows of a hook may go while the others wait."""
    parts = [] if hook.is_active else [NOT_AUTOMATIC]
    if hook.is_open and not hook.is_exact:
        parts.append(ASKED)
    return " ".join(parts)


def interval_of(rate_limit: Mapping[str, float]) -> timedelta:
    """Give the time between two attempts at the pace of a rate limit; a hook's next one is never further ahead."""
    return timedelta(seconds=rate_limit["seconds"] / rate_limit["count"])


def _schedule_start(next_send_at: datetime | None, now: datetime) -> datetime:
    return now if next_send_at is None else max(next_send_at, now - CATCH_UP)


@lru_cache(maxsize=256)
def _pick(dialect: str, restrictions: tuple[str, ...], which: str) -> TextualSelect:
    """Select the due rows of several hooks, each with a limit of its own (a lateral join is for PostgreSQL alone)."""
    lock = "FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else ""
    parts = [
        f"""SELECT * FROM (
            SELECT d.number, d.hook_number, d.expires_at {rows_due(f":hook{index}", which, restriction)}
            ORDER BY d.next_attempt_at, d.number LIMIT :rows{index} {lock}) AS part{index}"""  # noqa: S608 as above
        for index, restriction in enumerate(restrictions)
    ]
    return text(" UNION ALL ".join(parts)).bindparams(bindparam("now", type_=Moment())).columns(expires_at=Moment())


_MARK = """
UPDATE deliveries SET state = 'sending', claimed_by = :worker, claim_no = claim_no + 1,
       attempt_count = attempt_count + 1, waiting_reason = NULL
WHERE number IN :numbers"""

_ATTEMPTS = """
INSERT INTO attempts (delivery_number, number, chain, trigger, worker_number, started_at, url, method,
                      charged, is_resent, is_reused, is_truncated)
SELECT d.number, d.attempt_count, d.chain, d.trigger, :worker, :now, h.url, 'POST', false, false, false, false
FROM deliveries AS d JOIN hooks AS h ON h.number = d.hook_number
WHERE d.number IN :numbers"""


@lru_cache
def _rows(dialect: str) -> TextualSelect:
    return listing(
        dialect,
        """
SELECT d.number, d.id, d.claim_no, d.attempt_count, d.chain, d.chain_failures, d.interrupted, d.trigger, d.is_test,
       d.created_at, d.expires_at, d.payload_format, d.content_type, d.hook_number,
       e.number AS event_number, e.type, e.payload, e.occurred_at, e.source, e.message, e.context,
       e.object_model, e.object_pk
FROM deliveries AS d JOIN events AS e ON e.number = d.event_number
WHERE d.number IN :numbers ORDER BY d.next_attempt_at, d.number""",
    ).columns(
        id=Delivery.id.type,
        is_test=Delivery.is_test.type,
        created_at=Moment(),
        expires_at=Moment(),
        occurred_at=Moment(),
        payload=Event.payload.type,
        context=Event.context.type,
    )


def _take(work: Work, *, worker: int, wants: Sequence[_Want], alone: bool) -> list[Grant]:
    now = work.now()
    picked = _picked(work, wants, which=SUSPECT if alone else ORDINARY, now=now)
    expired = [row.number for row in picked if row.expires_at is not None and row.expires_at <= now]
    if expired:
        expire(work, numbers=expired)
    numbers = [row.number for row in picked if row.expires_at is None or row.expires_at > now]
    if not numbers:
        return []
    dialect = dialect_of(work.session)
    work.session.execute(listing(dialect, _MARK), {"worker": worker, "numbers": numbers})
    work.session.execute(listing(dialect, _ATTEMPTS), {"worker": worker, "now": now, "numbers": numbers})
    versions = {want.hook.number: want.hook.version for want in wants}
    rows = _claimed(work.session.execute(_rows(dialect), {"numbers": numbers}).all(), worker=worker, versions=versions)
    grants = _seated(wants, rows)
    _hold_turns(work, worker=worker, grants=grants)
    _advance_schedules(work, wants, rows)
    return grants


def _picked(work: Work, wants: Sequence[_Want], *, which: str, now: datetime) -> list[Row[Any]]:
    """Pick due rows of each hook, oldest first; what is replayed comes after all others."""
    replayed = _being_replayed(work, [want.hook.number for want in wants])
    parts = [
        (want, f"{want.restriction} {part}".strip())
        for want in wants
        for part in ((NOT_REPLAYED, REPLAYED) if want.hook.number in replayed else ("",))
    ]
    parameters: dict[str, Any] = {"now": now}
    for index, (want, _) in enumerate(parts):
        parameters[f"hook{index}"], parameters[f"rows{index}"] = want.hook.number, want.rows
    statement = _pick(dialect_of(work.session), tuple(restriction for _, restriction in parts), which)
    picked = work.session.execute(statement, parameters).all()
    if not replayed:
        return list(picked)
    left = {want.hook.number: want.rows for want in wants}
    kept = []
    for row in picked:
        left[row.hook_number] -= 1
        if left[row.hook_number] >= 0:
            kept.append(row)
    return kept


_REPLAYED_HOOKS = """
SELECT p.hook_number FROM replays AS r JOIN replay_parts AS p ON p.replay_number = r.number
WHERE r.finished_at IS NULL AND p.hook_number IN :hooks"""


def _being_replayed(work: Work, hooks: Sequence[int]) -> frozenset[int]:
    """Say for which hooks a replay goes on."""
    return frozenset(work.session.scalars(listing(dialect_of(work.session), _REPLAYED_HOOKS), {"hooks": hooks}))


def _claimed(rows: Iterable[Row[Any]], *, worker: int, versions: Mapping[int, int]) -> dict[int, list[Claimed]]:
    """Build the claimed rows, by hook."""
    events: dict[int, EventFacts] = {}
    found: dict[int, list[Claimed]] = defaultdict(list)
    for row in rows:
        columns: tuple[Any, ...] = tuple(row)
        delivery, facts = columns[:_DELIVERY_COLUMNS], columns[_DELIVERY_COLUMNS:]
        event = events.setdefault(facts[0], EventFacts(*facts))
        hook = row.hook_number
        found[hook].append(Claimed(*(*delivery, worker, versions[hook], event)))
    return found


def _seated(wants: Sequence[_Want], rows: Mapping[int, list[Claimed]]) -> list[Grant]:
    """Deal the rows of each hook out to its turns."""
    grants = []
    for want in wants:
        mine = rows.get(want.hook.number, [])
        for slot, cap, limit, room in want.turns:
            dealt, mine = mine[:room], mine[room:]
            if dealt:
                organization = want.hook.organization_number
                grants.append(Grant(want.hook.number, slot, cap, limit, tuple(dealt), organization))
    return grants


_HOLD = """
UPDATE turns SET worker_number = :worker, served_at = :now WHERE slot = :slot AND hook_number IN :hooks"""


def _hold_turns(work: Work, *, worker: int, grants: Sequence[Grant]) -> None:
    by_slot: dict[int, list[int]] = defaultdict(list)
    for grant in grants:
        by_slot[grant.slot].append(grant.hook_number)
    for slot, hooks in by_slot.items():
        work.session.execute(
            listing(dialect_of(work.session), _HOLD),
            {"worker": worker, "now": work.now(), "slot": slot, "hooks": hooks},
        )


def _advance_schedules(work: Work, wants: Sequence[_Want], rows: Mapping[int, list[Claimed]]) -> None:
    for want in wants:
        count = len(rows.get(want.hook.number, ()))
        if want.interval is not None and want.start is not None and count:
            work.session.execute(
                HookState.__table__.update()  # type: ignore[attr-defined]  # a Table, as of every mapped class
                .where(HookState.hook_number == want.hook.number)
                .values(next_send_at=want.start + count * want.interval)
            )


# --- letting go -------------------------------------------------------------------------------------------------------

_FREE = """
UPDATE turns SET worker_number = NULL
WHERE worker_number = :worker AND slot = :slot AND hook_number IN :hooks"""


def free_turns(work: Work, *, worker: int, turns: Iterable[Key]) -> None:
    """Let go of turns, inside the caller's transaction."""
    by_slot: dict[int, list[int]] = defaultdict(list)
    for hook, slot in turns:
        by_slot[slot].append(hook)
    for slot, hooks in by_slot.items():
        work.session.execute(listing(dialect_of(work.session), _FREE), {"worker": worker, "slot": slot, "hooks": hooks})


_EXPIRE = """
UPDATE deliveries SET state = 'failed', claimed_by = NULL, next_attempt_at = NULL, waiting_reason = :reason,
       finished_at = :now, modified_at = :now
WHERE number IN :numbers AND state = 'pending' AND expires_at <= :now"""


def expire(work: Work, *, numbers: Collection[int]) -> None:
    """Fail pending deliveries whose time is over, inside the caller's transaction."""
    work.session.execute(
        listing(dialect_of(work.session), _EXPIRE),
        {"numbers": numbers, "now": work.now(), "reason": REASONS[Reason.EXPIRED]},
    )
