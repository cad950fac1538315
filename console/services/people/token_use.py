"""Who an API request comes from: the token it bears, read in one query, and its use noted."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from console.core import token_rights, token_text
from console.core.errors import Busy, Unauthenticated
from console.core.permissions import Permission, Role
from console.core.token_rights import TokenStatus
from console.models import Membership, Organization, Token, User
from console.services.work import Actor, Work

NOTE_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Person:
    """The user of a token, as views need it; ``number`` joins, ``id`` is shown."""

    number: int
    id: UUID
    username: str
    full_name: str
    email: str
    is_staff: bool


@dataclass(frozen=True, slots=True)
class Tenant:
    """The organization of a token."""

    number: int
    id: UUID
    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from. *permissions* are in force: the token's, as far as the user's role still has them.

    *user* is None for a service token, which belongs to the organization. *role* is the user's there, staff count as
    admins; None for a service token.
    """

    token_number: int
    token_id: UUID
    token_name: str
    user: Person | None
    organization: Tenant
    permissions: frozenset[Permission]
    role: Role | None

    @property
    def user_number(self) -> int | None:
        """The number of the person, as the author of what the request creates; None for a service token."""
        return self.user.number if self.user else None

    @property
    def is_service(self) -> bool:
        """Whether a service token asks."""
        return self.user is None

    @property
    def is_staff(self) -> bool:
        """Whether a member of staff asks; a service token never is."""
        return self.user is not None and self.user.is_staff

    @property
    def actor(self) -> Actor:
        """Who acts, for the audit log."""
        if self.user is None:
            return Actor(self.token_name, service_token_id=self.token_id)
        return Actor(self.user.email, user_number=self.user.number)


_MESSAGES = {
    TokenStatus.REVOKED: "This token was revoked.",
    TokenStatus.EXPIRED: "This token has expired.",
    TokenStatus.OWNER_INACTIVE: "The owner of this token is no longer active.",
    TokenStatus.OWNER_LEFT: "The owner of this token has left the organization. Create a new token, best a service "
    "token.",
}


_TOKENS, _USERS, _ORGANIZATIONS, _MEMBERSHIPS = (kind.__table__.c for kind in (Token, User, Organization, Membership))


# Over the tables, not the classes, and built once: every request of the API begins with it.
_LOOK_UP = (
    select(
        _TOKENS.number,
        _TOKENS.id,
        _TOKENS.prefix,
        _TOKENS.name.label("token_name"),
        _TOKENS.secret_hash,
        _TOKENS.permissions,
        _TOKENS.expires_at,
        _TOKENS.revoked_at,
        _TOKENS.last_used_at,
        _USERS.number.label("user_number"),
        _USERS.id.label("user_id"),
        _USERS.username,
        _USERS.full_name,
        _USERS.email,
        _USERS.is_staff,
        _USERS.is_active,
        _ORGANIZATIONS.number.label("organization_number"),
        _ORGANIZATIONS.id.label("organization_id"),
        _ORGANIZATIONS.slug,
        _ORGANIZATIONS.name.label("organization_name"),
        _MEMBERSHIPS.role,
    )
    .select_from(
        Token.__table__.outerjoin(User.__table__, _USERS.number == _TOKENS.user_number)
        .join(Organization.__table__, _ORGANIZATIONS.number == _TOKENS.organization_number)
        .outerjoin(
            Membership.__table__,
            and_(
                _MEMBERSHIPS.user_number == _TOKENS.user_number,
                _MEMBERSHIPS.organization_number == _TOKENS.organization_number,
            ),
        )
    )
    .where(_TOKENS.prefix == bindparam("prefix"))
)


def authenticate(work: Work, text: str) -> Principal:
    """Return who a token speaks for, in one query, and note its use at most once a minute.

    Raise Unauthenticated with the code ``token_malformed``, ``token_unknown`` or a ``TokenStatus``.
    """
    prefix = token_text.prefix_of(text)
    if prefix is None:
        raise Unauthenticated(
            "This is not a token of Hookyard; it may have been cut off or mistyped.", code="token_malformed"
        )
    row = _look_up(work, prefix)
    if row is None or not hmac.compare_digest(row.secret_hash, hashlib.sha256(text.encode()).digest()):
        raise Unauthenticated("There is no such token.", code="token_unknown")
    now = work.now()
    status = token_rights.status(
        now=now,
        revoked_at=row.revoked_at,
        expires_at=row.expires_at,
        is_service=row.user_number is None,
        is_owner_active=bool(row.is_active),
        is_owner_here=row.role is not None or bool(row.is_staff),
    )
    if status is not TokenStatus.VALID:
        raise Unauthenticated(_MESSAGES[status], code=status.value)
    if row.last_used_at is None or row.last_used_at <= now - NOTE_EVERY:
        _note_use(work, row.number)
    return _principal(row)


def _look_up(work: Work, prefix: str) -> Row[*tuple[Any, ...]] | None:
    """Read a token with all that hangs on it; a transaction begun for that ends at once, for clients may be slow."""
    was_open = work.session.in_transaction()
    row = work.session.execute(_LOOK_UP, {"prefix": prefix}).one_or_none()
    if not was_open:
        work.session.commit()
    return row


def _principal(row: Row[*tuple[Any, ...]]) -> Principal:
    is_service = row.user_number is None
    return Principal(
        token_number=row.number,
        token_id=row.id,
        token_name=row.token_name or row.prefix,
        user=None
        if is_service
        else Person(
            number=row.user_number,
            id=row.user_id,
            username=row.username,
            full_name=row.full_name,
            email=row.email,
            is_staff=row.is_staff,
        ),
        organization=Tenant(
            number=row.organization_number, id=row.organization_id, slug=row.slug, name=row.organization_name
        ),
        permissions=token_rights.in_force(
            row.permissions, is_service=is_service, role=row.role, is_staff=bool(row.is_staff)
        ),
        role=Role.ADMIN if row.is_staff else Role(row.role) if row.role else None,
    )


def _note_use(work: Work, token_number: int) -> None:
    """Write down when and from where a token was used; a database that is busy is let be."""
    now = work.now()
    stale = or_(Token.last_used_at.is_(None), Token.last_used_at <= now - NOTE_EVERY)
    note = update(Token).where(Token.number == token_number, stale).values(last_used_at=now, last_used_ip=work.actor.ip)
    with suppress(Busy, SQLAlchemyError), work.transaction():
        work.session.execute(note)
