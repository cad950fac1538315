"""pretix's ``/api/v1/organizers/{organizer}/webhooks/``: an organizer's webhooks on action types (docs: pretix).

An organizer is an organization and an event is a source; an action type is an event type.
"""

from __future__ import annotations

from flask import Flask

from console.api.dialects.pretix import repeats
from console.api.dialects.pretix.views import pretix

repeats.watch(pretix.blueprint)


def install(app: Flask) -> None:
    """Register the dialect."""
    pretix.install(app)
