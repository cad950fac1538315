"""Members: who is in the organization and in which role; invite, change, remove."""

from __future__ import annotations

from datetime import timedelta
from typing import cast
from uuid import UUID

from flask import Response, request, url_for
from wtforms import SelectField, StringField
from wtforms.validators import DataRequired

from console.core.errors import Conflict, Invalid
from console.core.permissions import Permission, Role
from console.extensions import collaborators, current_work
from console.models import Membership, Token
from console.services.people import invitations, tokens
from console.services.people import members as cases
from console.web import access, creating, hx, lists, once
from console.web.access import SignedIn
from console.web.filters import plural
from console.web.forms import Form, accept, add_error, options
from console.web.settings.shared import WRONG, number, pages, tabs
from console.web.settings.tokens import words

IN_USE = timedelta(days=30)
"""A token that was used within this time is proposed to be handed over when its owner is removed."""

ROLES = {
    Role.VIEWER: "reads hooks, events and deliveries",
    Role.EDITOR: "also changes hooks, publishes and resends",
    Role.ADMIN: "also manages tokens, members and settings",
}


class InvitationForm(Form):
    """Whom to invite; the link is shown once, to be handed over."""

    email = StringField("E-mail", [DataRequired("Give the person's e-mail address.")])
    role = SelectField("Role", choices=options({role.value: role.value.capitalize() for role in Role}))


@pages.get("/members")
@access.requires(Permission.ADMIN)
def members() -> Response:
    """List the members and the open invitations; the link of a new one is shown this once."""
    return _page(InvitationForm(formdata=None))


@pages.post("/members/invitations")
@access.requires(Permission.ADMIN)
@creating.one_result
def member_invite() -> Response:
    """Invite somebody."""
    form = InvitationForm()
    if not form.validate():
        return _page(form, status=WRONG)
    try:
        made = invitations.invite(
            current_work(),
            organization=access.place().organization,
            email=form.email.data or "",
            role=form.role.data,
        )
    except Invalid as error:
        accept(form, error=error)
    except Conflict as error:
        add_error(form, "email", message=error.message)
    else:
        once.keep(made.secret, about=made.invitation.id)
        return hx.redirect_to(url_for("settings.members", made=made.invitation.id))
    return _page(form, status=WRONG)


@pages.post("/members/invitations/<uuid:invitation_id>/withdraw")
@access.requires(Permission.ADMIN)
def member_withdraw(invitation_id: UUID) -> Response:
    """End an invitation."""
    ended = invitations.withdraw(current_work(), organization_number=number(), invitation_id=invitation_id)
    return hx.redirect_to(url_for("settings.members"), message=f"The link for {ended.email} no longer works.")


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
    """Ask before a member is removed, and what is to become of their tokens."""
    membership, used_since = _membership(user_id), current_work().now() - IN_USE
    leaving = _leaving(membership)
    return hx.page(
        "settings/remove.html",
        membership=membership,
        leaving=leaving,
        in_use={one.id for one in leaving if one.last_used_at is not None and one.last_used_at > used_since},
        words=words,
    )


@pages.post("/members/<uuid:user_id>/remove")
@access.requires(Permission.ADMIN)
def member_remove(user_id: UUID) -> Response:
    """Take a member out of the organization; the chosen tokens are handed over to it, the others end."""
    membership, chosen = _membership(user_id), request.form.getlist("hand_over")
    handed_over = {one.id for one in _leaving(membership) if str(one.id) in chosen}
    try:
        settled = cases.remove_member(current_work(), membership=membership, handed_over=handed_over)
    except Conflict as error:
        return hx.redirect_to(url_for("settings.members"), message=error.message, tone="bad")
    message = f"{membership.user.email} is no longer a member."
    if settled.handed_over:
        message += f" {plural(settled.handed_over, 'token is a service token', 'tokens are service tokens')} now."
    if settled.ended:
        message += f" {plural(settled.ended, 'token', 'tokens')} ended."
    return hx.redirect_to(url_for("settings.members"), message=message)


def _membership(user_id: UUID) -> Membership:
    return cases.get_member(current_work(), organization_number=number(), user_id=user_id)


def _leaving(membership: Membership) -> list[Token]:
    return tokens.of_leaver(current_work(), user_number=membership.user_number, organization_number=number())


def _page(form: InvitationForm, *, status: int = 200) -> Response:
    work = current_work()
    page = lists.turn(
        lambda before, _after, limit: cases.members(work, organization_number=number(), before=before, limit=limit),
        is_one_way=True,
    )
    waiting = invitations.waiting(work, organization_number=number())
    wanted = request.args.get("made", "")
    made = next((one for one in waiting if str(one.id) == wanted), None)
    secret = once.take(made.id) if made else None
    return hx.page(
        "settings/members.html",
        block="create" if status == WRONG else "list",
        status=status,
        tabs=tabs(),
        form=form,
        page=page,
        only_admin=cases.only_admin(work, organization_number=number()),
        last_seen=cases.last_seen(work, user_numbers=[one.user_number for one in page.rows]),
        waiting=waiting,
        roles=ROLES,
        made=made,
        link=collaborators().settings.base_url + url_for("joining.show", token=secret) if secret else None,
        me=cast("SignedIn", access.person()).user,
    )
