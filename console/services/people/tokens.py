"""Tokens of the API: issue, list, revoke. Only the SHA-256 of their text is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from console.core import token_text
from console.core.errors import Forbidden, Invalid, NotFound
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.models import Membership, Organization, Token, User
from console.services import audit
from console.services.work import Work

LONGEST_NAME = 200
LONGEST_LIFE_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; *text* is shown this once."""

    token: Token
    text: str


def issue(
    work: Work,
    *,
    user: User,
    organization: Organization,
    permissions: Iterable[Permission],
    name: str = "",
    expires_in_days: int | None = None,
    expires_at: datetime | None = None,
) -> Issued:
    """Make a token; raise Invalid, or Forbidden for a permission that the user's role does not have."""
    wanted = frozenset(Permission(permission) for permission in permissions)
    _check(work, user=user, organization=organization, wanted=wanted, name=name)
    now = work.now()
    expiry = _expiry(now, expires_in_days=expires_in_days, expires_at=expires_at)
    # A unique constraint refuses the improbable: the prefix of another token.
    prefix, text = token_text.written(name=work.token_bytes(8), secret=work.token_bytes(32))
    token = Token(
        id=work.new_id(),
        prefix=prefix,
        secret_hash=hashlib.sha256(text.encode()).digest(),
        name=name,
        user_number=user.number,
        organization_number=organization.number,
        permissions=[permission.value for permission in Permission if permission in wanted],
        created_at=now,
        expires_at=expiry,
    )
    with work.transaction():
        work.session.add(token)
        work.session.flush()
        _audit(work, token, "token.issued", {"permissions": [None, token.permissions], "expires_at": [None, expiry]})
    return Issued(token, text)


def _check(work: Work, *, user: User, organization: Organization, wanted: frozenset[Permission], name: str) -> None:
    if not wanted:
        raise Invalid.field("permissions", "Give the token at least one permission.", code="required")
    if len(name) > LONGEST_NAME or "\x00" in name:
        raise Invalid.field("name", f"A name has at most {LONGEST_NAME} characters.", code="too_long")
    if user.is_staff:
        return
    role = work.session.scalar(
        select(Membership.role).where(
            Membership.user_number == user.number, Membership.organization_number == organization.number
        )
    )
    allowed = ROLE_PERMISSIONS[Role(role)] if role else frozenset[Permission]()
    for permission in sorted(wanted - allowed):
        raise Forbidden(permission)


def _expiry(now: datetime, *, expires_in_days: int | None, expires_at: datetime | None) -> datetime | None:
    if expires_in_days is not None:
        if not 1 <= expires_in_days <= LONGEST_LIFE_DAYS:
            raise Invalid.field(
                "expires_in_days", f"Choose from 1 to {LONGEST_LIFE_DAYS} days, or no expiry.", code="range"
            )
        return now + timedelta(days=expires_in_days)
    if expires_at is not None and expires_at <= now:
        raise Invalid.field("expires_at", "Choose a time in the future.", code="range")
    return expires_at


def revoke(work: Work, *, token: Token) -> None:
    """End a token at once; one that is revoked already stays as it is."""
    with work.transaction():
        if token.revoked_at is None:
            token.revoked_at = work.now()
            _audit(work, token, "token.revoked", {})


def find(
    work: Work,
    *,
    organization_number: int,
    user_number: int | None = None,
    with_revoked: bool = False,
    before: int | None = None,
    limit: int = 50,
) -> list[Token]:
    """List tokens with their users, newest first, with a number below *before*; of all users or of one."""
    query = select(Token).where(Token.organization_number == organization_number).options(joinedload(Token.user))
    if user_number is not None:
        query = query.where(Token.user_number == user_number)
    if not with_revoked:
        query = query.where(Token.revoked_at.is_(None))
    if before is not None:
        query = query.where(Token.number < before)
    return list(work.session.scalars(query.order_by(Token.number.desc()).limit(limit)))


def get(work: Work, *, organization_number: int, token_id: UUID) -> Token:
    """Give a token of the organization, revoked or not; raise NotFound."""
    query = select(Token).where(Token.organization_number == organization_number, Token.id == token_id)
    token = work.session.scalar(query.options(joinedload(Token.user)))
    if token is None:
        raise NotFound("token")
    return token


def _audit(work: Work, token: Token, action: str, changes: dict[str, Any]) -> None:
    audit.record(
        work,
        action=action,
        organization_number=token.organization_number,
        object_type="token",
        object_id=str(token.id),
        object_name=token.name or token.prefix,
        changes=changes,
    )
