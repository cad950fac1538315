"""The hooks that a form offers to choose from."""

from __future__ import annotations

from console.extensions import current_work
from console.models import Hook
from console.services.hooks import hooks
from console.web import access
from console.web.delivery_rows import name_of

MOST_CHOICES = 200


def choices(chosen: Hook | None) -> list[Hook]:
    """Give the newest hooks of the organization, and the one that is *chosen*, by name."""
    found = hooks.named(current_work(), organization_number=access.place().organization.number, limit=MOST_CHOICES)
    missing = chosen is not None and all(hook.number != chosen.number for hook in found)
    return sorted([*found, chosen] if missing and chosen else found, key=lambda hook: name_of(hook).lower())
