"""The settings' pages: tokens, sources, members, and the audit log."""

from console.web.settings import history, members, sources, tokens
from console.web.settings.shared import pages

__all__ = ["history", "members", "pages", "sources", "tokens"]
