"""Hooks as the dialects look for them: in pages by number, and only those that a dialect can say.

What a hook subscribes to stands in JSON columns, which SQLite and PostgreSQL search differently. So the small columns
of an organization's hooks are read and judged here, and whole hooks only for the page that is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Row, or_, select
from sqlalchemy.orm import joinedload

from console.core.errors import NotFound
from console.models import Hook, HookState, User
from console.services.queries import contains
from console.services.work import Work

CanSay: TypeAlias = Callable[[Hook | Row[Any]], bool]
"""Says whether a dialect has words for a hook: gets one, or a row with the columns of ``_JUDGED``."""

_JUDGED = (
    Hook.number,
    Hook.author_number,
    Hook.all_events,
    Hook.event_types,
    Hook.event_groups,
    Hook.sources,
    Hook.retry,
    Hook.url,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksWanted:
    """Which hooks are wanted; None means any.

    *author_fullname* is part of the name, *author* part of name, username or email, both in any case; the others are
    exact.
    """

    author_number: int | None = None
    author_id: UUID | None = None
    author_username: str | None = None
    author_email: str | None = None
    author_fullname: str | None = None
    author: str | None = None
    url: str | None = None
    is_active: bool | None = None
    content_type: str | None = None
    last_delivery_at: datetime | None = None


EVERY = HooksWanted()


def numbers(work: Work, *, organization_number: int, can_say: CanSay, wanted: HooksWanted = EVERY) -> list[int]:
    """Give the numbers of the hooks that are wanted and can be said, oldest first."""
    query = (
        select(*_JUDGED)
        .outerjoin(User, User.number == Hook.author_number)
        .outerjoin(HookState, HookState.hook_number == Hook.number)
        .where(Hook.organization_number == organization_number, Hook.deleted_at.is_(None), *_conditions(wanted))
        .order_by(Hook.number)
    )
    return [row.number for row in work.session.execute(query) if can_say(row)]


def load(work: Work, *, numbers: Sequence[int]) -> list[Hook]:
    """Give whole hooks with their authors, in the order of *numbers*."""
    query = select(Hook).where(Hook.number.in_(numbers)).options(joinedload(Hook.author))
    found = {hook.number: hook for hook in work.session.scalars(query)}
    return [found[number] for number in numbers if number in found]


def get(work: Work, *, organization_number: int, number: int, can_say: CanSay) -> Hook:
    """Give a hook by its number; raise NotFound, also for one that cannot be said."""
    return _one(work, organization_number, Hook.number == number, can_say)


def get_by_id(work: Work, *, organization_number: int, hook_id: UUID, can_say: CanSay) -> Hook:
    """Give a hook by its id; raise NotFound, also for one that cannot be said."""
    return _one(work, organization_number, Hook.id == hook_id, can_say)


def _one(work: Work, organization_number: int, condition: ColumnElement[bool], can_say: CanSay) -> Hook:
    query = select(Hook).where(Hook.organization_number == organization_number, Hook.deleted_at.is_(None), condition)
    hook = work.session.scalar(query.options(joinedload(Hook.author)))
    if hook is None or not can_say(hook):
        raise NotFound("hook")
    return hook


def _conditions(wanted: HooksWanted) -> list[ColumnElement[bool]]:
    exact: dict[Any, Any] = {
        Hook.author_number: wanted.author_number,
        User.id: wanted.author_id,
        User.username: wanted.author_username,
        User.email: wanted.author_email,
        Hook.url: wanted.url,
        Hook.is_active: wanted.is_active,
        Hook.content_type: wanted.content_type,
        HookState.last_delivery_at: wanted.last_delivery_at,
    }
    conditions = [column == value for column, value in exact.items() if value is not None]
    if wanted.author_fullname is not None:
        conditions.append(contains(User.full_name, wanted.author_fullname))
    if wanted.author is not None:
        names = (User.full_name, User.username, User.email)
        conditions.append(or_(*(contains(column, wanted.author) for column in names)))
    return conditions


def kept(hook: Hook, dialect: str) -> dict[str, Any]:
    """Give what *dialect* keeps with a hook."""
    found: dict[str, Any] = hook.dialect_data.get(dialect, {})
    return found


def keeping(hook: Hook | None, dialect: str, **fields: Any) -> dict[str, Any]:
    """Give the ``dialect_data`` of a hook, or of a new one, in which *dialect* keeps *fields* beside what it kept."""
    before = hook.dialect_data if hook is not None else {}
    return {**before, dialect: {**before.get(dialect, {}), **fields}}
