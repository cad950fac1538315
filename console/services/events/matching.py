"""Hooks and events as the rules of matching see them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select

from console.core.filters import Reading
from console.core.patterns import Subscription
from console.core.retry_reading import read_stored
from console.core.rules import Occurrence, refusal, refusal_of_kind, refusal_of_payload
from console.models import Event, Hook
from console.services.event_types import catalogue
from console.services.events.judging import Judgement
from console.services.work import Work

_HOOKS = Hook.__table__.c
_LIVING = (  # built once and over the table, not the class: publishing is the hot path
    select(
        _HOOKS.number,
        _HOOKS.is_active,
        _HOOKS.url,
        _HOOKS.all_events,
        _HOOKS.event_types,
        _HOOKS.event_groups,
        _HOOKS.sources,
        _HOOKS.filter,
        _HOOKS.payload_format,
        _HOOKS.content_type,
        _HOOKS.retry,
    )
    .where(_HOOKS.organization_number == bindparam("organization"), _HOOKS.deleted_at.is_(None))
    .order_by(_HOOKS.number)
)


@dataclass(frozen=True, slots=True)
class Listener:
    """A hook as fan-out sees it; *expires_after_s* comes from its retry policy."""

    number: int
    is_active: bool
    url: str
    subscription: Subscription
    payload_format: str
    content_type: str
    expires_after_s: float | None


def listeners(work: Work, *, organization_number: int) -> list[Listener]:
    """Give every hook of an organization that is not deleted, disabled ones included, oldest first."""
    return [listener(row) for row in work.session.execute(_LIVING, {"organization": organization_number})]


def listener(row: Hook | Row[*tuple[Any, ...]]) -> Listener:
    """Give one hook as fan-out sees it."""
    return Listener(
        number=row.number,
        is_active=row.is_active,
        url=row.url,
        subscription=subscription_of(row),
        payload_format=row.payload_format,
        content_type=row.content_type,
        expires_after_s=read_stored(row.retry)[0].expires_after_s if row.retry else None,
    )


def subscription_of(hook: Hook | Row[*tuple[Any, ...]]) -> Subscription:
    """Read what a hook subscribes to."""
    return Subscription.of(
        hook.event_types,
        all_events=hook.all_events,
        groups=hook.event_groups,
        sources=hook.sources,
        filter=hook.filter,
    )


def hearing(hooks: Sequence[Listener], occurrence: Occurrence) -> list[Listener]:
    """Give those of *hooks* that get an event."""
    return [hook for hook in hooks if refusal(hook.subscription, occurrence) is None]


class Audiences:
    """The hooks that hear the events of a batch: what a type and a source decide is found once for each pair."""

    def __init__(self, hooks: Sequence[Listener], *, groups: Mapping[str, Collection[str]]) -> None:
        self._hooks = hooks
        self._groups = groups
        self._heard: dict[tuple[str, str | None], tuple[list[Listener], bool]] = {}

    def of(self, *, type: str, source: str | None, judgement: Callable[[], Judgement]) -> list[Listener]:  # noqa: A002
        """Give the hooks that get an event, whose *judgement* is asked for when one of them has a filter."""
        heard = self._heard.get((type, source))
        if heard is None:
            groups = self._groups.get(type, ())
            hooks = [
                hook
                for hook in self._hooks
                if refusal_of_kind(hook.subscription, type=type, groups=groups, source=source) is None
            ]
            has_filters = any(hook.subscription.filter is not None for hook in hooks)
            heard = self._heard[type, source] = hooks, has_filters
        hooks, has_filters = heard
        if not has_filters:
            return hooks
        read = judgement().read
        return [hook for hook in hooks if refusal_of_payload(hook.subscription, read) is None]


def groups_by_type(work: Work, *, organization_number: int, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Give the groups of each event type; a type that is not in the catalogue is in none."""
    return catalogue.groups_of_each(work, organization_number=organization_number, names=set(names))


def hooks_hearing(work: Work, *, organization_number: int, event_type: str) -> list[int]:
    """Give the numbers of the hooks that hear *event_type* from one source at least, whatever their filter."""
    groups = catalogue.groups_of(work, organization_number=organization_number, name=event_type)
    return [
        listener.number
        for listener in listeners(work, organization_number=organization_number)
        if listener.subscription.reason_against(event_type=event_type, groups=groups, source=None) is None
    ]


def occurrence_of(work: Work, event: Event, read: Callable[[str], Reading]) -> Occurrence:
    """Return what the rules look at of a stored event, with the event types as they are now.

    *read* applies a filter to its payload.
    """
    groups = catalogue.groups_of(work, organization_number=event.organization_number, name=event.type)
    return Occurrence(event.type, groups, event.source, read)
