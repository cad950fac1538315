"""The end of an organization: closed at once for everybody, its rows deleted after that in small transactions."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, exists, select, text, update

from console.core.errors import Invalid
from console.database import read_only
from console.models import Bin, Event, Hook, Invitation, Membership, Organization, Token
from console.services import audit
from console.services.hooks import hooks
from console.services.work import Work

BATCH = 200
"""Events a transaction deletes, with their deliveries and attempts, as in ``retention``."""


def close(work: Work, *, organization: Organization, slug: str) -> None:
    """Close an organization when *slug*, typed by the person, is its own: its slug is free for another at once.

    What waits is canceled, tokens and links end, nobody is a member any more; ``remove_closed`` deletes the rest.
    Raise Invalid for another slug.
    """
    if slug.strip() != organization.slug:
        raise Invalid.field("slug", f"Type {organization.slug}, the organization's slug.", code="confirmation")
    number, now = organization.number, work.now()
    with work.transaction():
        living = select(Hook).where(Hook.organization_number == number, Hook.deleted_at.is_(None))
        for hook in work.session.scalars(living):
            hooks.delete_within(work, hook)
        for model in (Membership, Invitation, Bin):
            work.session.execute(delete(model).where(model.organization_number == number))
        work.session.execute(
            update(Token).where(Token.organization_number == number, Token.revoked_at.is_(None)).values(revoked_at=now)
        )
        audit.record(
            work,
            action="organization.closed",
            object_type="organization",
            object_id=str(organization.id),
            object_name=f"{organization.name} ({organization.slug})",
        )
        organization.slug, organization.closed_at = f"~{number}", now


# What is being sent stays until its outcome is written.
_EVENTS = text("""
DELETE FROM events WHERE number IN (
    SELECT e.number FROM events AS e
    WHERE e.organization_number = :organization
      AND NOT EXISTS (SELECT 1 FROM deliveries AS d WHERE d.event_number = e.number AND d.state = 'sending')
    ORDER BY e.number LIMIT :batch)""").bindparams(bindparam("batch", BATCH))


def remove_closed(work: Work, *, most_batches: int = 5) -> int:
    """Delete what closed organizations left, at most so many batches of events; say how many organizations are gone.

    One with more events than that, or with a delivery on its way, stays until a later call.
    """
    removed = 0
    with read_only():
        closed = work.session.scalars(select(Organization.number).where(Organization.closed_at.is_not(None))).all()
    for number in closed:
        for _ in range(most_batches):
            with work.transaction():
                result = work.session.execute(_EVENTS, {"organization": number})
            if int(result.rowcount) < BATCH:  # type: ignore[attr-defined]  # CursorResult, as a DELETE gives
                break
        with work.transaction():
            if not work.session.scalar(select(exists().where(Event.organization_number == number))):
                work.session.execute(delete(Organization).where(Organization.number == number))
                removed += 1
    return removed
