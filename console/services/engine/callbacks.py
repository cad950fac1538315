"""Callbacks: what a hook may have called after each of its attempts, by a registered name and never by an import path.

A name is built in, or an installed package offers it in the entry-point group ``hookyard.callbacks``: a function of a
``Work`` without an open transaction and an ``Attempted``. What it raises is logged, and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import select

from console.core import strict_json
from console.core.bodies import display_body
from console.core.errors import Refused
from console.core.outcomes import Outcome
from console.models import Event
from console.services.engine.ended import Ended, Headers
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import Work

GROUP = "hookyard.callbacks"
RESPONDED = "responded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempted:
    """An attempt that was recorded. *status* is None when no answer came; *response_body* is at most 64 KiB of it."""

    organization_number: int
    hook_number: int
    event_number: int
    event_type: str
    delivery_id: UUID
    attempt: int
    is_test: bool
    outcome: Outcome
    error: str | None
    status: int | None
    response_headers: Headers
    response_body: bytes

    @classmethod
    def of(cls, ended: Ended) -> Attempted:
        """Read it from a result."""
        return cls(
            organization_number=ended.recipient.organization_number,
            hook_number=ended.row.hook_number,
            event_number=ended.row.event.number,
            event_type=ended.row.event.type,
            delivery_id=ended.row.id,
            attempt=ended.row.attempt,
            is_test=ended.row.is_test,
            outcome=ended.outcome,
            error=ended.error,
            status=ended.status,
            response_headers=ended.response_headers or (),
            response_body=ended.response_body or b"",
        )


Callback: TypeAlias = Callable[[Work, Attempted], object]


def names() -> frozenset[str]:
    """Give every registered name."""
    return frozenset(_BUILT_IN) | frozenset(_offered())


def find(name: str) -> Callback | None:
    """Give the callback of that name; None when it is registered no longer. Raises what its import raises."""
    if name in _BUILT_IN:
        return _BUILT_IN[name]
    entry = _offered().get(name)
    if entry is None:
        return None
    callback: Callback = entry.load()
    return callback


@cache
def _offered() -> Mapping[str, EntryPoint]:
    return MappingProxyType({entry.name: entry for entry in entry_points(group=GROUP)})


def is_wanted(work: Work, *, event_number: int) -> bool:
    """Say whether callbacks are called for an event: not for one that a callback published, which might never end."""
    is_from_callback = work.session.scalar(select(Event.is_from_callback).where(Event.number == event_number))
    return is_from_callback is False  # None: the event is gone


def publish_response(work: Work, attempted: Attempted) -> None:
    """Publish what a receiver answered, if that is JSON, as ``<event type>.responded``; nothing comes of a test."""
    if attempted.outcome is not Outcome.OK or attempted.is_test:
        return
    answer = display_body(attempted.response_headers, attempted.response_body).text.encode()
    try:
        strict_json.load(answer)
    except Refused:
        return
    draft = EventDraft(
        type=f"{attempted.event_type}.{RESPONDED}",
        payload=answer,
        key=f"{RESPONDED}:{attempted.delivery_id}:{attempted.attempt}",
        is_from_callback=True,
    )
    publishing.publish(work, organization_number=attempted.organization_number, draft=draft)


_BUILT_IN: Mapping[str, Callback] = MappingProxyType({"publish_response": publish_response})
