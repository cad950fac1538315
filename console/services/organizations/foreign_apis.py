"""The APIs of other systems: which of them an organization uses, and the switches."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from console.core.errors import Busy, Invalid
from console.core.foreign_apis import APIS, ApiState, ForeignApi
from console.database import dialect_of
from console.models import ApiSwitch, Hook, Organization
from console.services import audit
from console.services.event_types import catalogue
from console.services.organizations import organizations
from console.services.work import Work


def states(work: Work, *, organization_number: int) -> dict[str, ApiState]:
    """Return the state of every API by its name."""
    query = select(ApiSwitch.api, ApiSwitch.is_on).where(ApiSwitch.organization_number == organization_number)
    switches: dict[str, bool] = dict(work.session.execute(query).all())
    return {name: _state(switches.get(name)) for name in APIS}


def switched_on(work: Work, *, organization_number: int) -> frozenset[str]:
    """Return the names of the APIs that are on."""
    found = states(work, organization_number=organization_number)
    return frozenset(name for name, state in found.items() if state is ApiState.ON)


@dataclass(frozen=True, slots=True)
class ApiUse:
    """An API with its state, since when, and how many hooks were created through it or have its payload format."""

    api: ForeignApi
    state: ApiState
    changed_at: datetime | None
    hooks: int


def uses(work: Work, *, organization_number: int) -> list[ApiUse]:
    """List all APIs with what there is to say before one is switched."""
    rows = work.session.scalars(select(ApiSwitch).where(ApiSwitch.organization_number == organization_number))
    switches = {row.api: row for row in rows}
    kinds = select(Hook.dialect, Hook.payload_format, func.count()).group_by(Hook.dialect, Hook.payload_format)
    own = kinds.where(Hook.organization_number == organization_number, Hook.deleted_at.is_(None))
    counts = work.session.execute(own).all()
    return [
        ApiUse(
            api,
            _state(switches[name].is_on if name in switches else None),
            switches[name].changed_at if name in switches else None,
            sum(count for dialect, payload_format, count in counts if name in {dialect, payload_format}),
        )
        for name, api in APIS.items()
    ]


def switch(work: Work, *, organization: Organization, api: str, is_on: bool) -> bool:
    """Switch an API on or off and return whether that changed anything; raise Invalid for one that does not exist."""
    if api not in APIS:
        raise Invalid.field("api", f"Choose one of {', '.join(APIS)}.", code="choice")
    with work.transaction():
        organizations.lock_within(work, number=organization.number)
        switches = select(ApiSwitch).where(ApiSwitch.organization_number == organization.number, ApiSwitch.api == api)
        known = work.session.scalar(switches.execution_options(populate_existing=True))
        before = _state(None if known is None else known.is_on)
        if before is _state(is_on):
            return False
        if known is None:
            known = ApiSwitch(organization_number=organization.number, api=api)
            work.session.add(known)
        known.is_on, known.changed_at = is_on, work.now()
        _switched(work, organization, api, before=before, is_on=is_on)
    return True


def admit(work: Work, *, organization_number: int, api: str) -> bool:
    """Return whether a request that may use an API is answered, and switch the API on with the first one.

    Later requests write nothing. Of several first ones at once exactly one switches, and is audited. A database that
    cannot be written now is no reason to refuse a request: the next one switches.
    """
    is_on = _is_on(work, organization_number, api)
    if is_on is None:
        with suppress(Busy, SQLAlchemyError):
            _switch_on_unless_decided(work, organization_number, api)
    return is_on is not False


def is_off(work: Work, *, organization_number: int, api: str) -> bool:
    """Return whether somebody has switched an API off."""
    return _is_on(work, organization_number, api) is False


def _is_on(work: Work, organization_number: int, api: str) -> bool | None:
    """Return how an API is switched, None when it is not; a transaction begun for that ends at once."""
    was_open = work.session.in_transaction()
    query = select(ApiSwitch.is_on).where(ApiSwitch.organization_number == organization_number, ApiSwitch.api == api)
    found = work.session.scalar(query)
    if not was_open:
        work.session.commit()
    return found


def _switch_on_unless_decided(work: Work, organization_number: int, api: str) -> None:
    dialect = sqlite if dialect_of(work.session) == "sqlite" else postgresql
    row = {"organization_number": organization_number, "api": api, "is_on": True, "changed_at": work.now()}
    take = dialect.insert(ApiSwitch).values(row).on_conflict_do_nothing().returning(ApiSwitch.api)
    with work.transaction():
        organizations.lock_within(work, number=organization_number)
        if work.session.scalar(take) is not None:
            organization = work.session.get_one(Organization, organization_number)
            _switched(work, organization, api, before=ApiState.AUTOMATIC, is_on=True)


def _switched(work: Work, organization: Organization, api: str, *, before: ApiState, is_on: bool) -> None:
    """Write an entry of the audit log, and bring the types that the API knows, inside the caller's transaction."""
    if is_on:
        catalogue.install(work, organization=organization)  # one may have been deleted
    changes: Mapping[str, Any] = {api: [before.value, _state(is_on).value]}
    audit.record(
        work,
        action=f"organization.api_{'on' if is_on else 'off'}",
        organization_number=organization.number,
        object_type="organization",
        object_id=str(organization.id),
        object_name=organization.name,
        changes=changes,
    )


def _state(is_on: bool | None) -> ApiState:  # noqa: FBT001 as the row has it
    return ApiState.AUTOMATIC if is_on is None else ApiState.ON if is_on else ApiState.OFF
