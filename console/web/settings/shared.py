"""What the settings' pages share: the blueprint, the tabs, the organization's number."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, request, url_for

from console.core.permissions import Permission, grants
from console.web import access

pages = Blueprint("settings", __name__, url_prefix="/o/<organization>/settings")

WRONG = 422
SECTIONS = (
    ("Tokens", "settings.tokens", Permission.WEBHOOKS_VIEW),
    ("Members", "settings.members", Permission.ADMIN),
    ("Sources", "settings.sources", Permission.WEBHOOKS_VIEW),
    ("APIs", "settings.apis", Permission.ADMIN),
    ("Organization", "settings.organization", Permission.ADMIN),
    ("Audit log", "settings.audit", Permission.ADMIN),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """A section of the settings."""

    label: str
    url: str
    current: bool


def number() -> int:
    """Give the number of the organization of this page."""
    return access.place().organization.number


def tabs() -> list[Tab]:
    """Give the sections that this person may see; the installation's own is for its staff."""
    held, endpoint, someone = access.place().permissions, request.endpoint or "", access.person()
    seen = [(label, name) for label, name, permission in SECTIONS if grants(held, permission)]
    if someone is not None and someone.user.is_staff:
        seen += [("People", "settings.people"), ("System", "settings.system")]
    return [Tab(label, url_for(name), endpoint.startswith(name.removesuffix("s"))) for label, name in seen]
