"""Why a hook gets an event or does not: for one event all hooks, for one hook any event, by the rules of publishing.

The rules are asked as they are now. What they said when the event was published is only sure for hooks, and a
catalogue, that have not been changed since; ``Standing`` says which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select

from console.core.catalogue import with_wildcards
from console.core.patterns import Subscription, check_event_type
from console.core.rules import Explanation, Occurrence, Verdict, explain, refusal
from console.models import Delivery, Event, EventType, Hook
from console.services.event_types import catalogue
from console.services.events.judging import PAGE_S, Budget, Reader
from console.services.events.matching import groups_by_type, occurrence_of, subscription_of
from console.services.work import Work

MOST_HOOKS = 500
"""Of so many hooks, newest first, it is explained what becomes of an event; fewer when their filters are slow."""
MOST_LOOKED_AT, MOST_TRIED = 200, 20
"""To try a filter, so many of the latest events are looked at, and it is applied to so many of those that are heard."""


class Since(StrEnum):
    """What happened to a hook, or to what the catalogue says of the event's type, since the event was published."""

    NOTHING = "nothing"
    HOOK_CHANGED = "hook_changed"
    HOOK_MADE = "hook_made"
    TYPE_CHANGED = "type_changed"


@dataclass(frozen=True, slots=True)
class Standing:
    """One hook and one event.

    *explanation* is by the rules as they are now; *since* tells whether they were the same when the event came.
    *delivery* is what was made of it then, None when nothing was. *values* are those of the filter's paths.
    """

    hook: Hook
    explanation: Explanation
    since: Since
    delivery: Delivery | None
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that nobody has published."""

    type: str
    payload: bytes
    source: str | None = None


@dataclass(frozen=True, slots=True)
class FilterTrial:
    """How many of the latest events that a hook would hear pass its filter."""

    tried: int
    passed: int


def of_event(work: Work, *, event: Event, deliveries: Sequence[Delivery]) -> list[Standing]:
    """Return what becomes of *event* for up to 500 hooks, newest first; *deliveries* are those that it has.

    The list ends early when the filters need more than ``PAGE_S`` of processor time.
    """
    by_hook = {delivery.hook_number: delivery for delivery in deliveries}
    look = _look_at(work, event)
    hooks = _hooks(work, event.organization_number)
    return _in_time(hooks, lambda hook: look(hook, by_hook.get(hook.number)))


def of_hook(work: Work, *, hook: Hook, event: Event) -> Standing:
    """Say what becomes of *event* for one hook."""
    query = select(Delivery).where(Delivery.event_number == event.number, Delivery.hook_number == hook.number)
    return _look_at(work, event)(hook, work.session.scalar(query))


def of_draft(work: Work, *, hook: Hook, draft: Draft) -> Standing:
    """Say what would become of an event that nobody has published; raise Refused for a type that none can have."""
    check_event_type(draft.type)
    return _of_drafts(work, hooks=[hook], organization_number=hook.organization_number, draft=draft)[0]


def of_draft_for_all(work: Work, *, organization_number: int, draft: Draft) -> list[Standing]:
    """Return what would become of such an event for up to 500 hooks, newest first; it ends early as ``of_event``."""
    return _of_drafts(
        work, hooks=_hooks(work, organization_number), organization_number=organization_number, draft=draft
    )


def wanting(standings: Sequence[Standing]) -> list[Hook]:
    """Give the hooks that an event would go to if it were published now, those among them that have it already too."""
    return [one.hook for one in standings if one.explanation.verdict != Verdict.REFUSED]


def _of_drafts(work: Work, *, hooks: Sequence[Hook], organization_number: int, draft: Draft) -> list[Standing]:
    groups = catalogue.groups_of(work, organization_number=organization_number, name=draft.type)
    reader = Reader(draft.payload)
    occurrence = Occurrence(draft.type, groups, draft.source, reader)

    def look(hook: Hook) -> Standing:
        explanation = explain(subscription_of(hook), occurrence, is_active=hook.is_active)
        return Standing(hook, explanation, Since.NOTHING, None, _values(hook, reader))

    return _in_time(hooks, look)


def _in_time(hooks: Sequence[Hook], look: Callable[[Hook], Standing]) -> list[Standing]:
    """Look at hooks, at one at least, until the time of a page is spent."""
    budget = Budget(PAGE_S)
    found = []
    for hook in hooks:
        with budget.spending():
            found.append(look(hook))
        if budget.is_spent:
            break
    return found


def _hooks(work: Work, organization_number: int) -> list[Hook]:
    return list(
        work.session.scalars(
            select(Hook)
            .where(Hook.organization_number == organization_number, Hook.deleted_at.is_(None))
            .order_by(Hook.number.desc())
            .limit(MOST_HOOKS)
        )
    )


def _look_at(work: Work, event: Event) -> Callable[[Hook, Delivery | None], Standing]:
    """Prepare what all hooks are asked about one event."""
    reader, type_changed = Reader(event.payload), _type_changed(work, event)
    occurrence = occurrence_of(work, event, reader)

    def look(hook: Hook, delivery: Delivery | None) -> Standing:
        return Standing(
            hook=hook,
            explanation=explain(subscription_of(hook), occurrence, is_active=hook.is_active),
            since=_since(hook, event=event, type_changed=type_changed),
            delivery=delivery,
            values=_values(hook, reader),
        )

    return look


def _values(hook: Hook, reader: Reader) -> tuple[tuple[str, str], ...]:
    return () if hook.filter is None else tuple(reader.values(hook.filter))


def _since(hook: Hook, *, event: Event, type_changed: bool) -> Since:
    if hook.created_at > event.created_at:
        return Since.HOOK_MADE
    if hook.modified_at > event.created_at:
        return Since.HOOK_CHANGED
    return Since.TYPE_CHANGED if type_changed and hook.event_groups else Since.NOTHING


def _type_changed(work: Work, event: Event) -> bool:
    """Say whether the catalogue's rows that speak for the type were changed after the event; gone ones do not tell."""
    query = select(EventType.number).where(
        EventType.organization_number == event.organization_number,
        EventType.name.in_(with_wildcards(event.type)),
        EventType.modified_at > event.created_at,
    )
    return work.session.scalar(query.limit(1)) is not None


def try_filter(work: Work, *, organization_number: int, wanted: Subscription) -> FilterTrial:
    """Apply the filter of what a hook wants to the latest events that it would get without it, to 20 at most.

    They are fewer when that needs more than ``PAGE_S`` of processor time.
    """
    latest = work.session.execute(
        select(Event.number, Event.type, Event.source)
        .where(Event.organization_number == organization_number, Event.is_test.is_(False))
        .order_by(Event.number.desc())
        .limit(MOST_LOOKED_AT)
    ).all()
    groups = groups_by_type(work, organization_number=organization_number, names=[row.type for row in latest])
    heard = [
        row
        for row in latest
        if wanted.reason_against(event_type=row.type, groups=groups[row.type], source=row.source) is None
    ][:MOST_TRIED]
    numbers = [row.number for row in heard]
    payloads = dict(work.session.execute(select(Event.number, Event.payload).where(Event.number.in_(numbers))).all())
    budget, tried, passed = Budget(PAGE_S), 0, 0
    for row in heard:
        with budget.spending():
            occurrence = Occurrence(row.type, groups[row.type], row.source, Reader(payloads[row.number]))
            passed += refusal(wanted, occurrence) is None
        tried += 1
        if budget.is_spent:
            break
    return FilterTrial(tried, passed)
