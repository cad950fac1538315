"""An organization's configuration as one JSON object: what somebody needs to set it up again elsewhere. No secrets."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from console.models import EventType, Hook, Membership, Organization, Source
from console.services.organizations import foreign_apis
from console.services.people import members
from console.services.work import Work

HOOK_FIELDS = (
    "name",
    "url",
    "description",
    "is_active",
    "all_events",
    "event_types",
    "event_groups",
    "sources",
    "content_type",
    "payload_format",
    "filter",
    "retry",
    "max_in_flight",
    "rate_limit",
    "dialect",
)
MOST_MEMBERS = 10_000


def export(work: Work, *, organization: Organization) -> dict[str, Any]:
    """Return defaults, compatible APIs, hooks (without secrets and headers), own event types, sources and members.

    Each list is oldest first.
    """
    number = organization.number
    hooks = select(Hook).where(Hook.organization_number == number, Hook.deleted_at.is_(None)).order_by(Hook.number)
    own = (EventType.organization_number == number, EventType.is_builtin.is_(False))
    types = select(EventType).where(*own).order_by(EventType.number)
    sources = select(Source).where(Source.organization_number == number).order_by(Source.number)
    people: list[Membership] = members.members(work, organization_number=number, limit=MOST_MEMBERS)
    return {
        "slug": organization.slug,
        "name": organization.name,
        "exported_at": work.now().isoformat(),
        "defaults": {
            "retry_schedule": organization.retry_schedule,
            "timeout": organization.timeout_s,
            "retention_days": organization.retention_days,
            "largest_payload": organization.largest_payload,
        },
        "apis": {api: state.value for api, state in foreign_apis.states(work, organization_number=number).items()},
        "hooks": [
            {"id": str(hook.id), **{name: getattr(hook, name) for name in HOOK_FIELDS}, "timeout": hook.timeout_s}
            for hook in work.session.scalars(hooks)
        ],
        "event_types": [
            {
                "name": one.name,
                "groups": one.groups,
                "description": one.description,
                "sample": one.sample,
                "schema": one.schema,
            }
            for one in work.session.scalars(types)
        ],
        "sources": [{"slug": one.slug, "name": one.name} for one in work.session.scalars(sources)],
        "members": [
            {"email": one.user.email, "full_name": one.user.full_name, "role": one.role} for one in reversed(people)
        ],
    }
