"""The settings' pages: tokens, members, sources, the organization itself, and the audit log."""

from console.web.settings import history, members, organization, sources, tokens
from console.web.settings.shared import pages

__all__ = ["history", "members", "organization", "pages", "sources", "tokens"]
