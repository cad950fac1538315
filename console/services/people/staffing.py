"""What those who run the installation decide about a person: whether the account works, and whether it is staff's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import joinedload, selectinload

from console.core.errors import Conflict, NotFound
from console.database import take_turns
from console.models import Membership, Organization, Token, User
from console.services.organizations import organizations
from console.services.people import members, sign_in, tokens
from console.services.queries import contains
from console.services.work import Work

_STAFF = "staff"
"""What transactions that take somebody from the staff take turns by: the last one stays."""


def find(work: Work, *, words: str = "", before: int | None = None, limit: int = 50) -> list[User]:
    """List people whose e-mail, user name or name contains *words*, newest first, with a number below *before*."""
    query = select(User).options(joinedload(User.memberships).joinedload(Membership.organization))
    if words:
        query = query.where(or_(*(contains(column, words) for column in (User.email, User.username, User.full_name))))
    if before is not None:
        query = query.where(User.number < before)
    return list(work.session.scalars(query.order_by(User.number.desc()).limit(limit)).unique())


def everybody(work: Work, *, organization: Organization | None = None) -> list[User]:
    """List everybody who has an account, by user name, or only the members of an organization."""
    query = select(User).options(selectinload(User.memberships).joinedload(Membership.organization))
    if organization is not None:
        query = query.where(User.memberships.any(Membership.organization_number == organization.number))
    return list(work.session.scalars(query.order_by(User.username)))


def get(work: Work, *, user_id: UUID) -> User:
    """Return a person; raise NotFound."""
    user = work.session.scalar(select(User).where(User.id == user_id))
    if user is None:
        raise NotFound("user")
    return user


def tokens_of(work: Work, *, user: User) -> list[Token]:
    """List the tokens that end with a person's account: their own everywhere, and those that these created."""
    return [
        token
        for number in _organizations_with_tokens(work, user)
        for token in tokens.of_leaver(work, user_number=user.number, organization_number=number)
    ]


def deactivate(work: Work, *, user: User, even_last_admin: bool = False, keep_tokens: bool = False) -> list[Token]:
    """Switch a person off: sessions, half-finished sign-ins, invitations and tokens end at once, for good.

    With *keep_tokens*, their tokens become service tokens of the organizations instead, with the permissions that they
    have now; those that have none end all the same. Return the tokens, where ``revoked_at`` says which ended. Raise
    Conflict for the last staff, for oneself, and for the only admin of an organization unless *even_last_admin*: staff
    may do everything there all the same.
    """
    with work.transaction():
        _keep_staff(work, user)
        if not even_last_admin:
            for membership in members.memberships_of(work, user=user):
                members.keep_an_admin(work, membership)
        was_active, user.is_active = user.is_active, False
        sign_in.end_sessions_within(work, user=user, keep=None, reason="This account is no longer active.")
        settled = _settle_tokens(work, user, _organizations_with_tokens(work, user), keep=keep_tokens)
        _audit(work, user, "user.deactivated", {"is_active": [was_active, False]})
    return settled


def activate(work: Work, *, user: User) -> None:
    """Let a person sign in again; sessions and tokens that ended stay ended."""
    with work.transaction():
        was_active, user.is_active = user.is_active, True
        _audit(work, user, "user.activated", {"is_active": [was_active, True]})


def set_staff(work: Work, *, user: User, is_staff: bool) -> int:
    """Make a person staff, or end that: they are signed out then, and tokens for organizations of others end.

    Return how many tokens were revoked. Raise Conflict for the last staff, and for oneself.
    """
    settled: list[Token] = []
    with work.transaction():
        if not is_staff:
            _keep_staff(work, user)
            sign_in.end_sessions_within(work, user=user, keep=None, reason=members.ROLE_CHANGED)
            own = {one.organization_number for one in members.memberships_of(work, user=user)}
            others = [number for number in _organizations_with_tokens(work, user) if number not in own]
            settled = _settle_tokens(work, user, others, keep=False)
        before, user.is_staff = user.is_staff, is_staff
        _audit(work, user, "user.staff_changed", {"is_staff": [before, is_staff]})
    return len(settled)


def _organizations_with_tokens(work: Work, user: User) -> list[int]:
    query = select(Token.organization_number).where(Token.user_number == user.number, Token.revoked_at.is_(None))
    return list(work.session.scalars(query.distinct().order_by(Token.organization_number)))


def _settle_tokens(work: Work, user: User, organization_numbers: list[int], *, keep: bool) -> list[Token]:
    """End a person's tokens in these organizations, and those that they created, or hand them over; return them."""
    settled: list[Token] = []
    for number in organization_numbers:
        organizations.lock_within(work, number=number)
        leaving = tokens.of_leaver(work, user_number=user.number, organization_number=number)
        kept = [token.id for token in leaving] if keep else []
        tokens.settle_within(work, user=user, organization_number=number, handed_over=kept)
        settled += leaving
    return settled


def _keep_staff(work: Work, user: User) -> None:
    """Raise Conflict when *user* is who asks, or the last active staff; others who want the same wait meanwhile."""
    if user.number == work.actor.user_number:
        raise Conflict("Ask another member of staff: you cannot do this to your own account.", code="own_account")
    take_turns(work.session, _STAFF)
    work.session.refresh(user, ["is_active", "is_staff"], with_for_update=True)
    others = exists().where(User.is_staff, User.is_active, User.number != user.number)
    if user.is_staff and user.is_active and not work.session.scalar(select(others)):
        raise Conflict(
            f"{user.email} is the only member of staff who can sign in; make somebody else staff first.",
            code="last_staff",
        )


def _audit(work: Work, user: User, action: str, changes: Mapping[str, Any]) -> None:
    sign_in.audit_for(work, user, action, changes=changes)
