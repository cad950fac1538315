"""The APIs of other systems, each switched on or off for this organization."""

from __future__ import annotations

from flask import Response, request, url_for

from console.core.errors import NotFound
from console.core.foreign_apis import APIS
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.organizations import foreign_apis
from console.web import access, hx
from console.web.settings.shared import number, pages, tabs


@pages.get("/apis")
@access.requires(Permission.ADMIN)
def apis() -> Response:
    """Show the APIs; ``confirm`` asks about one before it is switched off."""
    uses = foreign_apis.uses(current_work(), organization_number=number())
    for use in uses:
        if use.api.name == request.args.get("confirm") and use.state != "off":
            return hx.page("settings/api_off.html", use=use)
    return hx.page("settings/apis.html", tabs=tabs(), uses=uses)


@pages.post("/apis/<api>")
@access.requires(Permission.ADMIN)
def api_switch(api: str) -> Response:
    """Switch an API on (``is_on=1``) or off."""
    if api not in APIS:
        raise NotFound("API")
    is_on = request.form.get("is_on") == "1"
    foreign_apis.switch(current_work(), organization=access.place().organization, api=api, is_on=is_on)
    words = f"{APIS[api].title} is switched {'on' if is_on else 'off'}."
    return hx.redirect_to(url_for("settings.apis"), message=words)
