"""What in an organization a person should look at, the most pressing first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.core.health import DISABLE_AFTER, Health, HookHealth
from console.models import Token
from console.services.deliveries import unfinished
from console.services.figures import stats
from console.services.hooks import hook_health
from console.services.hooks.hook_health import Brief, Condition
from console.services.people import tokens
from console.services.work import Work

_ORDER = (Health.FAILING, Health.CIRCUIT_OPEN, Health.DISABLED)
LATE_AFTER = timedelta(minutes=1)
"""What is due for longer than this is late: no worker takes it."""

LOST_WITHIN = timedelta(days=7)
"""What failed for good is named for so long after it was published."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A hook with deliveries that failed for good, and how many; *is_more*: at least."""

    hook: Brief
    count: int
    is_more: bool


@dataclass(frozen=True, slots=True)
class Ailing:
    """A hook that is not well. *percent* is how far it is on its way to being disabled, None when it is not."""

    hook: Brief
    health: HookHealth
    held: int
    failing_since: datetime | None
    open_until: datetime | None
    percent: int | None


@dataclass(frozen=True, slots=True)
class Attention:
    """Everything that needs a look; *late_since* is when the oldest delivery that nobody takes fell due.

    *ending* are tokens that expire soon or expired lately.
    """

    ailing: tuple[Ailing, ...]
    lost: tuple[Lost, ...]
    unheard: tuple[str, ...]
    late_since: datetime | None
    ending: tuple[Token, ...]

    @property
    def is_empty(self) -> bool:
        """Whether all is well."""
        return not (self.ailing or self.lost or self.unheard or self.late_since or self.ending)


def attention(work: Work, *, organization_number: int, tokens_of: int | None = None) -> Attention:
    """Look for what needs a person: failing and disabled hooks, late and lost deliveries, events that no hook hears.

    And tokens near their end: all of them, or those of the user with the number *tokens_of*.
    """
    hooks = hook_health.living(work, organization_number=organization_number)
    found = hook_health.conditions(work, hooks)
    unwell = [hook for hook in hooks if found[hook.number].health.health in _ORDER]
    held = unfinished.held_by_hook(
        work, organization_number=organization_number, numbers=[hook.number for hook in unwell if not hook.is_active]
    )
    ailing = [
        _ailing(work, hook, found[hook.number], held=held.get(hook.number, 0))
        for hook in unwell
        if hook.is_active or held.get(hook.number) or not _is_switched_off_by_a_person(hook)
    ]
    return Attention(
        ailing=tuple(sorted(ailing, key=_pressing)),
        lost=tuple(_lost(work, organization_number, hooks)),
        unheard=tuple(stats.unheard_types(work, organization_number=organization_number)),
        late_since=_late_since(work, organization_number),
        ending=tuple(tokens.ending(work, organization_number=organization_number, user_number=tokens_of)),
    )


def _ailing(work: Work, hook: Brief, condition: Condition, *, held: int) -> Ailing:
    state = condition.state
    since = state.failing_since if state is not None and hook.is_active else None
    percent = None if since is None else min(int((work.now() - since) / DISABLE_AFTER * 100), 100)
    return Ailing(hook, condition.health, held, since, condition.health.until, percent)


def _lost(work: Work, organization_number: int, hooks: Sequence[Brief]) -> list[Lost]:
    """Name the hooks with deliveries that failed for good and were not delivered since, the most of them first."""
    counts, is_more = unfinished.failed_by_hook(
        work, organization_number=organization_number, since=work.now() - LOST_WITHIN
    )
    found = [Lost(hook, counts[hook.number], is_more) for hook in hooks if hook.number in counts]
    return sorted(found, key=lambda one: -one.count)


def _pressing(one: Ailing) -> tuple[int, int]:
    return _ORDER.index(one.health.health), -(one.percent or 0)


def _is_switched_off_by_a_person(hook: Brief) -> bool:
    """Say whether a disabled hook needs nobody's attention: somebody wanted it so."""
    reason = hook.disabled_reason or ""
    return reason == "Created disabled" or (
        reason.startswith("Disabled by ") and not reason.startswith("Disabled by itself")
    )


def _late_since(work: Work, organization_number: int) -> datetime | None:
    """Say since when the oldest delivery is due that no worker takes, although its hook may be sent to."""
    return unfinished.oldest_due(work, organization_number=organization_number, before=work.now() - LATE_AFTER)
