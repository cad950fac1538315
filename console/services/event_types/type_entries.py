"""The catalogue as lists and pickers show it: hundreds of names, without the samples and schemas, which are large."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, String, cast, or_, select

from console.models import EventType
from console.services.event_types.offering import is_offered
from console.services.work import Work

_TYPES = EventType.__table__.c
_ENTRIES = select(
    _TYPES.name,
    _TYPES.groups,
    _TYPES.description,
    _TYPES.validate,
    _TYPES.deprecated,
    _TYPES.is_builtin,
    _TYPES.sample.is_not(None),
).order_by(_TYPES.name)


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """An event type in brief; see ``models.EventType``."""

    name: str
    groups: tuple[str, ...]
    description: str
    validate: bool
    deprecated: bool
    is_builtin: bool
    has_sample: bool


def entries(
    work: Work, *, organization_number: int, names: Collection[str] = (), groups: Collection[str] = ()
) -> list[TypeEntry]:
    """List the event types of an organization by name.

    Types of an API that is not on are among them only if they are one of *names* or in one of *groups*: what a hook
    has chosen before.
    """
    shown: list[ColumnElement[bool]] = [is_offered(organization_number)]
    if names:
        shown.append(_TYPES.name.in_(names))
    # The JSON text of a list of names: quotes make the match exact, since no name of a group holds any.
    shown += [cast(_TYPES.groups, String).contains(json.dumps(group), autoescape=True) for group in groups]
    rows = work.session.execute(_ENTRIES.where(_TYPES.organization_number == organization_number, or_(*shown)))
    return [TypeEntry(name, tuple(groups), *others) for name, groups, *others in rows]
