"""How hooks are doing: the health of many at once, from their switch, the engine's rows and their figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from sqlalchemy import select

from console.core.health import ALL_TYPES, Figures, Health, HookHealth, health
from console.core.retry_reading import read_stored
from console.models import Destination, Hook, HookState
from console.services.engine import destinations
from console.services.figures import stats
from console.services.queries import among
from console.services.work import DELIVERIES_SLOW, Work


@dataclass(frozen=True, slots=True)
class Brief:
    """Of a hook, what tells how it is doing and what it is called by; see ``models.Hook``."""

    number: int
    id: UUID
    organization_number: int
    name: str
    url: str
    is_trial: bool
    destination: str
    is_active: bool
    disabled_reason: str | None
    retry: dict[str, Any] | None


_BRIEF = select(*(Hook.__table__.c[field.name] for field in fields(Brief)))


@dataclass(frozen=True, slots=True)
class Condition:
    """How a hook is doing, and the engine's rows that say so; *destination* is set while nothing answers there."""

    health: HookHealth
    state: HookState | None
    destination: Destination | None


def conditions(
    work: Work, hooks: Sequence[Hook | Brief], *, recent: Mapping[int, tuple[int, int]] | None = None
) -> dict[int, Condition]:
    """Say how hooks are doing, by number; who has them already gives their *recent* figures, as in ``stats.recent``."""
    numbers = [hook.number for hook in hooks]
    states = {
        row.hook_number: row
        for row in work.session.scalars(select(HookState).where(among(work.session, HookState.hook_number, numbers)))
    }
    if recent is None:
        recent = stats.recent(work, hook_numbers=numbers)
    silent = destinations.of(work, keys={(hook.organization_number, hook.destination) for hook in hooks})
    found, now = {}, work.now()
    for hook in hooks:
        state = states.get(hook.number)
        place = silent.get((hook.organization_number, hook.destination)) if destinations.has_failed(state) else None
        figures = _figures(work, hook, state, place, attempts=recent.get(hook.number, (0, 0)))
        found[hook.number] = Condition(health(figures, now=now), state, place)
    return found


def condition(work: Work, hook: Hook) -> Condition:
    """Say how one hook is doing."""
    return conditions(work, [hook])[hook.number]


def _figures(
    work: Work, hook: Hook | Brief, state: HookState | None, place: Destination | None, *, attempts: tuple[int, int]
) -> Figures:
    is_silent = place is not None and place.openings > 0
    return Figures(
        is_active=hook.is_active,
        disabled_reason=hook.disabled_reason,
        consecutive_failures=state.consecutive_failures if state else 0,
        openings=state.openings if state else 0,
        open_until=state.open_until if state else None,
        failing_types=_failing_types(state),
        destination=hook.destination,
        destination_until=place.open_until if place else None,
        last_outcome=state.last_outcome if state else None,
        problem=read_stored(hook.retry, default=work.settings.default_retry)[1] if hook.retry else None,
        is_slow=is_silent or (state is not None and state.lane == DELIVERIES_SLOW),
        recent_attempts=attempts[0],
        recent_successes=attempts[1],
    )


def _failing_types(state: HookState | None) -> tuple[str, ...]:
    types = (state.failing_types if state else None) or ()
    return () if ALL_TYPES in types else tuple(types)


def numbers_with(work: Work, *, organization_number: int, wanted: frozenset[Health]) -> list[int]:
    """Give the numbers of an organization's hooks whose health is one of *wanted*."""
    hooks = living(work, organization_number=organization_number)
    found = conditions(work, hooks)
    return [hook.number for hook in hooks if found[hook.number].health.health in wanted]


def living(work: Work, *, organization_number: int) -> list[Brief]:
    """Give the hooks of an organization that are not deleted, newest first."""
    query = _BRIEF.where(Hook.organization_number == organization_number, Hook.deleted_at.is_(None))
    return [Brief(*row) for row in work.session.execute(query.order_by(Hook.number.desc()))]
