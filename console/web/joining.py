"""Accepting an invitation: with the account one has, or with a new one."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired

from console.core.errors import Conflict, Invalid, Unauthenticated
from console.extensions import current_work
from console.models import Invitation
from console.services.people import invitations as cases
from console.services.people.passwords import SHORTEST
from console.web import access, hx, sessions
from console.web.forms import Form, SecretField, accept, add_error, text_of

pages = Blueprint("joining", __name__)

FORBIDDEN = 403
WRONG = 422


class AcceptForm(Form):
    """Nothing but the link's secret: for somebody who is signed in."""

    token = HiddenField()


class NewAccountForm(AcceptForm):
    """What a new person gives."""

    full_name = StringField("Your name")
    password = SecretField("Password", [DataRequired(f"Choose a password of at least {SHORTEST} characters.")])


@pages.get("/join")
def show() -> Response:
    """Show who invites to what, and the way in: join, sign in, or make an account."""
    token = request.args.get("token", "")
    try:
        invitation = cases.look_up(current_work(), secret=token)
    except Unauthenticated as error:
        return _refused(error)
    form = NewAccountForm(formdata=None)
    form.token.data = token
    return _page(invitation, form)


@pages.post("/join")
def accept_invitation() -> Response:
    """Join with the account that is signed in."""
    someone, token = access.person(), text_of(AcceptForm().token)
    if someone is None:
        return hx.redirect_to(url_for("sessions.new", next=url_for("joining.show", token=token)))
    try:
        membership = cases.accept(current_work(), secret=token, user=someone.user)
    except Unauthenticated as error:
        return _refused(error)
    except Conflict as error:
        return hx.redirect_to(url_for("home.index"), message=error.message, tone="info")
    return _joined(membership.organization.slug, membership.organization.name)


@pages.post("/join/new")
def create_account() -> Response:
    """Make an account, and sign the new member in."""
    form = NewAccountForm()
    token = text_of(form.token)
    work = current_work()
    try:
        invitation = cases.look_up(work, secret=token)
        slug, name = invitation.organization.slug, invitation.organization.name
        if not form.validate():
            return _page(invitation, form, status=WRONG)
        user = cases.accept_as_new(
            work, secret=token, full_name=text_of(form.full_name).strip(), password=text_of(form.password)
        )
    except Unauthenticated as error:
        return _refused(error)
    except Invalid as error:
        accept(form, error=error)
        return _page(invitation, form, status=WRONG)
    except Conflict as error:
        add_error(form, "", message=error.message)
        return _page(invitation, form, status=WRONG)
    sessions.begin(user)
    return _joined(slug, name)


def _joined(slug: str, name: str) -> Response:
    return hx.redirect_to(url_for("dashboard.show", organization=slug), message=f"You are a member of {name} now.")


def _refused(error: Unauthenticated) -> Response:
    return hx.page("joining/refused.html", status=FORBIDDEN, reason=error.message)


def _page(invitation: Invitation, form: NewAccountForm, *, status: int = 200) -> Response:
    someone = access.person()
    return hx.page(
        "joining/show.html",
        status=status,
        invitation=invitation,
        form=form,
        me=someone.user if someone else None,
        has_account=cases.has_account(current_work(), invitation=invitation),
        sign_in_url=url_for("sessions.new", next=url_for("joining.show", token=form.token.data)),
        shortest=SHORTEST,
    )
