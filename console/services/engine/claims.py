"""Claims: free turns of hooks with due work become rows to send, each with an attempt row, in one short transaction.

Nothing is sent without a committed attempt row, so a full disk is met before the request. A claim is no parking place:
what is not begun soon is given back, and its attempt row goes, so that the numbers of attempts stay without gaps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, bindparam, text
from sqlalchemy.sql.selectable import TextualSelect

from console.core.health import holds_back
from console.core.verdicts import REASONS, Reason
from console.database import dialect_of
from console.models import Delivery, Event
from console.models.base import Moment
from console.services.engine import limits, turns, wants
from console.services.engine.due import ASKED, NEWEST, NOT_REPLAYED, ORDINARY, REPLAYED, SUSPECT, due_tests, rows_due
from console.services.engine.turns import Key, Seat
from console.services.engine.wants import Asked, Order, Want
from console.services.queries import listing
from console.services.work import DELIVERIES, Work


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


TEST_SLOT = -1
"""The place of tests on a worker's board: no turn has this slot."""
MOST_TESTS = 8

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
    is_proven: bool = False


def claim(
    work: Work,
    *,
    worker: int,
    lane: str,
    held: Mapping[Key, Seat],
    idle: Collection[Key] = (),
    without: Collection[int] = (),
    crowding: int | None = None,
    room: int = wants.MOST_ROWS,
    only_proven: bool = False,
    alone: bool = False,
) -> list[Grant]:
    """Take due rows of up to 32 turns for *worker* and write their attempt rows; an empty list: nothing can be served.

    *held* are the turns that the worker works on, *idle* those it needs no more: they are freed in the same
    transaction. *without* names hooks that are to be left alone. *crowding* is the organization, if any, whose requests
    take up the worker's senders: all others come before it. *room* is how many rows the worker can send; with
    *only_proven* its last senders are kept for hooks that answered lately. *alone* takes a single suspect instead, for
    a worker that has nothing else in hand.
    """
    with work.transaction():
        if idle:
            turns.free(work, worker=worker, turns=idle)
        asked = Asked(
            worker=worker,
            lane=lane,
            held=held,
            without=without,
            crowding=crowding,
            room=room,
            only_proven=only_proven,
            alone=alone,
        )
        found = wants.within_limits(work, wants.without_tried(work, wants.find(work, asked), alone=alone))
        grants = _take(work, worker=worker, found=found, alone=alone) if found else []
        return grants if alone or lane != DELIVERIES else [*grants, *_take_tests(work, worker=worker)]


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


def _take(work: Work, *, worker: int, found: Sequence[Want], alone: bool) -> list[Grant]:
    now = work.now()
    picked = _picked(work, found, which=SUSPECT if alone else ORDINARY, now=now)
    expired = [row.number for row in picked if row.expires_at is not None and row.expires_at <= now]
    if expired:
        expire(work, numbers=expired)
    numbers = [row.number for row in picked if row.expires_at is None or row.expires_at > now]
    if not numbers:
        return []
    rows = _mark(work, numbers, worker=worker, versions={want.hook.number: want.hook.version for want in found})
    grants = _seated(found, rows)
    turns.hold(work, worker=worker, turns=[(grant.hook_number, grant.slot) for grant in grants])
    _advance_schedules(work, found, rows)
    return grants


def _mark(work: Work, numbers: Sequence[int], *, worker: int, versions: Mapping[int, int]) -> dict[int, list[Claimed]]:
    """Make rows the worker's, each with an attempt row; return them by hook."""
    dialect = dialect_of(work.session)
    work.session.execute(listing(dialect, _MARK), {"worker": worker, "numbers": numbers})
    work.session.execute(listing(dialect, _ATTEMPTS), {"worker": worker, "now": work.now(), "numbers": numbers})
    found = work.session.execute(_rows(dialect), {"numbers": numbers}).all()
    return _claimed(found, worker=worker, versions=versions)


