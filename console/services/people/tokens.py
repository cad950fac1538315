"""Tokens of the API: issue, list, revoke, hand over. Only the SHA-256 of their text is stored.

What changes tokens holds the lock of the organization, as changes of its members do: a token is never created by a
person or a token that lost the right to at the same moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import joinedload

from console.core import token_rights, token_text
from console.core.errors import Forbidden, Invalid, NotFound, Unauthenticated
from console.core.permissions import Permission
from console.core.token_rights import TokenStatus
from console.models import Membership, Organization, Token, User
from console.services import audit
from console.services.organizations import organizations
from console.services.work import Work

LONGEST_NAME = 200
LONGEST_LIFE_DAYS = 3650
ENDS_SOON = timedelta(days=14)
"""A token that expires within this time is named on the dashboard, and so is one that did so lately."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; *text* is shown this once."""

    token: Token
    text: str


@dataclass(frozen=True, slots=True)
class Settled:
    """How many tokens of somebody who left go on as service tokens, and how many ended."""

    handed_over: int
    ended: int


# --- issuing --------------------------------------------------------------------------------------------------------


def issue(
    work: Work,
    *,
    organization: Organization,
    permissions: Iterable[Permission],
    user: User | None = None,
    parent_number: int | None = None,
    is_service: bool = False,
    name: str = "",
    expires_in_days: int | None = None,
    expires_at: datetime | None = None,
) -> Issued:
    """Create a token that may do no more than who creates it: *user*, the token *parent_number*, or both.

    It belongs to *user*, or to the organization when *is_service* or when there is no user. Neither user nor parent:
    the operator creates it. It expires no later than its parent. Raise Invalid, Forbidden for a permission that the
    creator does not have, Unauthenticated when the parent has ended or the user is no longer active.
    """
    wanted = frozenset(Permission(permission) for permission in permissions)
    _check_form(wanted, name)
    now = work.now()
    expiry = _expiry(now, expires_in_days=expires_in_days, expires_at=expires_at)
    # A unique constraint refuses the improbable: the prefix of another token.
    prefix, text = token_text.written(name=work.token_bytes(8), secret=work.token_bytes(32))
    with work.transaction():
        organizations.lock_within(work, number=organization.number)
        parent = _living_parent(work, parent_number)
        _check_rights(work, wanted, user=user, organization=organization, parent=parent)
        if parent is not None and parent.expires_at is not None:
            expiry = min(expiry or parent.expires_at, parent.expires_at)
        token = Token(
            id=work.new_id(),
            prefix=prefix,
            secret_hash=hashlib.sha256(text.encode()).digest(),
            name=name,
            user_number=None if is_service or user is None else user.number,
            organization_number=organization.number,
            parent_number=parent_number,
            permissions=_in_order(wanted),
            created_by=work.actor.who[:254],
            created_at=now,
            expires_at=expiry,
        )
        work.session.add(token)
        work.session.flush()
        changes = {"permissions": [None, token.permissions], "expires_at": [None, expiry]}
        _audit(work, token, "token.issued", {**changes, "is_service": [None, token.is_service]})
    return Issued(token, text)


def _check_form(wanted: frozenset[Permission], name: str) -> None:
    if not wanted:
        raise Invalid.field("permissions", "Give the token at least one permission.", code="required")
    if len(name) > LONGEST_NAME or "\x00" in name:
        raise Invalid.field("name", f"A name has at most {LONGEST_NAME} characters.", code="too_long")


def _living_parent(work: Work, number: int | None) -> Token | None:
    if number is None:
        return None
    parent = work.session.get_one(Token, number, populate_existing=True)
    if parent.revoked_at is not None or (parent.expires_at is not None and parent.expires_at <= work.now()):
        raise Unauthenticated("The token that creates this one has ended.", code=TokenStatus.REVOKED)
    return parent


def _check_rights(
    work: Work, wanted: frozenset[Permission], *, user: User | None, organization: Organization, parent: Token | None
) -> None:
    """Raise Forbidden for what the creator does not have; ADMIN itself is only given by who has ADMIN.

    Raise Unauthenticated for a person who was switched off, maybe since the request began: nothing would end the
    service tokens that they create from then on.
    """
    allowed = frozenset(Permission)
    if parent is not None:
        allowed &= token_rights.all_of(parent.permissions)
    if user is not None:
        work.session.refresh(user, ["is_active", "is_staff"])
        if not user.is_active:
            raise Unauthenticated(f"{user.email} is no longer active.", code=TokenStatus.OWNER_INACTIVE)
        role = work.session.scalar(
            select(Membership.role).where(
                Membership.user_number == user.number, Membership.organization_number == organization.number
            )
        )
        allowed &= token_rights.of_owner(role=role, is_staff=user.is_staff)
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


# --- ending ---------------------------------------------------------------------------------------------------------


def revoke(work: Work, *, token: Token) -> None:
    """End a token at once, and all that it created; one that is revoked already stays as it is."""
    with work.transaction():
        organizations.lock_within(work, number=token.organization_number)
        work.session.refresh(token, ["revoked_at"])
        if token.revoked_at is None:
            for one in [token, *_created_by(work, [token])]:
                _end_within(work, one)


def depending_on(work: Work, *, token: Token) -> list[Token]:
    """List the tokens that end when *token* is revoked: those it created, and those that they created."""
    return _created_by(work, [token])


