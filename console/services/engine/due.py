"""Due work: which hooks can be served now, found by a loose index scan over what is pending."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import bindparam, text
from sqlalchemy.sql.selectable import TextualSelect

from console.database import dialect_of
from console.models import Hook, HookState
from console.models.base import Moment
from console.services.hooks.hook_fields import SLOT_SIZE
from console.services.work import DELIVERIES, DELIVERIES_SLOW, Work

SUSPECT_AFTER = 2
"""A delivery whose worker died so often in a row is claimed alone."""

# A loose index scan: the partial index is entered once per hook, however many rows a hook has due. Ordering all hooks
# by when they were served would walk the idle ones first. The order is the whole index's, so that no other serves: one
# over all of a hook's deliveries would be walked through everything that was ever delivered.
WAITING = """
WITH RECURSIVE waiting (hook) AS (
    SELECT (SELECT hook_number FROM deliveries WHERE state = 'pending'
            ORDER BY hook_number, next_attempt_at LIMIT 1)
    UNION ALL
    SELECT (SELECT d.hook_number FROM deliveries AS d
            WHERE d.state = 'pending' AND d.hook_number > waiting.hook
            ORDER BY d.hook_number, d.next_attempt_at LIMIT 1)
    FROM waiting WHERE waiting.hook IS NOT NULL
)
"""

# A destination's circuit stops hooks that failed there themselves since their last 2xx: the others are answered, or
# nobody knows yet.
# In this order, which CROSS JOIN makes SQLite keep: by itself it would begin with all free turns, the idle ones too.
WITH_DESTINATION = (
    "LEFT JOIN destinations AS x ON x.organization_number = h.organization_number AND x.name = h.destination "
    "AND s.consecutive_failures > 0"
)
_SERVED_HOOKS = f"waiting CROSS JOIN hooks AS h CROSS JOIN hook_states AS s {WITH_DESTINATION}"
_JOINED = "h.number = waiting.hook AND s.hook_number = h.number"

# Values, not EXISTS: of that PostgreSQL would make a join over all that is due, the whole backlog of each hook.
_OLDEST = """(SELECT d.next_attempt_at FROM deliveries AS d WHERE d.hook_number = h.number AND d.state = 'pending'
              ORDER BY d.hook_number, d.next_attempt_at LIMIT 1)"""
_DUE = f"{_OLDEST} <= :now"


def rows_due(hook: str, *which: str) -> str:
    """Write FROM and WHERE of what is due of one hook, an SQL expression; *which* are conditions of this module."""
    return f"""FROM deliveries AS d WHERE d.hook_number = {hook} AND d.state = 'pending'
               AND d.next_attempt_at <= :now {" ".join(which)}"""


def _some_due(which: str) -> str:
    return f"(SELECT 1 {rows_due('h.number', which)} LIMIT 1) IS NOT NULL"


# The rare kinds have partial indexes, which serve conditions that hold theirs word for word.
ORDINARY = f"AND d.interrupted < {SUSPECT_AFTER}"
SUSPECT = f"AND d.interrupted >= {SUSPECT_AFTER}"
NOT_AUTOMATIC = "AND d.trigger <> 'automatic'"
ASKED = f"{NOT_AUTOMATIC} AND d.trigger IN ('test', 'resend')"
REPLAYED = f"{NOT_AUTOMATIC} AND d.trigger = 'replay'"
NOT_REPLAYED = "AND d.trigger <> 'replay'"

# Hooks behind a destination that does not answer are slow.
LANE = f"CASE WHEN x.openings > 0 THEN '{DELIVERIES_SLOW}' ELSE s.lane END"


def _is_ahead(moment: str) -> str:
    return f"({moment} IS NOT NULL AND {moment} > :now)"


_DESTINATION_OPEN = f"({_is_ahead('x.open_until')} OR {_is_ahead('x.probe_until')})"
_OPEN = f"({_is_ahead('s.open_until')} OR {_DESTINATION_OPEN})"
NEWEST = 50
"""So many of a hook's newest due rows are looked at for one that its circuit does not hold back."""
# A circuit that opened over responses holds back the event types that were refused, and no others.
_HELD_BACK = {
    "sqlite": "(s.failing_types IS NULL OR EXISTS (SELECT 1 FROM json_each(s.failing_types) AS f "
    "WHERE f.value IN ('*', d.event_type)))",
    "postgresql": "(s.failing_types IS NULL OR s.failing_types::jsonb ?| ARRAY['*', d.event_type])",
}
_OTHER_TYPE_DUE = f"""(SELECT 1 FROM (
        SELECT d.event_type {rows_due("h.number")} ORDER BY d.hook_number DESC, d.next_attempt_at DESC LIMIT {NEWEST}
    ) AS d WHERE NOT {{held_back}} LIMIT 1) IS NOT NULL"""  # noqa: S608 constants of this module
