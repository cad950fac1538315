"""All organizations that a person may enter, with a search: beyond what the menu shows, and without JavaScript."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, request, url_for

from console.extensions import current_work
from console.services.people import members
from console.web import access, account, hx
from console.web.access import SignedIn

pages = Blueprint("organizations", __name__, url_prefix="/organizations")
pages.before_request(account.enter_last_organization)

LONGEST = 200
PAGE = 100


@pages.get("")
@access.login_required  # type: ignore[untyped-decorator]  # Flask-Login ships no types
def index() -> Response:
    """List the organizations whose name or slug contains what is searched for; ``after`` is a slug to go on from."""
    words = request.args.get("q", "").strip()[:LONGEST]
    me = cast("SignedIn", access.person()).user
    found = members.organizations_of(
        current_work(), user=me, words=words, after=request.args.get("after", ""), limit=PAGE + 1
    )
    shown = found[:PAGE]
    older = url_for("organizations.index", q=words or None, after=shown[-1].slug) if len(found) > PAGE else ""
    return hx.page("organizations.html", block="results", words=words, found=shown, older=older)
