"""How much of a replay there is for each hook, and what is left out and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select

from console.models import Delivery, Hook
from console.services.events.matching import Listener, groups_by_type
from console.services.replays.missed import events_of, has_none, missed, targets
from console.services.replays.selection import WAITING_STATES, Scope, Skip, in_a_replay, in_scope, relevant
from console.services.work import Work

LEAST_LOOKED_AT = 1_000
MOST_FILTERED = 1_000
"""Of a hook with a filter a plan looks at so many events; the replay itself meets the others on its way."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a replay would do for one hook: deliveries to send, and how many are left out for each reason."""

    hook: Hook
    to_send: int
    skips: Mapping[Skip, int]

    @property
    def skipped(self) -> int:
        """How many are left out."""
        return sum(self.skips.values())


def shares_of(work: Work, scope: Scope, *, cap: int | None = None) -> tuple[list[Share], bool]:
    """Count what a scope covers, hook by hook, most to send first; True: counting stopped at about *cap* rows.

    Without *cap* everything is counted, but what filters refuse is counted as to be sent.
    """
    to_send: Counter[int] = Counter()
    skips: dict[int, Counter[Skip]] = defaultdict(Counter)
    examined = 0
    for hook_number, state, is_taken, count in _counted_deliveries(work, scope, cap=cap):
        examined += count
        if state in WAITING_STATES:
            skips[hook_number][Skip.WAITING] += count
        elif is_taken:
            skips[hook_number][Skip.IN_REPLAY] += count
        else:
            to_send[hook_number] += count
    is_capped = cap is not None and examined >= cap
    if scope.covers_missing:
        is_capped = _add_missed(work, scope, to_send, skips, cap=cap) or is_capped
    found = select(Hook).where(
        Hook.organization_number == scope.organization_number, Hook.number.in_({*to_send, *skips})
    )
    shares = [_share(scope, hook, to_send[hook.number], skips[hook.number]) for hook in work.session.scalars(found)]
    shares = [share for share in shares if share.to_send or share.skips]
    return sorted(shares, key=lambda share: (-share.to_send, share.hook.number)), is_capped


def _share(scope: Scope, hook: Hook, to_send: int, skips: Counter[Skip]) -> Share:
    if to_send and not scope.may_send_to(hook):
        skips[Skip.DELETED if hook.deleted_at is not None else Skip.DISABLED] += to_send
        to_send = 0
    return Share(hook, to_send, {skip: count for skip, count in skips.items() if count})


def _counted_deliveries(work: Work, scope: Scope, *, cap: int | None) -> Iterable[Any]:
    is_taken = in_a_replay(scope).label("is_taken")
    rows = in_scope(select(Delivery.number), scope).where(relevant(scope.which))
    rows = rows.with_only_columns(Delivery.hook_number, Delivery.state, is_taken)  # type: ignore[assignment]  # a select
    found = (rows if cap is None else rows.limit(cap)).subquery()
    groups = (found.c.hook_number, found.c.state, found.c.is_taken)
    return work.session.execute(select(*groups, func.count()).group_by(*groups)).all()


def _add_missed(
    work: Work, scope: Scope, to_send: Counter[int], skips: dict[int, Counter[Skip]], *, cap: int | None
) -> bool:
    """Add the events that hooks have missed; True: not all were looked at."""
    hooks = targets(work, scope)
    limit = None if cap is None else max(cap // max(len(hooks), 1), LEAST_LOOKED_AT)
    window = events_of(scope, limit=cap).subquery()
    types = work.session.execute(select(window.c.type, window.c.source).distinct()).all()
    groups = groups_by_type(work, organization_number=scope.organization_number, names=[row.type for row in types])
    is_capped = False
    for hook in hooks:
        wanted = {
            (row.type, row.source)
            for row in types
            if hook.subscription.reason_against(event_type=row.type, groups=groups[row.type], source=row.source) is None
        }
        if not wanted:
            continue
        if hook.subscription.filter is not None and limit is not None:
            found = missed(work, scope, hook, after=0, look_at=min(limit, MOST_FILTERED))
            to_send[hook.number] += len(found.rows)
            skips[hook.number][Skip.FILTERED] += len(found.refused)
            is_capped = is_capped or found.has_more
        else:
            count, is_full = _count_missed(work, scope, hook, wanted=wanted, limit=limit)
            to_send[hook.number] += count
            is_capped = is_capped or is_full
    return is_capped


def _count_missed(
    work: Work, scope: Scope, hook: Listener, *, wanted: set[tuple[str, str | None]], limit: int | None
) -> tuple[int, bool]:
    window = events_of(scope, types={name for name, _ in wanted}, limit=limit).subquery()
    groups = (window.c.type, window.c.source)
    rows = work.session.execute(select(*groups, func.count()).where(has_none(window.c.number, hook)).group_by(*groups))
    count = sum(count for name, source, count in rows if (name, source) in wanted)
    is_full = limit is not None and (work.session.scalar(select(func.count()).select_from(window)) or 0) >= limit
    return count, is_full
