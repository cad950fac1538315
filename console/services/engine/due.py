"""Due work: which hooks can be served now, found by a loose index scan over what is pending."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from sqlalchemy import bindparam, text
from sqlalchemy.sql.selectable import TextualSelect

from console.database import dialect_of
from console.models import Hook
from console.models.base import Moment
from console.services.hooks.hook_fields import SLOT_SIZE
from console.services.work import DELIVERIES_SLOW, Work

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

# In this order, which CROSS JOIN makes SQLite keep: by itself it would begin with all free turns, the idle ones too.
WITH_DESTINATION = (
    "LEFT JOIN destinations AS x ON x.organization_number = h.organization_number AND x.name = h.destination"
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

# Hooks behind a destination that gives no answer are slow, whatever each of them has met there itself.
LANE = f"CASE WHEN x.openings > 0 THEN '{DELIVERIES_SLOW}' ELSE s.lane END"

# An open circuit, the hook's own or its destination's, and a Retry-After hold everything back but explicit schedules
# and what a person asked for just now; a disabled hook gets what was sent again on purpose.
_OPEN = f"""({
    " OR ".join(
        f"({moment} IS NOT NULL AND {moment} > :now)" for moment in ("s.open_until", "x.open_until", "x.probe_until")
    )
})"""
_EXACT = "(:is_exact OR (h.retry IS NOT NULL AND {kind} <> 'schedule'))"
_KIND = {"sqlite": "json_extract(h.retry, '$.kind')", "postgresql": "(h.retry ->> 'kind')"}
_LIMITED = "(h.rate_limit IS NOT NULL AND s.next_send_at IS NOT NULL AND s.next_send_at > :now)"
GONE = "(h.deleted_at IS NOT NULL AND NOT h.is_trial)"
_SERVABLE = f"""
    NOT {GONE}
    AND {_DUE} {{some}}
    AND NOT {_LIMITED}
    AND (h.is_active OR {_some_due(NOT_AUTOMATIC)})
    AND (NOT {_OPEN} OR {_EXACT} OR {_some_due(ASKED)})
"""


_ANY_SUSPECT = text(f"SELECT 1 FROM deliveries AS d WHERE d.state = 'pending' {SUSPECT} LIMIT 1")  # noqa: S608 a constant


def has_suspects(work: Work) -> bool:
    """Say whether any delivery that killed its workers waits: nearly never, which an empty index tells."""
    return work.session.scalar(_ANY_SUSPECT) is not None


@lru_cache
def candidates(dialect: str, which: str) -> TextualSelect:
    """Select free turns, and those of the asking worker, of hooks with servable work, longest unserved first.

    Those of the organization ``crowding`` come last. *which* narrows what counts as work; empty is quickest, since the
    index alone can tell.
    """
    some = f"AND {_some_due(which)}" if which else ""
    servable = _SERVABLE.format(kind=_KIND[dialect], some=some)
    lock = "FOR UPDATE OF t SKIP LOCKED" if dialect == "postgresql" else ""
    return (
        text(f"""{WAITING}
        SELECT h.number, h.version, h.organization_number, h.destination, h.is_active, h.max_in_flight, h.rate_limit,
               t.slot, s.concurrency, s.openings, s.next_send_at, coalesce(x.openings, 0) AS destination_openings,
               {_OPEN} AS is_open, {_EXACT.format(kind=_KIND[dialect])} AS is_exact
        FROM {_SERVED_HOOKS} CROSS JOIN turns AS t
        WHERE {_JOINED} AND t.hook_number = h.number AND {LANE} = :lane
          AND coalesce(t.worker_number, :worker) = :worker
          AND t.slot * {SLOT_SIZE} < s.concurrency AND t.slot * {SLOT_SIZE} < h.max_in_flight
          AND {servable}
        ORDER BY h.organization_number = :crowding, t.served_at IS NOT NULL, t.served_at
        LIMIT :turns {lock}""")  # noqa: S608 constants of this module
        .bindparams(bindparam("now", type_=Moment()))
        .columns(is_active=Hook.is_active.type, rate_limit=Hook.rate_limit.type, next_send_at=Moment())
    )


@lru_cache
def _due_lanes(dialect: str) -> TextualSelect:
    servable = _SERVABLE.format(kind=_KIND[dialect], some="")
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
    """Say which lanes have work that a free turn could serve now, each with the moment its oldest row fell due."""
    rows = work.session.execute(
        _due_lanes(dialect_of(work.session)), {"now": work.now(), "is_exact": default_is_exact(work)}
    )
    return {row.lane: row.oldest for row in rows}


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


def next_limited(work: Work, *, lane: str) -> datetime | None:
    """Say when the first hook of *lane* that only its rate limit holds back may go on; None: there is none."""
    moment: datetime | None = work.session.scalar(_NEXT_LIMITED, {"now": work.now(), "lane": lane})
    return moment