_EXACT = "(:is_exact OR (h.retry IS NOT NULL AND {kind} <> 'schedule'))"
_KIND = {"sqlite": "json_extract(h.retry, '$.kind')", "postgresql": "(h.retry ->> 'kind')"}
_LIMITED = "(h.rate_limit IS NOT NULL AND s.next_send_at IS NOT NULL AND s.next_send_at > :now)"
GONE = "(h.deleted_at IS NOT NULL AND NOT h.is_trial)"
# An open circuit, the hook's own or its destination's, and a Retry-After hold everything back but explicit schedules
# and what a person asked for just now; a disabled hook gets what was sent again on purpose.
_SERVABLE = f"""
    NOT {GONE}
    AND {_DUE} {{some}}
    AND NOT {_LIMITED}
    AND (h.is_active OR {_some_due(NOT_AUTOMATIC)})
    AND (NOT {_OPEN} OR {_EXACT} OR {_some_due(ASKED)} OR (NOT {_DESTINATION_OPEN} AND {_OTHER_TYPE_DUE}))
"""


def _servable(dialect: str, *, some: str) -> str:
    return _SERVABLE.format(kind=_KIND[dialect], held_back=_HELD_BACK[dialect], some=some)


LATELY = timedelta(hours=1)
# Answered lately, and in the quick lane without any failure: what has just recovered may fail again.
_IS_PROVEN = f"""(s.last_success_at IS NOT NULL AND s.last_success_at > :lately
    AND (s.lane = '{DELIVERIES_SLOW}' OR s.last_failure_at IS NULL OR s.last_failure_at <= :lately))"""
# Of the hooks behind a destination that does not answer, the likeliest to be answered tries it; after an hour without
# any try, whichever comes first.
_LIKELIEST = "s.consecutive_failures + CASE WHEN s.last_success_at IS NULL THEN 1000000 ELSE 0 END"

_ANY_SUSPECT = text(f"SELECT 1 FROM deliveries AS d WHERE d.state = 'pending' {SUSPECT} LIMIT 1")  # noqa: S608 a constant


def has_suspects(work: Work) -> bool:
    """Say whether any delivery that killed its workers waits: nearly never, which an empty index tells."""
    return work.session.scalar(_ANY_SUSPECT) is not None


@lru_cache
def candidates(dialect: str, which: str) -> TextualSelect:
    """Select free turns, and those of the asking worker, of hooks with servable work, longest unserved first.

    Those of the organization ``crowding`` come last; ``only_proven`` leaves out hooks without a 2xx since ``lately``.
    *which* narrows what counts as work; empty is quickest, since the index alone can tell.
    """
    some = f"AND {_some_due(which)}" if which else ""
    servable = _servable(dialect, some=some)
    lock = "FOR UPDATE OF t SKIP LOCKED" if dialect == "postgresql" else ""
    return (
        text(f"""{WAITING}
        SELECT h.number, h.version, h.organization_number, h.destination, h.is_active, h.max_in_flight, h.rate_limit,
               t.slot, s.concurrency, s.openings, s.next_send_at, coalesce(x.openings, 0) AS destination_openings,
               {_OPEN} AS is_open, {_DESTINATION_OPEN} AS is_destination_open, s.failing_types,
               {_EXACT.format(kind=_KIND[dialect])} AS is_exact, {_IS_PROVEN} AS is_proven
        FROM {_SERVED_HOOKS} CROSS JOIN turns AS t
        WHERE {_JOINED} AND t.hook_number = h.number AND {LANE} = :lane
          AND coalesce(t.worker_number, :worker) = :worker
          AND t.slot * {SLOT_SIZE} < s.concurrency AND t.slot * {SLOT_SIZE} < h.max_in_flight
          AND {servable}
          AND (NOT :only_proven OR {_IS_PROVEN})
        ORDER BY h.organization_number = :crowding,
                 CASE WHEN x.openings > 0 AND x.open_until > :lately THEN {_LIKELIEST} ELSE 0 END,
                 t.served_at IS NOT NULL, t.served_at
        LIMIT :turns {lock}""")  # noqa: S608 constants of this module
        .bindparams(bindparam("now", type_=Moment()), bindparam("lately", type_=Moment()))
        .columns(
            is_active=Hook.is_active.type,
            rate_limit=Hook.rate_limit.type,
            next_send_at=Moment(),
            failing_types=HookState.failing_types.type,
        )
    )


