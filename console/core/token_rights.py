"""What a token may do, and whether it still works: one rule for every face that accepts, lists or warns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from console.core.permissions import ROLE_PERMISSIONS, Permission, Role


class TokenStatus(StrEnum):
    """Whether a token works. The values, but ``valid``, are error codes of the API too."""

    VALID = "valid"
    REVOKED = "token_revoked"
    EXPIRED = "token_expired"
    OWNER_INACTIVE = "user_inactive"
    OWNER_LEFT = "owner_left"


def status(
    *,
    now: datetime,
    revoked_at: datetime | None,
    expires_at: datetime | None,
    is_service: bool,
    is_owner_active: bool,
    is_owner_here: bool,
) -> TokenStatus:
    """Return whether a token works at *now*; only a personal token depends on its owner.

    *is_owner_here*: the owner is a member of the organization, or staff.
    """
    if revoked_at is not None:
        return TokenStatus.REVOKED
    if expires_at is not None and expires_at <= now:
        return TokenStatus.EXPIRED
    if is_service:
        return TokenStatus.VALID
    if not is_owner_active:
        return TokenStatus.OWNER_INACTIVE
    return TokenStatus.VALID if is_owner_here else TokenStatus.OWNER_LEFT


def all_of(held: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions that *held* grants: ADMIN grants all of them."""
    permissions = frozenset(map(Permission, held))
    return frozenset(Permission) if Permission.ADMIN in permissions else permissions


def in_force(held: Iterable[str], *, is_service: bool, role: str | None, is_staff: bool) -> frozenset[Permission]:
    """Return what a token may do now: a personal token no more than the *role* of its owner allows."""
    permissions = all_of(held)
    return permissions if is_service else permissions & of_owner(role=role, is_staff=is_staff)


def of_owner(*, role: str | None, is_staff: bool) -> frozenset[Permission]:
    """Return what a person may do in an organization; None: not a member."""
    if is_staff:
        return frozenset(Permission)
    return ROLE_PERMISSIONS[Role(role)] if role else frozenset()
