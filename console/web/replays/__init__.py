"""The replays' pages: the list, a new one with its preview, and one of them while it goes on."""

from console.web.replays import listing, page, planning
from console.web.replays.shared import pages

__all__ = ["listing", "page", "pages", "planning"]
