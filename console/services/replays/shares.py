"""How much of a replay there is for each hook, and what is left out and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Subquery, func, select

from console.models import Delivery, Hook
from console.services.events.judging import PAGE_S, Budget
from console.services.events.matching import Listener, groups_by_type
from console.services.queries import among
from console.services.replays.missed import events_of, missed, targets
from console.services.replays.selection import WAITING_STATES, Scope, Skip, in_a_replay, in_scope, relevant
from console.services.work import Work

MOST_FILTERED = 1_000
"""Of a hook with a filter a plan looks at so many events; the replay itself meets the others on its way."""


Kind: TypeAlias = tuple[str, str | None]
"""Type and source of events: all of a kind are wanted by a hook without a filter, or none."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a replay would do for one hook: deliveries to send, and how many are left out for each reason.

    *missed* of those to send are events that have no delivery yet.
    """

    hook: Hook
    to_send: int
    skips: Mapping[Skip, int]
    missed: int = 0

    @property
    def skipped(self) -> int:
        """How many are left out."""
        return sum(self.skips.values())


def shares_of(
    work: Work, scope: Scope, *, cap: int | None = None, sendable_alone: bool = False
) -> tuple[list[Share], bool]:
    """Count what a scope covers, hook by hook, most to send first; True: counting stopped at about *cap* rows.

    Without *cap* everything is counted, but what filters refuse is counted as to be sent. *sendable_alone* leaves out
    the hooks that get nothing anyhow, which could use up the cap.
    """
    to_send: Counter[int] = Counter()
    skips: dict[int, Counter[Skip]] = defaultdict(Counter)
    examined = 0
    for hook_number, state, is_taken, count in _counted_deliveries(work, scope, cap=cap, sendable_alone=sendable_alone):
        examined += count
        if state in WAITING_STATES:
            skips[hook_number][Skip.WAITING] += count
        elif is_taken:
            skips[hook_number][Skip.IN_REPLAY] += count
        else:
            to_send[hook_number] += count
    is_capped = cap is not None and examined >= cap
    lost: Counter[int] = Counter()
    if scope.covers_missing:
        lost, has_more = _count_missed(work, scope, skips, cap=cap)
        to_send += lost
        is_capped = is_capped or has_more
    found = select(Hook).where(
        Hook.organization_number == scope.organization_number, among(work.session, Hook.number, [*{*to_send, *skips}])
    )
    shares = [
        _share(scope, hook, to_send[hook.number], skips[hook.number], missed=lost[hook.number])
        for hook in work.session.scalars(found)
    ]
    shares = [share for share in shares if share.to_send or share.skips]
    return sorted(shares, key=lambda share: (-share.to_send, share.hook.number)), is_capped


def _share(scope: Scope, hook: Hook, to_send: int, skips: Counter[Skip], *, missed: int) -> Share:
    if to_send and not scope.may_send_to(hook):
        skips[Skip.DELETED if hook.deleted_at is not None else Skip.DISABLED] += to_send
        to_send = missed = 0
    return Share(hook, to_send, {skip: count for skip, count in skips.items() if count}, missed)


def _counted_deliveries(work: Work, scope: Scope, *, cap: int | None, sendable_alone: bool) -> Iterable[Any]:
    is_taken = in_a_replay(scope).label("is_taken")
    rows = in_scope(select(Delivery.number), scope).where(relevant(scope.which))
    if sendable_alone:
        rows = rows.join(Delivery.hook).where(Hook.deleted_at.is_(None), Hook.is_active | scope.reaches_disabled)
    rows = rows.with_only_columns(Delivery.hook_number, Delivery.state, is_taken)  # type: ignore[assignment]  # a select
    found = (rows if cap is None else rows.limit(cap)).subquery()
    groups = (found.c.hook_number, found.c.state, found.c.is_taken)
    return work.session.execute(select(*groups, func.count()).group_by(*groups)).all()


def _count_missed(
    work: Work, scope: Scope, skips: dict[int, Counter[Skip]], *, cap: int | None
) -> tuple[Counter[int], bool]:
    """Count the events that hooks have missed, by hook; True: not all were looked at."""
    lost: Counter[int] = Counter()
    there_are = _made(work, events_of(scope, limit=cap).subquery())
    is_capped = cap is not None and sum(there_are.values()) >= cap  # types that come later are not known yet
    plain: dict[int, set[Kind]] = {}
    budget = Budget(PAGE_S)
    for hook, kinds in _wanted(work, scope, list(there_are)):
        if cap is None or hook.subscription.filter is None:
            plain[hook.number] = kinds
            continue
        found = missed(work, scope, hook, after=0, look_at=MOST_FILTERED, budget=budget)
        lost[hook.number] = len(found.rows)
        skips[hook.number][Skip.FILTERED] += len(found.refused)
        is_capped = is_capped or found.has_more
    if not plain:
        return lost, is_capped
    window = events_of(scope, types={name for kinds in plain.values() for name, _ in kinds}, limit=cap).subquery()
    made, served = _made(work, window), _served(work, window, hooks=list(plain))
    for number, kinds in plain.items():
        lost[number] = sum(max(made.get(kind, 0) - served.get((number, *kind), 0), 0) for kind in kinds)
    return lost, is_capped or (cap is not None and sum(made.values()) >= cap)


def _wanted(work: Work, scope: Scope, kinds: Sequence[Kind]) -> list[tuple[Listener, set[Kind]]]:
    """Give the hooks with what they want of *kinds*, those left out that want nothing of it."""
    groups = groups_by_type(work, organization_number=scope.organization_number, names=[name for name, _ in kinds])
    found = []
    for hook in targets(work, scope):
        refusal = hook.subscription.reason_against
        # What has no source is never refused for it: most types are passed over before sources are looked at.
        heard = {name for name in groups if refusal(event_type=name, groups=groups[name], source=None) is None}
        wanted = {
            (name, source)
            for name, source in kinds
            if name in heard and refusal(event_type=name, groups=groups[name], source=source) is None
        }
        if wanted:
            found.append((hook, wanted))
    return found


def _made(work: Work, window: Subquery) -> dict[Kind, int]:
    """Count the events of a window by their kind."""
    rows = work.session.execute(select(*_kind(window), func.count()).group_by(*_kind(window)))
    return {(name, source): count for name, source, count in rows}


def _served(work: Work, window: Subquery, *, hooks: Sequence[int]) -> dict[tuple[int, str, str | None], int]:
    """Count the deliveries that there are of a window's events, by hook and kind: an index alone can tell."""
    groups = (Delivery.hook_number, *_kind(window))
    query = select(*groups, func.count()).join_from(window, Delivery, Delivery.event_number == window.c.number)
    if len(hooks) == 1:  # several are not asked for by name: SQLite would look each of them up for each event
        query = query.where(Delivery.hook_number == hooks[0])
    rows = work.session.execute(query.group_by(*groups))
    return {(hook, name, source): count for hook, name, source, count in rows}


def _kind(window: Subquery) -> tuple[ColumnElement[str], ColumnElement[str | None]]:
    return window.c.type, window.c.source
