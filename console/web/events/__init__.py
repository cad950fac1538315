"""The events' pages: the list, one event with its fan-out, publishing by hand, and the catalogue of types."""

from console.web.events import editing, listing, page, publishing, types
from console.web.events.shared import pages

__all__ = ["editing", "listing", "page", "pages", "publishing", "types"]
