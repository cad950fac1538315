"""Permissions of tokens and the roles of people, which are sets of permissions."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """What a token may do. None implies another, but ADMIN stands for all of them."""

    WEBHOOKS_VIEW = "WEBHOOKS:VIEW"
    WEBHOOKS_ADD = "WEBHOOKS:ADD"
    WEBHOOKS_EDIT = "WEBHOOKS:EDIT"
    WEBHOOKS_REMOVE = "WEBHOOKS:REMOVE"
    EVENTS_VIEW = "EVENTS:VIEW"
    EVENTS_PUBLISH = "EVENTS:PUBLISH"
    DELIVERIES_VIEW = "DELIVERIES:VIEW"
    DELIVERIES_RESEND = "DELIVERIES:RESEND"
    TOKENS_MANAGE = "TOKENS:MANAGE"
    ADMIN = "ADMIN"


class Role(StrEnum):
    """What a member of an organization is; each role holds the permissions of the one before."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


_VIEW = frozenset({Permission.WEBHOOKS_VIEW, Permission.EVENTS_VIEW, Permission.DELIVERIES_VIEW})
_EDIT = _VIEW | {
    Permission.WEBHOOKS_ADD,
    Permission.WEBHOOKS_EDIT,
    Permission.WEBHOOKS_REMOVE,
    Permission.EVENTS_PUBLISH,
    Permission.DELIVERIES_RESEND,
}
ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEW,
    Role.EDITOR: _EDIT,
    Role.ADMIN: frozenset(Permission),
}


def grants(held: frozenset[Permission], wanted: Permission) -> bool:
    """Say whether *held* allows *wanted*; ADMIN allows everything."""
    return wanted in held or Permission.ADMIN in held