def _take_tests(work: Work, *, worker: int) -> list[Grant]:
    """Take tests beside the turns of their hooks, which may be paused, slow, or held by another worker."""
    found = work.session.execute(due_tests(dialect_of(work.session)), {"now": work.now(), "rows": MOST_TESTS}).all()
    if not found:
        return []
    hooks = {row.hook_number: row for row in found}
    rows = _mark(
        work, [row.number for row in found], worker=worker, versions={hook: row.version for hook, row in hooks.items()}
    )
    return [
        Grant(hook, TEST_SLOT, len(tests), len(tests), tuple(tests), hooks[hook].organization_number)
        for hook, tests in rows.items()
    ]


def _picked(work: Work, found: Sequence[Want], *, which: str, now: datetime) -> list[Row[Any]]:
    """Pick due rows of each hook, oldest first; what is replayed comes after all others."""
    special = [row for want in found if want.order is not Order.OLDEST for row in _pick_by_type(work, want, which, now)]
    ordinary = [want for want in found if want.order is Order.OLDEST]
    if not ordinary:
        return special
    replayed = _being_replayed(work, [want.hook.number for want in ordinary])
    parts = [
        (want, f"{want.restriction} {part}".strip())
        for want in ordinary
        for part in ((NOT_REPLAYED, REPLAYED) if want.hook.number in replayed else ("",))
    ]
    parameters: dict[str, Any] = {"now": now}
    for index, (want, _) in enumerate(parts):
        parameters[f"hook{index}"], parameters[f"rows{index}"] = want.hook.number, want.rows
    statement = _pick(dialect_of(work.session), tuple(restriction for _, restriction in parts), which)
    picked = work.session.execute(statement, parameters).all()
    if not replayed:
        return [*special, *picked]
    left = {want.hook.number: want.rows for want in ordinary}
    kept = []
    for row in picked:
        left[row.hook_number] -= 1
        if left[row.hook_number] >= 0:
            kept.append(row)
    return [*special, *kept]


@lru_cache(maxsize=64)
def _pick_newest(dialect: str, conditions: str) -> TextualSelect:
    lock = "FOR UPDATE SKIP LOCKED" if dialect == "postgresql" else ""
    return (
        text(f"""
        SELECT d.number, d.hook_number, d.expires_at, d.event_type {rows_due(":hook", conditions)}
        ORDER BY d.hook_number DESC, d.next_attempt_at DESC LIMIT {NEWEST} {lock}""")
        .bindparams(bindparam("now", type_=Moment()))
        .columns(expires_at=Moment())
    )


def _pick_by_type(work: Work, want: Want, which: str, now: datetime) -> list[Row[Any]]:
    """Pick due rows of a hook whose circuit is or was open: what it does not hold back, or what tries the receiver.

    Only its newest rows are looked at: its backlog may be long, and all of one type.
    """
    dialect, parameters = dialect_of(work.session), {"hook": want.hook.number, "now": now}
    asked = work.session.execute(_pick_newest(dialect, f"{which} {ASKED}"), parameters).all()
    if asked or want.hook.is_destination_open:
        return list(asked[: want.rows])
    rows = work.session.execute(_pick_newest(dialect, f"{which} {want.restriction}"), parameters).all()
    others = [row for row in rows if not holds_back(want.hook.failing_types, row.event_type)]
    if want.order is Order.OTHERS:
        return others[: want.rows]
    return (others or sorted(rows, key=lambda row: -row.number))[: want.rows]


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


def _seated(found: Sequence[Want], rows: Mapping[int, list[Claimed]]) -> list[Grant]:
    """Deal the rows of each hook out to its turns."""
    grants = []
    for want in found:
        mine = rows.get(want.hook.number, [])
        for slot, cap, limit, room in want.turns:
            dealt, mine = mine[:room], mine[room:]
            if dealt:
                organization = want.hook.organization_number
                grants.append(
                    Grant(want.hook.number, slot, cap, limit, tuple(dealt), organization, bool(want.hook.is_proven))
                )
    return grants


def _advance_schedules(work: Work, found: Sequence[Want], rows: Mapping[int, list[Claimed]]) -> None:
    for want in found:
        count = len(rows.get(want.hook.number, ()))
        if want.interval is not None and want.start is not None and count:
            limits.advance(work, want.hook.number, to=want.start + count * want.interval)


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
