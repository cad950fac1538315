"""Who sees what of hooks and of the responses to their deliveries: one rule for pages, the API and every dialect.

Values of headers whose name speaks of a secret are shown to nobody. Viewers see only values of headers that are known
to be harmless, and no response bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.core.headers import is_sensitive
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role, grants
from console.core.redact import MASK, mask_headers
from console.services.people.token_use import Principal

Pairs = tuple[tuple[str, str], ...]
SENT_BY_US = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
"""People debug these in bins, so they are caught and shown to editors as they came."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a person or a token may see beside what everybody in the organization may."""

    edits_hooks: bool
    reads_responses: bool

    @classmethod
    def of_person(cls, permissions: frozenset[Permission]) -> Sight:
        """Return what a person with these permissions sees."""
        return cls(grants(permissions, Permission.WEBHOOKS_EDIT), grants(permissions, Permission.DELIVERIES_RESEND))

    @classmethod
    def of_token(cls, principal: Principal) -> Sight:
        """Return what a token sees: responses when its user is more than a viewer.

        A service token has no user, so its permissions decide.
        """
        is_viewer = principal.role in {None, Role.VIEWER}
        if principal.is_service:
            is_viewer = principal.permissions <= ROLE_PERMISSIONS[Role.VIEWER]
        return cls(grants(principal.permissions, Permission.WEBHOOKS_EDIT), reads_responses=not is_viewer)

    def hook_headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Return a hook's own headers by name; what editors are shown is exact, so that they can send it back."""
        if not self.edits_hooks:
            return dict(mask_headers(headers))
        return {name: MASK if is_sensitive(name) else value for name, value in headers.items()}

    def response_headers(self, pairs: Iterable[Sequence[Any]] | None) -> Pairs:
        """Return the headers of a response, as the log keeps them."""
        return mask_headers(_texts(pairs), shows_unknown=self.reads_responses)

    def caught_headers(self, pairs: Iterable[Sequence[Any]]) -> Pairs:
        """Return the headers of a request that a bin caught."""
        given = _texts(pairs)
        masked = mask_headers(given, shows_unknown=self.edits_hooks)
        if not self.edits_hooks:
            return masked
        both = zip(given, masked, strict=True)
        return tuple(one if one[0].lower() in SENT_BY_US else other for one, other in both)


def _texts(pairs: Iterable[Sequence[Any]] | None) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in pairs or ()]
