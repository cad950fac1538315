"""The audit log: who changed what, when and from where.

Rows are added inside the caller's transaction and never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from console.core.redact import MASK, redact_text, redact_url
from console.models import AuditEntry
from console.services.work import Work

LONGEST_TEXT = 2000
LONGEST_NAME = 300
_SECRET_WORDS = ("secret", "password", "auth", "cookie", "sealed", "key", "token")


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries of the audit log are wanted; None means any. *action* may be a noun: ``hook`` finds ``hook.…``."""

    user_number: int | None = None
    action: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AnyHook(Protocol):
    """A hook, as a row or as the engine keeps it."""

    @property
    def organization_number(self) -> int:
        """The organization that it belongs to."""

    @property
    def id(self) -> UUID:
        """What it is shown by."""

    @property
    def name(self) -> str:
        """What people call it; may be empty."""

    @property
    def url(self) -> str:
        """Where it points."""


def record(
    work: Work,
    *,
    action: str,
    organization_number: int | None = None,
    object_type: str | None = None,
    object_id: str | None = None,
    object_name: str | None = None,
    changes: Mapping[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry to the caller's transaction; *changes* maps a field to ``[before, after]``, secrets are left out."""
    entry = AuditEntry(
        organization_number=organization_number,
        user_number=work.actor.user_number,
        actor=work.actor.name[:254],
        service_token_id=work.actor.service_token_id,
        ip=work.actor.ip,
        at=work.now(),
        action=action,
        object_type=object_type,
        object_id=object_id,
        object_name=None if object_name is None else redact_text(object_name)[:LONGEST_NAME],
        changes={name: _shown(name, value) for name, value in (changes or {}).items()},
    )
    work.session.add(entry)
    return entry


def record_of_hook(work: Work, *, hook: AnyHook, action: str, changes: Mapping[str, Any] | None = None) -> None:
    """Add an entry about a hook to the caller's transaction."""
    record(
        work,
        action=action,
        organization_number=hook.organization_number,
        object_type="hook",
        object_id=str(hook.id),
        object_name=hook.name or hook.url,
        changes=changes,
    )


def find(
    work: Work,
    *,
    organization_number: int | None,
    wanted: AuditFilter | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """List an organization's entries, newest first, with a number below *before*; None: those of the installation."""
    query = _matching(wanted or AuditFilter(), organization_number=organization_number)
    if before is not None:
        query = query.where(AuditEntry.number < before)
    return list(work.session.scalars(query.order_by(AuditEntry.number.desc()).limit(limit)))


def _matching(wanted: AuditFilter, *, organization_number: int | None) -> Select[AuditEntry]:
    place: ColumnElement[int | None] | InstrumentedAttribute[int | None] = AuditEntry.organization_number
    if wanted.object_id is not None:
        place = place + 0  # no index serves it: that of the object leads to a few entries, in a log of any length
    query = select(AuditEntry).options(joinedload(AuditEntry.user)).where(place == organization_number)
    for column, value in (
        (AuditEntry.user_number, wanted.user_number),
        (AuditEntry.object_type, wanted.object_type),
        (AuditEntry.object_id, wanted.object_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.action is not None and "." not in wanted.action:
        query = query.where(AuditEntry.action.startswith(f"{wanted.action}.", autoescape=True))
    elif wanted.action is not None:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return query


def _shown(name: str, value: Any) -> Any:
    """Write *value*, a pair of before and after or anything else, as JSON without secrets."""
    if isinstance(value, Mapping):
        return {str(key): _shown(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(name, item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes) or any(word in name.lower() for word in _SECRET_WORDS):
        return MASK
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    text = redact_url(text) if name == "url" else redact_text(text)
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"
