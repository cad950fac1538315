"""The settings' pages: tokens, members, sources, the organization itself, the audit log, and the installation."""

from console.web.settings import history, members, organization, sources, system, tokens
from console.web.settings.shared import pages

__all__ = ["history", "members", "organization", "pages", "sources", "system", "tokens"]
