"""The root address: to where the person was last, or to what has to be done before."""

from __future__ import annotations

from flask import Blueprint, Response, g, session, url_for

from console.extensions import current_work
from console.models import Organization, User
from console.services.people import first_setup, members
from console.web import access, hx

pages = Blueprint("home", __name__)

LAST = "organization"
"""Where the browser's session keeps the slug of the organization that was looked at last."""


@pages.get("/")
def index() -> Response:
    """Lead to the last organization's dashboard, to sign-in, or to the first set-up."""
    someone = access.person()
    if someone is None:
        is_new = first_setup.is_needed(current_work())
        return hx.redirect_to(url_for("setup.show" if is_new else "sessions.new"))
    organization = last_organization(someone.user)
    if organization is None:
        return hx.page("home/nowhere.html")
    return hx.redirect_to(url_for("dashboard.show", organization=organization.slug))


def last_organization(user: User) -> Organization | None:
    """Return the organization that this browser looked at last, else what ``members.landing_of`` says."""
    return members.landing_of(current_work(), user=user, slug=session.get(LAST))


@pages.after_app_request
def _remember(response: Response) -> Response:
    """Keep which organization was looked at, when it is another than before: for this browser, and the next sign-in."""
    here, someone = g.get("place"), access.person()
    if here is not None and someone is not None and session.get(LAST) != here.organization.slug:
        session[LAST] = here.organization.slug
        members.note_last(current_work(), user=someone.user, organization=here.organization)
    return response
