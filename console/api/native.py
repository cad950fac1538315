"""The native API under /api/v1: every resource, and the specification made from their declarations."""

from __future__ import annotations

from apiflask import APIFlask
from flask.json.provider import DefaultJSONProvider

from console.api import deliveries, event_types, events, hooks, replays, sources, specification, tokens

RESOURCES = (
    hooks.hooks,
    events.events,
    deliveries.deliveries,
    replays.replays,
    event_types.event_types,
    sources.sources,
    tokens.tokens,
)


def install(app: APIFlask) -> None:
    """Register the resources."""
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # fields are written in the order in which they are documented
    for blueprint in RESOURCES:
        app.register_blueprint(blueprint)
    specification.install(app)
