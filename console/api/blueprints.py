"""How a native resource begins: its place, its tag in the specification, and what is checked before every view."""

from __future__ import annotations

from apiflask import APIBlueprint

from console.api import auth, json_body

ROOT = "/api/v1"


def resource(name: str, *, about: str) -> APIBlueprint:
    """Make the blueprint of a resource. Its name begins with ``api_``: no sign-in and no CSRF check is made there."""
    blueprint = APIBlueprint(
        f"api_{name}",
        __name__,
        url_prefix=ROOT,
        tag={"name": name.replace("_", " ").capitalize(), "description": about},
    )
    blueprint.before_request(auth.enter)
    blueprint.before_request(json_body.check_body)
    blueprint.teardown_request(json_body.leave)
    return blueprint
