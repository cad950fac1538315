"""The deliveries' pages: the log, one delivery with its attempts, and what can be done with them."""

from console.web.deliveries import acting, bodies, listing, page, tail
from console.web.deliveries.shared import pages

__all__ = ["acting", "bodies", "listing", "page", "pages", "tail"]
