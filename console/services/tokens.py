"""Tokens of the API: ``hy_<8>_<43>_<6>``, the name it is found by, 256 random bits, and a checksum.

Only the SHA-256 of the text is stored. The checksum (CRC-32 over what stands before it) tells a mistyped token from an
unknown one without a look-up. All parts are letters and digits, so that a double click selects the token whole.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn
from uuid import UUID

from sqlalchemy import Row, and_, bindparam, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload

from console.core.errors import Busy, Forbidden, Invalid, NotFound, Unauthenticated
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.models import Membership, Organization, Token, User
from console.services import audit
from console.services.work import Work

LONGEST_NAME = 200
LONGEST_LIFE_DAYS = 3650
NOTE_EVERY = timedelta(minutes=1)
_TEXT = re.compile(r"(hy_[0-9A-Za-z]{8})_[0-9A-Za-z]{43}_([0-9A-Za-z]{6})", re.ASCII)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Person:
    """The user of a token, as views need it; ``number`` joins, ``id`` is shown."""

    number: int
    id: UUID
    username: str
    full_name: str
    email: str
    is_staff: bool

    @property
    def display_name(self) -> str:
        """What other people know this person by, as ``User.display_name``."""
        return self.full_name or self.email


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


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; *text* is shown this once."""

    token: Token
    text: str


# --- making and ending ----------------------------------------------------------------------------------------------


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
    prefix, text = _new_text(work)
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


# --- the text -------------------------------------------------------------------------------------------------------


def _new_text(work: Work) -> tuple[str, str]:
    """Make a prefix (62^8 of them; a unique constraint refuses the improbable) and the whole text."""
    prefix = "hy_" + _in_digits(int.from_bytes(work.token_bytes(8), "big"), length=8)
    head = f"{prefix}_{_in_digits(int.from_bytes(work.token_bytes(32), 'big'), length=43)}"
    return prefix, f"{head}_{_checksum(head)}"


def _checksum(head: str) -> str:
    return _in_digits(zlib.crc32(head.encode()), length=6)


def _in_digits(number: int, *, length: int) -> str:
    """Write the low part of *number* in base 62 with *length* digits."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


# --- using ----------------------------------------------------------------------------------------------------------

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
    found = _TEXT.fullmatch(text)
    if found is None or not hmac.compare_digest(_checksum(text.rpartition("_")[0]), found[2]):
        _refuse("token_malformed", "This is not a token of Hookyard; it may have been cut off or mistyped.")
    row = _look_up(work, found[1])
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
