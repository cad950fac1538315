"""Who an API request comes from: the token it bears, read in one query, and its use noted."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from console.core import token_text
from console.core.errors import Busy, Unauthenticated
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.models import Membership, Organization, Token, User
from console.services.work import Work

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
    """Who a request comes from. *permissions* are in force: the token's, as far as the user's role still has them."""

    token_number: int
    token_id: UUID
    user: Person
    organization: Tenant
    permissions: frozenset[Permission]


_TOKENS, _USERS, _ORGANIZATIONS, _MEMBERSHIPS = (kind.__table__.c for kind in (Token, User, Organization, Membership))


# Over the tables, not the classes, and built once: every request of the API begins with it.
_LOOK_UP = (
    select(
        _TOKENS.number,
        _TOKENS.id,
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
        Token.__table__.join(User.__table__, _USERS.number == _TOKENS.user_number)
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
    """Say who a token speaks for, in one query, and note its use at most once a minute.

    Raise Unauthenticated with the code ``token_malformed``, ``token_unknown``, ``token_revoked``, ``token_expired``
    or ``user_inactive``.
    """
    prefix = token_text.prefix_of(text)
    if prefix is None:
        _refuse("token_malformed", "This is not a token of Hookyard; it may have been cut off or mistyped.")
    row = _look_up(work, prefix)
    if row is None or not hmac.compare_digest(row.secret_hash, hashlib.sha256(text.encode()).digest()):
        _refuse("token_unknown", "There is no such token.")
    now = work.now()
    if row.revoked_at is not None:
        _refuse("token_revoked", "This token was revoked.")
    if row.expires_at is not None and row.expires_at <= now:
        _refuse("token_expired", "This token has expired.")
    if not row.is_active:
        _refuse("user_inactive", "The user of this token is no longer active.")
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


def _refuse(code: str, message: str) -> NoReturn:
    raise Unauthenticated(message, code=code)


def _principal(row: Row[*tuple[Any, ...]]) -> Principal:
    return Principal(
        token_number=row.number,
        token_id=row.id,
        user=Person(
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
        permissions=_in_force(row.permissions, role=row.role, is_staff=row.is_staff),
    )


def _in_force(held: Iterable[str], *, role: str | None, is_staff: bool) -> frozenset[Permission]:
    """Cut a token's permissions down to what its user may do now; ADMIN counts as all of them."""
    permissions = frozenset(map(Permission, held))
    if Permission.ADMIN in permissions:
        permissions = frozenset(Permission)
    if is_staff:
        return permissions
    return permissions & ROLE_PERMISSIONS[Role(role)] if role else frozenset()


def _note_use(work: Work, token_number: int) -> None:
    """Write down when and from where a token was used; a database that is busy is let be."""
    now = work.now()
    stale = or_(Token.last_used_at.is_(None), Token.last_used_at <= now - NOTE_EVERY)
    note = update(Token).where(Token.number == token_number, stale).values(last_used_at=now, last_used_ip=work.actor.ip)
    with suppress(Busy, SQLAlchemyError), work.transaction():
        work.session.execute(note)
