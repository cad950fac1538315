"""The settings' pages: tokens, members, sources, compatible APIs, the organization, the audit log, the installation."""

from console.web.settings import apis, history, members, organization, people, sources, system, tokens
from console.web.settings.shared import pages

__all__ = ["apis", "history", "members", "organization", "pages", "people", "sources", "system", "tokens"]
