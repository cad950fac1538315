"""Who may do what in which organization: memberships and their roles."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, exists, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload

from console.core.errors import Busy, Conflict, Invalid, NotFound
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.models import BrowserSession, Membership, Organization, User
from console.services import audit
from console.services.organizations import organizations
from console.services.people import sign_in, tokens
from console.services.people.tokens import Settled
from console.services.queries import contains
from console.services.work import Work

ROLE_CHANGED = "Your role was changed. Sign in again."
REMOVED = "You were removed from an organization. Sign in to see the others."
"""What a session that ends says to somebody who may do something else now, and to one who was removed."""


def memberships_of(work: Work, *, user: User) -> list[Membership]:
    """List a person's memberships with their organizations, by slug."""
    query = select(Membership).join(Organization).where(Membership.user_number == user.number)
    return list(work.session.scalars(query.options(joinedload(Membership.organization)).order_by(Organization.slug)))


def organizations_of(
    work: Work, *, user: User, words: str = "", after: str = "", limit: int | None = None
) -> list[Organization]:
    """List by slug the organizations that a person may enter: all for staff, else those with a membership.

    Those whose name or slug contains *words*, and whose slug comes after *after*.
    """
    query = select(Organization).where(Organization.closed_at.is_(None), Organization.slug > after)
    query = query.order_by(Organization.slug).limit(limit)
    if words:
        query = query.where(or_(contains(Organization.name, words), contains(Organization.slug, words)))
    if not user.is_staff:
        query = query.join(Membership).where(Membership.user_number == user.number)
    return list(work.session.scalars(query))


def landing_of(work: Work, *, user: User, slug: str | None) -> Organization | None:
    """Return where a person begins: in *slug* when they may enter it, else where they were last, else in their own.

    Staff without one of their own begin in the first of all. None when there is none that they may enter.
    """
    is_own = exists().where(
        Membership.user_number == user.number, Membership.organization_number == Organization.number
    )
    rank = case(
        (Organization.slug == slug, 0), (Organization.number == user.last_organization_number, 1), (is_own, 2), else_=3
    )
    query = select(Organization).where(Organization.closed_at.is_(None)).order_by(rank, Organization.slug).limit(1)
    return work.session.scalar(query if user.is_staff else query.where(is_own))


def note_last(work: Work, *, user: User, organization: Organization) -> None:
    """Remember where a person was last, for their next sign-in; a database that is busy is let be."""
    if user.last_organization_number == organization.number:
        return
    with suppress(Busy, SQLAlchemyError), work.transaction():
        here = update(User).where(User.number == user.number)
        work.session.execute(here.values(last_organization_number=organization.number))


def members(work: Work, *, organization_number: int, before: int | None = None, limit: int = 50) -> list[Membership]:
    """List an organization's memberships with their users, newest first, with a number below *before*."""
    query = select(Membership).where(Membership.organization_number == organization_number)
    if before is not None:
        query = query.where(Membership.number < before)
    query = query.options(joinedload(Membership.user)).order_by(Membership.number.desc())
    return list(work.session.scalars(query.limit(limit)))


def last_seen(work: Work, *, user_numbers: Collection[int]) -> dict[int, datetime]:
    """Say when each of these people was last seen in a browser; who never was is left out."""
    latest = func.max(BrowserSession.seen_at, type_=BrowserSession.seen_at.type)
    query = select(BrowserSession.user_number, latest).where(BrowserSession.user_number.in_(user_numbers))
    return dict(work.session.execute(query.group_by(BrowserSession.user_number)).all())


def get_member(work: Work, *, organization_number: int, user_id: UUID) -> Membership:
    """Give a person's membership of an organization; raise NotFound."""
    query = select(Membership).join(User).where(Membership.organization_number == organization_number)
    membership = work.session.scalar(query.where(User.id == user_id).options(joinedload(Membership.user)))
    if membership is None:
        raise NotFound("member")
    return membership


def role_of(work: Work, *, user: User, organization_number: int) -> Role | None:
    """Give a person's role in an organization; staff without one count as admins there; None: none."""
    if user.is_staff:
        return Role.ADMIN
    query = select(Membership.role).where(
        Membership.user_number == user.number, Membership.organization_number == organization_number
    )
    role = work.session.scalar(query)
    return Role(role) if role is not None else None


def permissions_of(work: Work, *, user: User, organization_number: int) -> frozenset[Permission]:
    """Give what a person may do in an organization."""
    role = role_of(work, user=user, organization_number=organization_number)
    return ROLE_PERMISSIONS[role] if role is not None else frozenset()


def change_role(work: Work, *, membership: Membership, role: str) -> Membership:
    """Change a member's role and end their sessions; raise Invalid, or Conflict for the last admin."""
    if role not in set(Role):
        raise Invalid.field("role", f"A role is one of {', '.join(Role)}.", code="choice")
    with work.transaction():
        before = membership.role
        if before != role:
            keep_an_admin(work, membership)
            membership.role = role
            _end_sessions(work, membership, reason=ROLE_CHANGED)
            audit_of(work, membership, "member.role_changed", before=before, after=role)
    return membership


def remove_member(work: Work, *, membership: Membership, handed_over: Collection[UUID] = ()) -> Settled:
    """Take a member out of an organization and end their sessions and tokens; raise Conflict for the last admin.

    The tokens in *handed_over* go on as service tokens of the organization.
    """
    with work.transaction():
        keep_an_admin(work, membership)
        _end_sessions(work, membership, reason=REMOVED)
        number = membership.organization_number
        settled = tokens.settle_within(work, user=membership.user, organization_number=number, handed_over=handed_over)
        audit_of(work, membership, "member.removed", before=membership.role, after=None)
        work.session.delete(membership)
    return settled


def only_admin(work: Work, *, organization_number: int) -> int | None:
    """Give the number of the membership that must stay as it is: the only active admin's, if there is just one."""
    query = select(Membership.number).join(User).where(Membership.organization_number == organization_number)
    query = query.where(Membership.role == Role.ADMIN, User.is_active).limit(2)
    numbers = work.session.scalars(query).all()
    return numbers[0] if len(numbers) == 1 else None


def keep_an_admin(work: Work, membership: Membership) -> None:
    """Raise Conflict when *membership* is the last admin's; locks the organization, so that two cannot go at once."""
    number = membership.organization_number
    organizations.lock_within(work, number=number)
    if only_admin(work, organization_number=number) == membership.number:
        who, where = membership.user.email, membership.organization.name
        raise Conflict(f"{who} is the only admin of {where}; make somebody else admin first.", code="last_admin")


def _end_sessions(work: Work, membership: Membership, *, reason: str) -> None:
    sign_in.end_sessions_within(work, user=membership.user, keep=None, reason=reason)


def audit_of(work: Work, membership: Membership, action: str, *, before: str | None, after: str | None) -> None:
    """Write down a change of a membership inside the caller's transaction."""
    audit.record(
        work,
        action=action,
        organization_number=membership.organization_number,
        object_type="user",
        object_id=str(membership.user.id),
        object_name=membership.user.email,
        changes={"role": [before, after]},
    )
