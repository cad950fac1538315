"""The second factor of one's own account: connect an app, new recovery codes, turn it off."""

from __future__ import annotations

from typing import cast

import segno
from flask import Blueprint, Response, url_for
from wtforms import StringField
from wtforms.validators import DataRequired

from console.core.errors import Conflict, Invalid, TooMany
from console.extensions import current_work
from console.models import User
from console.services.people import two_factor as cases
from console.web import access, account, creating, hx, once
from console.web.access import SignedIn
from console.web.forms import Form, SecretField, accept, add_error, text_of

pages = Blueprint("two_factor", __name__, url_prefix="/account/two-factor")
pages.before_request(account.enter_last_organization)

WRONG = 422


class ConfirmPasswordForm(Form):
    """The password again: who finds a browser signed in must not change how one signs in."""

    password = SecretField("Your password", [DataRequired("Give your password.")])


class CodeForm(Form):
    """A code of the app."""

    code = StringField("Code that the app shows", [DataRequired("Give the code that the app shows now.")])


@pages.get("")
@access.login_required  # type: ignore[untyped-decorator]  # Flask-Login ships no types
def show() -> Response:
    """Show the step that is next: begin, confirm the app, or what is in force."""
    return _page()


@pages.post("")
@access.login_required  # type: ignore[untyped-decorator]  # as above
def begin() -> Response:
    """Make a secret for an app."""
    form = ConfirmPasswordForm()
    try:
        if form.validate():
            cases.begin(current_work(), user=_me(), password=text_of(form.password))
            return hx.redirect_to(url_for("two_factor.show"))
    except (Invalid, TooMany) as error:
        _complain(form, error)
    except Conflict as error:
        return hx.redirect_to(url_for("two_factor.show"), message=error.message, tone="info")
    return _page(password_form=form, status=WRONG)


@pages.post("/confirm")
@access.login_required  # type: ignore[untyped-decorator]  # as above
@creating.one_result
def confirm() -> Response:
    """Turn it on with the app's first code, and show the recovery codes on the next page."""
    form = CodeForm()
    try:
        if form.validate():
            codes = cases.confirm(current_work(), user=_me(), code=text_of(form.code))
            return _show_codes(codes, message="Two-factor sign-in is on.")
    except (Invalid, TooMany) as error:
        _complain(form, error)
    except Conflict as error:
        return creating.nothing_created(hx.redirect_to(url_for("two_factor.show"), message=error.message, tone="bad"))
    return _page(code_form=form, status=WRONG)


@pages.post("/codes")
@access.login_required  # type: ignore[untyped-decorator]  # as above
@creating.one_result
def renew_codes() -> Response:
    """Make new recovery codes."""
    form = ConfirmPasswordForm()
    try:
        if form.validate():
            codes = cases.renew_recovery_codes(current_work(), user=_me(), password=text_of(form.password))
            return _show_codes(codes, message="The old recovery codes work no more.")
    except (Invalid, TooMany) as error:
        _complain(form, error)
    except Conflict as error:
        return creating.nothing_created(hx.redirect_to(url_for("two_factor.show"), message=error.message, tone="bad"))
    return _page(password_form=form, status=WRONG)


@pages.post("/off")
@access.login_required  # type: ignore[untyped-decorator]  # as above
def turn_off() -> Response:
    """Turn it off."""
    form = ConfirmPasswordForm()
    try:
        if form.validate():
            cases.turn_off(current_work(), user=_me(), password=text_of(form.password))
            return hx.redirect_to(url_for("account.show"), message="Two-factor sign-in is off.")
    except (Invalid, TooMany) as error:
        _complain(form, error)
    return _page(password_form=form, status=WRONG)


def _complain(form: Form, error: Invalid | TooMany) -> None:
    if isinstance(error, Invalid):
        accept(form, error=error)
    else:
        add_error(form, "", message=error.message)


def _show_codes(codes: list[str], *, message: str) -> Response:
    once.keep(" ".join(codes), about=_me().id)
    return hx.redirect_to(url_for("two_factor.show"), message=message)


def _me() -> User:
    return cast("SignedIn", access.person()).user


def _page(
    *, password_form: ConfirmPasswordForm | None = None, code_form: CodeForm | None = None, status: int = 200
) -> Response:
    work, me = current_work(), _me()
    address = cases.address_of(work, user=me)
    return hx.page(
        "account/two_factor.html",
        status=status,
        me=me,
        is_on=cases.is_on(me),
        picture=segno.make_qr(address).svg_data_uri(scale=5, border=2, light="#fff") if address else None,
        secret=cases.secret_of(work, user=me),
        codes=(once.take(me.id) or "").split(),
        codes_left=cases.recovery_codes_left(work, user=me),
        password_form=password_form or ConfirmPasswordForm(formdata=None),
        code_form=code_form or CodeForm(formdata=None),
    )