@lru_cache
def _due_lanes(dialect: str) -> TextualSelect:
    servable = _servable(dialect, some="")
    return (
        text(f"""{WAITING}
        SELECT {LANE} AS lane, min({_OLDEST}) AS oldest
        FROM {_SERVED_HOOKS}
        WHERE {_JOINED} AND EXISTS (SELECT 1 FROM turns AS t WHERE t.hook_number = h.number AND t.worker_number IS NULL
                      AND t.slot * {SLOT_SIZE} < s.concurrency AND t.slot * {SLOT_SIZE} < h.max_in_flight)
          AND {servable}
        GROUP BY 1""")  # noqa: S608 constants of this module
        .bindparams(bindparam("now", type_=Moment()))
        .columns(oldest=Moment())
    )


def due_lanes(work: Work) -> dict[str, datetime]:
    """Return the lanes with work that could be served now, each with the moment its oldest row fell due."""
    dialect, now = dialect_of(work.session), work.now()
    rows = work.session.execute(_due_lanes(dialect), {"now": now, "is_exact": default_is_exact(work)})
    lanes = {row.lane: row.oldest for row in rows}
    if (test := work.session.execute(due_tests(dialect), {"now": now, "rows": 1}).first()) is not None:
        lanes[DELIVERIES] = min(test.next_attempt_at, lanes.get(DELIVERIES, test.next_attempt_at))
    return lanes


@lru_cache
def due_tests(dialect: str) -> TextualSelect:
    """Select tests that are due, of hooks of any lane: somebody waits for them, so they need no turn of their hook."""
    index = "INDEXED BY ix_deliveries_asked" if dialect == "sqlite" else ""
    lock = "FOR UPDATE OF d SKIP LOCKED" if dialect == "postgresql" else ""
    return (
        text(f"""
        SELECT d.number, d.hook_number, d.expires_at, d.next_attempt_at, h.version, h.organization_number
        FROM deliveries AS d {index} JOIN hooks AS h ON h.number = d.hook_number
        WHERE d.state = 'pending' {ASKED} AND d.trigger = 'test' AND d.next_attempt_at <= :now {ORDINARY} AND NOT {GONE}
        LIMIT :rows {lock}""")  # noqa: S608 constants of this module
        .bindparams(bindparam("now", type_=Moment()))
        .columns(expires_at=Moment(), next_attempt_at=Moment())
    )


def default_is_exact(work: Work) -> bool:
    """Say whether the default schedule is exact, so that no circuit puts it off: an explicit one always is."""
    default = work.settings.default_retry
    return default is not None and default.is_exact


_NEXT_LIMITED = (
    text(f"""
SELECT min(s.next_send_at) AS moment FROM hook_states AS s
JOIN hooks AS h ON h.number = s.hook_number {WITH_DESTINATION}
WHERE {LANE} = :lane AND {_LIMITED} AND {_DUE}""")  # noqa: S608 constants of this module
    .bindparams(bindparam("now", type_=Moment()))
    .columns(moment=Moment())
)


def next_limited(work: Work, *, lane: str, at: datetime) -> datetime | None:
    """Return when the first hook of *lane* that only its rate limit held back *at* that time may go on, or None.

    *at* is when a claim found nothing: its limit may have let it go on since.
    """
    moment: datetime | None = work.session.scalar(_NEXT_LIMITED, {"now": at, "lane": lane})
    return moment
