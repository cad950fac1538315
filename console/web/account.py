"""A person's own account: the password, and the browsers in which they are signed in."""

from __future__ import annotations

from typing import cast
from zoneinfo import available_timezones

from flask import Blueprint, Response, g, request, url_for
from wtforms import StringField
from wtforms.validators import DataRequired

from console.core.errors import Invalid, NotFound, TooMany
from console.extensions import current_work
from console.services.people import accounts, members, sign_in, two_factor
from console.services.people.passwords import SHORTEST
from console.web import access, home, hx
from console.web.access import SignedIn
from console.web.agents import name_of
from console.web.forms import Form, SecretField, accept, add_error, text_of

pages = Blueprint("account", __name__, url_prefix="/account")

WRONG = 422


class PasswordForm(Form):
    """The old password once and the new one once: whoever mistypes it signs in by asking an operator."""

    current = SecretField("Current password", [DataRequired("Give your current password.")])
    new = SecretField("New password", [DataRequired(f"Give a new password of at least {SHORTEST} characters.")])


class TimeZoneForm(Form):
    """In which zone the person reads times."""

    time_zone = StringField("Time zone")


@pages.before_request
def enter_last_organization() -> None:
    """Keep the navigation of the organization that was looked at last around this page, which is in none."""
    someone = access.person()
    organization = home.last_organization(someone.user) if someone is not None else None
    if someone is not None and organization is not None:
        g.organization_slug = organization.slug
        g.place = access.place_in(someone.user, organization.slug)


@pages.get("")
@access.login_required  # type: ignore[untyped-decorator]  # Flask-Login ships no types
def show() -> Response:
    """Show the account."""
    return _page(PasswordForm(formdata=None))


@pages.post("/password")
@access.login_required  # type: ignore[untyped-decorator]  # as above
def change_password() -> Response:
    """Change the password; other browsers are signed out."""
    form, me = PasswordForm(), _me()
    if not form.validate():
        return _page(form, status=WRONG)
    try:
        accounts.change_password(
            current_work(), user=me.user, current=text_of(form.current), new=text_of(form.new), keep=me.session
        )
    except Invalid as error:
        accept(form, error=error)
        return _page(form, status=WRONG)
    except TooMany as error:
        add_error(form, "current", message=error.message)
        return _page(form, status=WRONG)
    return hx.redirect_to(
        url_for("account.show"), message="Your password is changed. Other browsers have been signed out."
    )


@pages.post("/time-zone")
@access.login_required  # type: ignore[untyped-decorator]  # as above
def change_time_zone() -> Response:
    """Choose in which zone times are shown."""
    form = TimeZoneForm()
    try:
        accounts.change_time_zone(current_work(), user=_me().user, name=text_of(form.time_zone).strip())
    except Invalid as error:
        accept(form, error=error)
        return _page(PasswordForm(formdata=None), zone_form=form, status=WRONG)
    return hx.redirect_to(url_for("account.show"), message=f"Times are in {form.time_zone.data} now.")


@pages.post("/shortcuts")
@access.login_required  # type: ignore[untyped-decorator]  # as above
def switch_shortcuts() -> Response:
    """Switch shortcuts of one key on or off, in every browser of the person."""
    is_on = request.form.get("has_shortcuts") == "1"
    accounts.switch_shortcuts(current_work(), user=_me().user, is_on=is_on)
    words = "Single-key shortcuts are on." if is_on else "Single-key shortcuts are off. Ctrl+K works all the same."
    return hx.redirect_to(url_for("account.show"), message=words)


@pages.post("/sessions/<int:number>/end")
@access.login_required  # type: ignore[untyped-decorator]  # as above
def end_session(number: int) -> Response:
    """Sign one other browser out."""
    work, me = current_work(), _me()
    found = next((one for one in sign_in.sessions_of(work, user=me.user) if one.number == number), None)
    if found is None:
        raise NotFound("session")
    sign_in.end_session(work, session=found, reason="You were signed out from another browser.")
    return _done("That browser is signed out.")


@pages.post("/sessions/end-others")
@access.login_required  # type: ignore[untyped-decorator]  # as above
def end_others() -> Response:
    """Sign all other browsers out."""
    me = _me()
    ended = sign_in.end_other_sessions(current_work(), user=me.user, keep=me.session)
    return _done("No other browser was signed in." if not ended else "All other browsers are signed out.")


def _me() -> SignedIn:
    return cast("SignedIn", access.person())


def _done(message: str) -> Response:
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("account.show"), message=message)
    hx.toast(message)
    return _page(PasswordForm(formdata=None), block="sessions")


def _page(
    form: PasswordForm, *, zone_form: TimeZoneForm | None = None, status: int = 200, block: str | None = None
) -> Response:
    work, me = current_work(), _me()
    return hx.page(
        "account/show.html",
        block=block,
        status=status,
        form=form,
        zone_form=zone_form or TimeZoneForm(formdata=None, time_zone=me.user.time_zone),
        zones=sorted(available_timezones()),
        shortest=SHORTEST,
        me=me.user,
        two_factor=two_factor.is_on(me.user),
        memberships=members.memberships_of(work, user=me.user),
        sessions=[
            (one, name_of(one.user_agent), one.number == me.session.number)
            for one in sign_in.sessions_of(work, user=me.user)
        ],
    )
