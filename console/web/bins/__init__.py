"""The receiver's pages: the bins, one of them with what it caught, and the answer that it gives."""

from console.web.bins import changing, listing, page
from console.web.bins.shared import pages

__all__ = ["changing", "listing", "page", "pages"]
