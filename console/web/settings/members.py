"""Members: who is in the organization and in which role; add, change, remove."""

from __future__ import annotations

import secrets
from typing import cast
from uuid import UUID

from flask import Response, request, url_for
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired

from console.core.errors import Conflict, Invalid, NotFound
from console.core.permissions import Permission, Role
from console.extensions import current_work
from console.models import Membership, User
from console.services import accounts
from console.services import members as cases
from console.web import access, hx, lists, once
from console.web.access import SignedIn
from console.web.forms import Form, accept, add_error, options
from console.web.settings.shared import WRONG, number, pages, tabs

ROLES = {
    Role.VIEWER: "reads hooks, events and deliveries",
    Role.EDITOR: "also changes hooks, publishes and resends",
    Role.ADMIN: "also manages tokens, members and settings",
}


class MemberForm(Form):
    """A person to add; one without an account gets one, with a first password that is shown once."""

    email = StringField("E-mail", [DataRequired("Give the person's e-mail address.")])
    full_name = StringField("Full name")
    role = SelectField("Role", choices=options({role.value: role.value.capitalize() for role in Role}))


@pages.get("/members")
@access.requires(Permission.ADMIN)
def members() -> Response:
    """List the members; the first password of a new person is shown this once."""
    return _page(MemberForm(formdata=None))


@pages.post("/members")
@access.requires(Permission.ADMIN)
def member_add() -> Response:
    """Add somebody."""
    form = MemberForm()
    if not form.validate():
        return _page(form, status=WRONG)
    try:
        user = _added(form)
    except Invalid as error:
        accept(form, error=error, names={"username": "email"})
    except Conflict as error:
        add_error(form, "email", message=error.message)
    else:
        return hx.redirect_to(url_for("settings.members", made=user.id), message=f"{user.email} is a member now.")
    return _page(form, status=WRONG)


@pages.post("/members/<uuid:user_id>/role")
@access.requires(Permission.ADMIN)
def member_role(user_id: UUID) -> Response:
    """Change a member's role."""
    membership = _membership(user_id)
    try:
        cases.change_role(current_work(), membership=membership, role=request.form.get("role", ""))
    except (Conflict, Invalid) as error:
        return hx.redirect_to(url_for("settings.members"), message=error.message, tone="bad")
    message = f"{membership.user.email} is {membership.role} now and signs in again."
    return hx.redirect_to(url_for("settings.members"), message=message)


@pages.get("/members/<uuid:user_id>/remove")
@access.requires(Permission.ADMIN)
def member_confirm(user_id: UUID) -> Response:
    """Ask before a member is removed."""
    return hx.page("settings/remove.html", membership=_membership(user_id), tabs=tabs())


@pages.post("/members/<uuid:user_id>/remove")
@access.requires(Permission.ADMIN)
def member_remove(user_id: UUID) -> Response:
    """Take a member out of the organization."""
    membership = _membership(user_id)
    try:
        cases.remove_member(current_work(), membership=membership)
    except Conflict as error:
        return hx.redirect_to(url_for("settings.members"), message=error.message, tone="bad")
    return hx.redirect_to(url_for("settings.members"), message=f"{membership.user.email} is no longer a member.")


def _membership(user_id: UUID) -> Membership:
    return cases.get_member(current_work(), organization_number=number(), user_id=user_id)


def _added(form: MemberForm) -> User:
    """Make the membership, and the account when there is none yet; raise Invalid or Conflict."""
    work, organization = current_work(), access.place().organization
    email = (form.email.data or "").strip()
    try:
        known = accounts.get_user(work, login=email)
    except NotFound:
        password = secrets.token_urlsafe(12)
        made = accounts.create_user(
            work,
            username=email,
            email=email,
            full_name=(form.full_name.data or "").strip(),
            password=password,
            organization_slug=organization.slug,
            role=form.role.data,
        )
        once.keep(password, about=made.id)
        return made
    cases.add_member(work, organization=organization, user=known, role=form.role.data)
    return known


def _page(form: MemberForm, *, status: int = 200) -> Response:
    work = current_work()
    page = lists.turn(
        lambda before, _after, limit: cases.members(work, organization_number=number(), before=before, limit=limit),
        is_one_way=True,
    )
    wanted = request.args.get("made", "")
    made = next((one.user for one in page.rows if str(one.user.id) == wanted), None)
    return hx.page(
        "settings/members.html",
        block="create" if status == WRONG else "list",
        status=status,
        tabs=tabs(),
        form=form,
        page=page,
        roles=ROLES,
        made=made,
        password=once.take(made.id) if made else None,
        me=cast("SignedIn", access.person()).user,
    )
