"""Invitations: a link that makes somebody a member, with an account they have or with a new one.

Whoever holds the link may use it, once and for seven days; no mail is sent, so the admin hands it over.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased, joinedload

from console.core.errors import Conflict, Invalid, NotFound, Unauthenticated
from console.core.permissions import Role
from console.models import Invitation, Membership, Organization, User
from console.services import audit
from console.services.people import accounts, members, passwords, sign_in
from console.services.work import Actor, Work

LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation and the secret of its link, which is stored nowhere."""

    invitation: Invitation
    secret: str


def invite(work: Work, *, organization: Organization, email: str, role: str) -> Invited:
    """Invite somebody; an earlier invitation of the same e-mail ends. Raise Invalid, or Conflict for a member."""
    email = sign_in.normalized(email)
    if role not in set(Role):
        raise Invalid.field("role", f"A role is one of {', '.join(Role)}.", code="choice")
    wrong = accounts.wrong_email(email)
    if wrong:
        raise Invalid(*wrong)
    if _is_member(work, organization, email):
        raise Conflict(f"{email} is a member already.", code="member_exists")
    secret, now = urlsafe_b64encode(work.token_bytes(32)).decode().rstrip("="), work.now()
    with work.transaction():
        earlier = (Invitation.organization_number == organization.number, Invitation.email == email)
        work.session.execute(update(Invitation).where(*earlier, Invitation.ended_at.is_(None)).values(ended_at=now))
        invitation = Invitation(
            id=work.new_id(),
            secret_hash=_digest(secret),
            organization=organization,
            email=email,
            role=role,
            invited_by=work.actor.name[:254],
            invited_by_number=work.actor.user_number,
            created_at=now,
            expires_at=now + LIFE,
        )
        work.session.add(invitation)
        work.session.flush()
        _audit(work, invitation, "member.invited")
    return Invited(invitation, secret)


def waiting(work: Work, *, organization_number: int) -> list[Invitation]:
    """List the invitations that may still be accepted, newest first."""
    query = select(Invitation).where(Invitation.organization_number == organization_number, *_usable(work))
    return list(work.session.scalars(query.order_by(Invitation.number.desc())))


def withdraw(work: Work, *, organization_number: int, invitation_id: UUID) -> Invitation:
    """End an invitation; raise NotFound."""
    query = select(Invitation).where(Invitation.organization_number == organization_number)
    invitation = work.session.scalar(query.where(Invitation.id == invitation_id))
    if invitation is None:
        raise NotFound("invitation")
    with work.transaction():
        if invitation.ended_at is None:
            invitation.ended_at = work.now()
            _audit(work, invitation, "member.invitation_withdrawn")
    return invitation


def look_up(work: Work, *, secret: str) -> Invitation:
    """Give the invitation of a link.

    Raise Unauthenticated with the code ``invitation_unknown``, ``invitation_ended`` or ``invitation_expired``.
    """
    query = select(Invitation).where(Invitation.secret_hash == _digest(secret))
    invitation = work.session.scalar(query.options(joinedload(Invitation.organization)))
    if invitation is None:
        raise Unauthenticated("There is no such invitation.", code="invitation_unknown")
    if invitation.ended_at is not None:
        raise _ended()
    if invitation.expires_at <= work.now():
        raise Unauthenticated("This invitation has expired.", code="invitation_expired")
    if not work.session.scalar(select(Invitation.number).where(Invitation.number == invitation.number, *_usable(work))):
        raise _ended()  # who invited may do so no longer
    return invitation


def has_account(work: Work, *, invitation: Invitation) -> bool:
    """Say whether the invited e-mail is somebody's here, who then signs in to accept."""
    return work.session.scalar(select(User.number).where(User.email == invitation.email)) is not None


def accept(work: Work, *, secret: str, user: User) -> Membership:
    """Make *user* a member; raise Unauthenticated as ``look_up`` does, or Conflict for a member."""
    invitation = look_up(work, secret=secret)
    try:
        with work.transaction():
            _use_up(work, invitation)
            membership = Membership(
                user=user, organization=invitation.organization, role=invitation.role, created_at=work.now()
            )
            work.session.add(membership)
            work.session.flush()
            members.audit_of(work, membership, "member.joined", before=None, after=invitation.role)
    except IntegrityError as error:
        name = invitation.organization.name
        raise Conflict(f"You are a member of {name} already.", code="member_exists") from error
    return membership


def accept_as_new(work: Work, *, secret: str, full_name: str, password: str) -> User:
    """Make an account for the invited e-mail, which is a member then.

    Raise Unauthenticated as ``look_up`` does, Invalid, or Conflict when the e-mail is somebody's by now.
    """
    invitation = look_up(work, secret=secret)
    email, role, organization = invitation.email, Role(invitation.role), invitation.organization
    wrong = accounts.wrong_user("invited", email, full_name, password, names=[organization.slug, organization.name])
    if wrong:
        raise Invalid(*wrong)
    work.session.commit()  # no transaction is open while hashing
    password_hash = passwords.hash_password(password)
    work = replace(work, actor=Actor(email, ip=work.actor.ip))
    with work.transaction():
        _use_up(work, invitation)
        user = User(username=accounts.free_username(work, email), email=email, full_name=full_name.strip())
        user.password_hash = password_hash
        return accounts.add_user(work, user, organization=organization, role=role)


def _use_up(work: Work, invitation: Invitation) -> None:
    """End the invitation as accepted, when it may still be used; of two at once only one passes."""
    usable = update(Invitation).where(Invitation.number == invitation.number, *_usable(work))
    used = usable.values(ended_at=work.now()).returning(Invitation.number)
    if work.session.scalar(used.execution_options(synchronize_session=False)) is None:
        raise _ended()


def _usable(work: Work) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions under which an invitation gives a right.

    Its organization is open, and who invited may still do so: whoever is switched off, or is no admin any more, leaves
    no link behind. One that a command made, or one from before its author was kept, has no such person.
    """
    author, membership = aliased(User), aliased(Membership)
    is_admin = exists().where(
        membership.user_number == author.number,
        membership.organization_number == Invitation.organization_number,
        membership.role == Role.ADMIN,
    )
    may_invite = exists().where(
        author.number == Invitation.invited_by_number, author.is_active, or_(author.is_staff, is_admin)
    )
    is_open = exists().where(Organization.number == Invitation.organization_number, Organization.closed_at.is_(None))
    return (
        Invitation.ended_at.is_(None),
        Invitation.expires_at > work.now(),
        or_(Invitation.invited_by_number.is_(None), may_invite),
        is_open,
    )


def _ended() -> Unauthenticated:
    return Unauthenticated(
        "This invitation was used or withdrawn, or who made it is no longer an admin.", code="invitation_ended"
    )


def _is_member(work: Work, organization: Organization, email: str) -> bool:
    query = select(Membership.number).join(User).where(Membership.organization_number == organization.number)
    return work.session.scalar(query.where(User.email == email)) is not None


def _audit(work: Work, invitation: Invitation, action: str) -> None:
    audit.record(
        work,
        action=action,
        organization_number=invitation.organization.number,
        object_type="invitation",
        object_id=str(invitation.id),
        object_name=invitation.email,
        changes={"role": [None, invitation.role]} if action == "member.invited" else None,
    )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
