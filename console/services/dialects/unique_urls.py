"""URLs that only one hook of an organization may have: a rule that some dialects make and the rest of us do not."""

from __future__ import annotations

from sqlalchemy import select

from console.core.errors import Conflict
from console.models import Hook
from console.services.organizations import organizations
from console.services.work import Work


def refuse_taken(work: Work, *, organization_number: int, url: str) -> None:
    """Raise Conflict (``url_taken``) when a hook of the organization has *url*, disabled ones included.

    Compared as text. Call it inside the transaction that writes the hook: it lets no second caller of the organization
    in before that one ends, so two at the same moment cannot both pass. (SQLite has one writer anyway.)
    """
    organizations.lock_within(work, number=organization_number)
    query = select(Hook.number).where(
        Hook.organization_number == organization_number, Hook.deleted_at.is_(None), Hook.url == url
    )
    if work.session.scalar(query.limit(1)) is not None:
        raise Conflict("Another hook of this organization has this URL.", code="url_taken")
