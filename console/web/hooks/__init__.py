"""The hooks' pages: the list, one of them with its test, the form, the secret."""

from console.web.hooks import backlog, editing, explaining, listing, page, removing, secret, testing, trying
from console.web.hooks.shared import pages

__all__ = ["backlog", "editing", "explaining", "listing", "page", "pages", "removing", "secret", "testing", "trying"]
