"""Reports: what Hookyard has to say about a hook, as events of the group ``hookyard`` for the other hooks.

They are published in the transaction that changes the hook, so that none is lost and none is told of what was not. The
hook they are about never gets them, nor does one that just takes every event; what no hook asks for is not stored. Only
turns are reported (a circuit that opens, not each time that it opens longer), so two hooks that listen for each other's
reports come to an end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from console.core.envelopes import json_text, rfc3339
from console.models import Hook
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.work import Work


class Report(StrEnum):
    """The event types of reports about hooks; samples of them are in the packaged catalogue."""

    FAILING = "hook.failing"
    RECOVERED = "hook.recovered"
    DISABLED = "hook.disabled"
    ENABLED = "hook.enabled"
    CIRCUIT_OPENED = "hook.circuit_opened"
    CIRCUIT_CLOSED = "hook.circuit_closed"
    BLOCKED = "hook.blocked"


@dataclass(frozen=True, slots=True)
class Subject:
    """The hook that a report is about."""

    organization_number: int
    number: int
    id: UUID
    name: str
    url: str

    @classmethod
    def of(cls, hook: Hook) -> Subject:
        """Take what a report says of a hook."""
        return cls(hook.organization_number, hook.number, hook.id, hook.name, hook.url)


def publish(work: Work, *, report: Report, about: Subject, facts: Mapping[str, Any] | None = None) -> int:
    """Publish a report inside the caller's transaction; give how many deliveries it makes, for which the caller rings.

    *facts* stand beside the hook in the payload; moments are written as RFC 3339 says.
    """
    hook = {"id": str(about.id), "number": about.number, "name": about.name, "url": about.url}
    payload = {"hook": hook, **{name: _written(value) for name, value in (facts or {}).items()}}
    return publishing.publish_within(
        work,
        organization_number=about.organization_number,
        draft=EventDraft(type=report.value, payload=json_text(payload)),
        without=about.number,
    )


def _written(value: Any) -> Any:
    return rfc3339(value) if isinstance(value, datetime) else value