def of_leaver(work: Work, *, user_number: int, organization_number: int) -> list[Token]:
    """List, oldest first, the tokens that end when a person leaves: their own, and those that these created."""
    query = _query(organization_number).where(Token.user_number == user_number, _is_alive(work))
    own = list(work.session.scalars(query.execution_options(populate_existing=True)))
    found = {one.number: one for one in [*own, *_created_by(work, own)]}
    return [found[number] for number in sorted(found)]


def settle_within(work: Work, *, user: User, organization_number: int, handed_over: Collection[UUID]) -> Settled:
    """End a leaver's tokens within the caller's transaction, which holds the lock of the organization.

    Those in *handed_over* become service tokens instead, with the permissions that they have now.
    """
    leaving = of_leaver(work, user_number=user.number, organization_number=organization_number)
    kept = {one.number for one in leaving if one.id in handed_over and permissions_of(one)}
    for one in leaving:
        if one.number in kept:
            _hand_over_within(work, one, keeps_parent=one.parent_number in kept)
        else:
            _end_within(work, one)
    return Settled(len(kept), len(leaving) - len(kept))


def _created_by(work: Work, parents: Collection[Token]) -> list[Token]:
    """List the living tokens that *parents* created, and those that these created."""
    found: list[Token] = []
    level = [one.number for one in parents]
    while level:
        query = _whole().where(Token.parent_number.in_(level), _is_alive(work)).order_by(Token.number)
        children = list(work.session.scalars(query.execution_options(populate_existing=True)))
        found += children
        level = [one.number for one in children]
    return found


def _is_alive(work: Work) -> ColumnElement[bool]:
    return Token.revoked_at.is_(None) & or_(Token.expires_at.is_(None), Token.expires_at > work.now())


def _end_within(work: Work, token: Token) -> None:
    token.revoked_at = work.now()
    _audit(work, token, "token.revoked", {})


def _hand_over_within(work: Work, token: Token, *, keeps_parent: bool) -> None:
    owner = token.user.email if token.user else None
    before, token.permissions = token.permissions, effective(token)
    token.user_number, token.user = None, None
    if not keeps_parent:
        token.parent_number = None
    changes = {"owner": [owner, None], "is_service": [owner is None, True]}
    _audit(work, token, "token.handed_over", {**changes, "permissions": [before, token.permissions]})


# --- reading --------------------------------------------------------------------------------------------------------


def find(
    work: Work,
    *,
    organization_number: int,
    user_number: int | None = None,
    is_service: bool | None = None,
    with_revoked: bool = False,
    before: int | None = None,
    limit: int | None = 50,
) -> list[Token]:
    """List tokens with their owners, newest first, with a number below *before*; of all users or of one."""
    query = _query(organization_number)
    if user_number is not None:
        query = query.where(Token.user_number == user_number)
    if is_service is not None:
        query = query.where(Token.user_number.is_(None) if is_service else Token.user_number.is_not(None))
    if not with_revoked:
        query = query.where(Token.revoked_at.is_(None))
    if before is not None:
        query = query.where(Token.number < before)
    return list(work.session.scalars(query.order_by(Token.number.desc()).limit(limit)))


def ending(work: Work, *, organization_number: int, user_number: int | None = None) -> list[Token]:
    """List the tokens that expire within ``ENDS_SOON``, or did so no longer ago, soonest first; of all or one owner."""
    now = work.now()
    query = _query(organization_number).where(
        Token.revoked_at.is_(None), Token.expires_at.between(now - ENDS_SOON, now + ENDS_SOON)
    )
    if user_number is not None:
        query = query.where(Token.user_number == user_number)
    found = work.session.scalars(query.order_by(Token.expires_at, Token.number))
    return [one for one in found if status_of(work, one) in {TokenStatus.VALID, TokenStatus.EXPIRED}]


def get(work: Work, *, organization_number: int, token_id: UUID) -> Token:
    """Return a token of the organization, revoked or not; raise NotFound."""
    token = work.session.scalar(_query(organization_number).where(Token.id == token_id))
    if token is None:
        raise NotFound("token")
    return token


def status_of(work: Work, token: Token) -> TokenStatus:
    """Return whether a token works now, or why not."""
    owner = token.user
    return token_rights.status(
        now=work.now(),
        revoked_at=token.revoked_at,
        expires_at=token.expires_at,
        is_service=token.is_service,
        is_owner_active=owner is not None and owner.is_active,
        is_owner_here=token.membership is not None or (owner is not None and owner.is_staff),
    )


def permissions_of(token: Token) -> frozenset[Permission]:
    """Return what a token may do now: less than it was given when the role of its owner was lowered."""
    owner, membership = token.user, token.membership
    return token_rights.in_force(
        token.permissions,
        is_service=token.is_service,
        role=membership.role if membership else None,
        is_staff=owner is not None and owner.is_staff,
    )


def effective(token: Token) -> list[str]:
    """Return ``permissions_of`` as they are written: as they were given when all of them are in force."""
    held = permissions_of(token)
    return token.permissions if held == token_rights.all_of(token.permissions) else _in_order(held)


def _query(organization_number: int) -> Select[Token]:
    return _whole().where(Token.organization_number == organization_number)


def _whole() -> Select[Token]:
    """Select tokens with all that decides their status and permissions."""
    return select(Token).options(joinedload(Token.user), joinedload(Token.membership))


def _in_order(permissions: Collection[Permission]) -> list[str]:
    """Return permissions as they are stored and shown."""
    return [one.value for one in Permission if one in permissions]


def _audit(work: Work, token: Token, action: str, changes: dict[str, Any]) -> None:
    audit.record(
        work,
        action=action,
        organization_number=token.organization_number,
        object_type="token",
        object_id=str(token.id),
        object_name=token.label,
        changes=changes,
    )
