"""The catalogue: the event types an organization knows, with their groups.

Lists leave out the types of APIs that are not on; what a hook or an event names is found all the same. A type may stand
there by its own name or under one that ends in ``.*``, which speaks for all below it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, String, bindparam, cast, or_, select
from sqlalchemy import delete as delete_from
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from console.core.catalogue import HOOKYARD, all_packaged, with_wildcards
from console.core.errors import Conflict, Invalid, NotFound
from console.database import dialect_of
from console.models import EventType, Organization
from console.services import audit
from console.services.event_types import event_type_fields
from console.services.event_types.offering import is_offered
from console.services.queries import contains
from console.services.work import Work

NAMES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the catalogue and how many types it has."""

    name: str
    types: int


# --- reading --------------------------------------------------------------------------------------------------------


def find(
    work: Work,
    *,
    organization_number: int,
    q: str | None = None,
    group: str | None = None,
    is_builtin: bool | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[EventType]:
    """List event types, newest first, with a number below *before*; *q* is looked for in name and description."""
    query = _offered(organization_number)
    if q:
        query = query.where(or_(contains(EventType.name, q), contains(EventType.description, q)))
    if group is not None:
        # The JSON text of a list of names: quotes make the match exact, since no name of a group holds any.
        query = query.where(cast(EventType.groups, String).contains(json.dumps(group), autoescape=True))
    if is_builtin is not None:
        query = query.where(EventType.is_builtin == is_builtin)
    if before is not None:
        query = query.where(EventType.number < before)
    return list(work.session.scalars(query.order_by(EventType.number.desc()).limit(limit)))


def all_of(work: Work, *, organization_number: int) -> list[EventType]:
    """List every event type of an organization by name, for pickers."""
    return list(work.session.scalars(_offered(organization_number).order_by(EventType.name)))


def _offered(organization_number: int) -> Select[EventType]:
    return select(EventType).where(
        EventType.organization_number == organization_number, is_offered(organization_number)
    )


def get(work: Work, *, organization_number: int, name: str) -> EventType:
    """Give the event type of exactly that name; raise NotFound."""
    query = select(EventType).where(EventType.organization_number == organization_number, EventType.name == name)
    event_type = work.session.scalar(query)
    if event_type is None:
        raise NotFound("event type")
    return event_type


def names(work: Work, *, organization_number: int) -> list[str]:
    """List the names of all event types of an organization, in their order."""
    return sorted(work.session.scalars(_offered(organization_number).with_only_columns(EventType.name)))


def known_names(work: Work, *, organization_number: int) -> frozenset[str]:
    """Return the names of all event types of an organization, those of APIs that are not on too."""
    query = select(EventType.name).where(EventType.organization_number == organization_number)
    return frozenset(work.session.scalars(query))


def own_names(work: Work, *, organization_number: int) -> list[str]:
    """List by name the types that the organization added itself, for the dialects that offer them."""
    query = select(EventType.name).where(
        EventType.organization_number == organization_number, EventType.is_builtin.is_(False)
    )
    return sorted(work.session.scalars(query))


def groups(work: Work, *, organization_number: int) -> list[Group]:
    """List the groups in use by name, each with the number of its types."""
    query = _offered(organization_number).with_only_columns(EventType.groups)
    counts = Counter(name for row in work.session.scalars(query) for name in row)
    return [Group(name, counts[name]) for name in sorted(counts)]


def group_names(work: Work, *, organization_number: int) -> frozenset[str]:
    """Return the names of the groups that hooks may subscribe to, those of APIs that are not on too."""
    query = select(EventType.groups).where(EventType.organization_number == organization_number)
    return frozenset(name for row in work.session.scalars(query) for name in row)


def groups_of(work: Work, *, organization_number: int, name: str) -> tuple[str, ...]:
    """Give the groups of an event type: its own, or those of the narrowest ``.*`` name above it; unknown: none."""
    return groups_of_each(work, organization_number=organization_number, names=[name])[name]


def groups_of_each(work: Work, *, organization_number: int, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Do the same for several types."""
    return {
        name: tuple(rows[0]) if rows else ()
        for name, rows in _standing_for(work, organization_number, names, EventType.groups).items()
    }


def sample_of(work: Work, *, organization_number: int, name: str) -> Any | None:
    """Give the sample payload of an event type, or of the narrowest ``.*`` name above it that has one."""
    samples = _standing_for(work, organization_number, [name], EventType.sample)[name]
    return next((sample for sample in samples if sample is not None), None)


def _standing_for(
    work: Work, organization_number: int, names: Iterable[str], column: InstrumentedAttribute[Any]
) -> dict[str, list[Any]]:
    """Give *column* of the rows that speak for each of *names*, the narrowest first."""
    speaking = {name: with_wildcards(name) for name in names}
    asked = sorted({one for wanted in speaking.values() for one in wanted})
    query = select(EventType.name, column).where(EventType.organization_number == organization_number)
    found: dict[str, Any] = {}
    for start in range(0, len(asked), NAMES_AT_ONCE):
        some = query.where(EventType.name.in_(asked[start : start + NAMES_AT_ONCE]))
        found |= dict(work.session.execute(some).all())
    return {name: [found[one] for one in wanted if one in found] for name, wanted in speaking.items()}


_TYPES = EventType.__table__.c
_VALIDATING = select(_TYPES.name).where(  # built once and over the table: every publish asks
    _TYPES.organization_number == bindparam("organization"), _TYPES.validate
)


def schemas_to_check(work: Work, *, organization_number: int, names: Collection[str]) -> dict[str, dict[str, Any]]:
    """Give the schema that payloads of each of *names* must fit, that of the narrowest name that asks for it.

    One look at an index that is empty as a rule: schemas are only read where a type of the organization validates.
    """
    validating = set(work.session.scalars(_VALIDATING, {"organization": organization_number}))
    if not validating:
        return {}
    those = (EventType.organization_number == organization_number, EventType.validate)
    found = {name: next((one for one in with_wildcards(name) if one in validating), None) for name in set(names)}
    query = select(EventType.name, EventType.schema).where(*those, EventType.name.in_(set(found.values()) - {None}))
    schemas: dict[str | None, dict[str, Any]] = dict(work.session.execute(query).all())
    return {name: schemas[rule] for name, rule in found.items() if rule in schemas}


def unknown_of(seen: Iterable[str], *, known: Iterable[str]) -> list[str]:
    """List by name those of the types *seen* that are not among the *known*, nor spoken for by a name that is."""
    names = set(known)
    return sorted(name for name in seen if names.isdisjoint(with_wildcards(name)))


# --- writing --------------------------------------------------------------------------------------------------------


def install(work: Work, *, organization: Organization) -> int:
    """Add the packaged types that the organization does not have, inside the caller's transaction; say how many.

    Called for every new organization, and for all on an upgrade: what people changed is left as it is.
    """
    query = select(EventType.name).where(EventType.organization_number == organization.number)
    known = set(work.session.scalars(query))
    now = work.now()
    rows = [
        {
            "organization_number": organization.number,
            "name": packaged.name,
            "groups": list(packaged.groups),
            "description": packaged.description,
            "sample": dict(packaged.sample),
            "schema": None,
            "validate": False,
            "deprecated": False,
            "is_builtin": True,
            "dialect": None if packaged.family == HOOKYARD else packaged.family,
            "created_at": now,
            "modified_at": now,
        }
        for packaged in all_packaged()
        if packaged.name not in known
    ]
    if rows:
        dialect = sqlite if dialect_of(work.session) == "sqlite" else postgresql
        work.session.execute(dialect.insert(EventType).on_conflict_do_nothing(), rows)
    return len(rows)


def install_everywhere(work: Work) -> int:
    """Add new packaged types to every organization; say how many rows were added."""
    with work.transaction():
        return sum(install(work, organization=one) for one in work.session.scalars(select(Organization)).all())


def create(work: Work, *, organization_number: int, name: str, **fields: Any) -> EventType:
    """Add a type of the organization's own; *fields* are any of ``FIELDS``. Raise Invalid, or Conflict on its name.

    It takes the place of a type of that name whose API is not on, which nobody sees.
    """
    wrong = event_type_fields.wrong_name(name) + event_type_fields.wrong_fields(fields, before={})
    if wrong:
        raise Invalid(*wrong)
    now = work.now()
    defaults: dict[str, Any] = {
        "groups": [],
        "description": "",
        "sample": None,
        "schema": None,
        "validate": False,
        "deprecated": False,
    }
    event_type = EventType(
        organization_number=organization_number, name=name, created_at=now, modified_at=now, **{**defaults, **fields}
    )
    try:
        with work.transaction():
            unseen = (EventType.organization_number == organization_number, EventType.name == name)
            work.session.execute(delete_from(EventType).where(*unseen, ~is_offered(organization_number)))
            work.session.add(event_type)
            work.session.flush()
            _audit(work, event_type, "event_type.created", {})
    except IntegrityError as error:
        raise Conflict(f"The catalogue has {name} already.", code="event_type_exists") from error
    return event_type


def change(work: Work, *, event_type: EventType, fields: Mapping[str, Any]) -> EventType:
    """Set the given ones of ``FIELDS``; the name stays, since hooks and events hold it. Raise Invalid."""
    wrong = event_type_fields.wrong_fields(
        fields, before={name: getattr(event_type, name) for name in event_type_fields.FIELDS}
    )
    if wrong:
        raise Invalid(*wrong)
    with work.transaction():
        changed = {name: value for name, value in fields.items() if getattr(event_type, name) != value}
        changes = {name: [getattr(event_type, name), value] for name, value in changed.items()}
        for name, value in changed.items():
            setattr(event_type, name, value)
        if changed:
            event_type.modified_at = work.now()
            _audit(work, event_type, "event_type.updated", changes)
    return event_type


def delete(work: Work, *, event_type: EventType) -> None:
    """Take a type out of the catalogue; hooks keep naming it and events may still carry it.

    Raise Conflict for one that came with Hookyard: the next upgrade would bring it back.
    """
    if event_type.is_builtin:
        raise Conflict(f"{event_type.name} came with Hookyard and stays in the catalogue.", code="event_type_builtin")
    with work.transaction():
        _audit(work, event_type, "event_type.deleted", {})
        work.session.delete(event_type)


def _audit(work: Work, event_type: EventType, action: str, changes: Mapping[str, Any]) -> None:
    audit.record(
        work,
        action=action,
        organization_number=event_type.organization_number,
        object_type="event_type",
        object_id=event_type.name[:60],
        object_name=event_type.name,
        changes=changes,
    )
