"""The people of the installation, for its staff: who there is, switch an account off or on, make or end staff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Conflict, NotFound
from console.extensions import current_work
from console.models import User
from console.services.people import members as memberships
from console.services.people import staffing
from console.services.work import Work
from console.web import access, hx, lists
from console.web.access import SignedIn
from console.web.settings.shared import pages, tabs

LONGEST = 200


@dataclass(frozen=True, slots=True)
class Act:
    """Something staff do to an account, after being asked; *done* follows the e-mail address."""

    title: str
    button: str
    about: str
    done: str
    do: Callable[[Work, User], object]
    is_danger: bool = False
    ends_tokens: bool = False


ACTS = {
    "deactivate": Act(
        "Deactivate",
        "Deactivate account",
        "This person is signed out at once and cannot sign in. Their tokens are revoked for good, and the invitations "
        "that they made end. What they did stays in the audit log, and their memberships stay for when the account is "
        "activated again.",
        "can no longer sign in.",
        lambda work, user: staffing.deactivate(work, user=user),
        is_danger=True,
        ends_tokens=True,
    ),
    "activate": Act(
        "Activate",
        "Activate account",
        "This person can sign in again, with the password and the memberships of before. Tokens that were revoked stay "
        "revoked.",
        "can sign in again.",
        lambda work, user: staffing.activate(work, user=user),
    ),
    "make-staff": Act(
        "Make staff",
        "Make staff",
        "Staff see and change every organization of this installation, its people and its System page.",
        "is staff now.",
        lambda work, user: staffing.set_staff(work, user=user, is_staff=True),
        is_danger=True,
    ),
    "end-staff": Act(
        "End staff",
        "End staff",
        "This person is signed out, and sees only the organizations they are a member of. Tokens for other "
        "organizations are revoked for good.",
        "is no longer staff.",
        lambda work, user: staffing.set_staff(work, user=user, is_staff=False),
        is_danger=True,
    ),
}


@pages.get("/people")
@access.for_staff
def people() -> Response:
    """List everybody who has an account, or those whose names contain what is searched for."""
    work, words = current_work(), request.args.get("q", "").strip()[:LONGEST]
    page = lists.turn(
        lambda before, _after, limit: staffing.find(work, words=words, before=before, limit=limit), is_one_way=True
    )
    return hx.page(
        "settings/people.html",
        block="list",
        tabs=tabs(),
        page=page,
        words=words,
        last_seen=memberships.last_seen(work, user_numbers=[one.number for one in page.rows]),
        me=cast("SignedIn", access.person()).user,
    )


@pages.get("/people/<uuid:user_id>/<act>")
@access.for_staff
def person_confirm(user_id: UUID, act: str) -> Response:
    """Ask before an account is changed."""
    work = current_work()
    user = staffing.get(work, user_id=user_id)
    return hx.page(
        "settings/person.html",
        user=user,
        name=act,
        act=_act(act),
        tokens=staffing.tokens_of(work, user=user) if _act(act).ends_tokens else [],
    )


@pages.post("/people/<uuid:user_id>/<act>")
@access.for_staff
def person_change(user_id: UUID, act: str) -> Response:
    """Change an account."""
    work, chosen = current_work(), _act(act)
    user = staffing.get(work, user_id=user_id)
    try:
        chosen.do(work, user)
    except Conflict as error:
        return hx.redirect_to(url_for("settings.people"), message=error.message, tone="bad")
    return hx.redirect_to(url_for("settings.people"), message=f"{user.email} {chosen.done}")


def _act(name: str) -> Act:
    if name not in ACTS:
        raise NotFound("page")
    return ACTS[name]
