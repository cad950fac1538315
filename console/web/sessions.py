"""Signing in and out."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request, session, url_for
from wtforms import StringField
from wtforms.validators import DataRequired

from console.core.errors import TooMany, Unauthenticated
from console.extensions import current_work
from console.models import User
from console.services import accounts, sign_in
from console.web import access, hx
from console.web.forms import Form, SecretField, add_error, text_of

pages = Blueprint("sessions", __name__)

LONGEST_NEXT = 2048
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")
TOO_MANY = 429
WRONG = 422


class SignInForm(Form):
    """E-mail and password; password managers recognise both by their ``autocomplete``."""

    login = StringField("E-mail or user name", [DataRequired("Give your e-mail address or user name.")])
    password = SecretField("Password", [DataRequired("Give your password.")])


@pages.get("/login")
def new() -> Response:
    """Show the form, and why the browser was signed out if it was."""
    if access.person() is not None:
        return hx.redirect_to(_target())
    if accounts.setup_is_needed(current_work()):
        return hx.redirect_to(url_for("setup.show"))
    secret = session.get("_user_id")
    ended = sign_in.why_ended(current_work(), secret) if secret else None
    return _form(SignInForm(formdata=None), ended=ended)


@pages.post("/login")
def create() -> Response:
    """Sign in; whatever is wrong, the words are the same."""
    form = SignInForm()
    if not form.validate():
        return _form(form, status=WRONG)
    try:
        user = sign_in.authenticate(
            current_work(), login=text_of(form.login), password=text_of(form.password), ip=request.remote_addr
        )
    except Unauthenticated as error:
        add_error(form, "", message=error.message)
        return _form(form, status=WRONG)
    except TooMany as error:
        add_error(form, "", message=error.message)
        answer = _form(form, status=TOO_MANY)
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    begin(user)
    return hx.redirect_to(_target())


@pages.post("/logout")
def delete() -> Response:
    """Sign this browser out."""
    someone = access.person()
    if someone is not None:
        sign_in.end_session(current_work(), session=someone.session)
    access.sign_out_person()
    return hx.redirect_to(url_for("sessions.new"), message="You are signed out.", tone="info")


def begin(user: User) -> None:
    """Sign *user* in, in this browser: a new session, and the one that was there before is over."""
    work = current_work()
    before = access.person()
    if before is not None:
        sign_in.end_session(work, session=before.session)
    agent = request.user_agent.string
    secret = sign_in.start_session(work, user=user, ip=request.remote_addr, user_agent=agent)
    row = sign_in.load_session(work, secret)
    if row is not None:
        access.sign_in_person(secret, row)


def safe_next(value: str | None) -> str | None:
    """Give *value* when it is a path of this console, else None.

    One slash at its beginning, no ``//`` or backslash before the query, no white space or control character: browsers
    drop or turn these, and would then go to another host.
    """
    if not value or len(value) > LONGEST_NEXT or _CONTROL.search(value):
        return None
    path = value.split("?")[0].split("#")[0]
    return value if path.startswith("/") and "//" not in path and "\\" not in value else None


def _target() -> str:
    return safe_next(request.args.get("next")) or url_for("home.index")


def _form(form: SignInForm, *, status: int = 200, ended: str | None = None) -> Response:
    action = url_for("sessions.create", next=safe_next(request.args.get("next")))
    return hx.page("sessions/new.html", status=status, form=form, action=action, ended=ended)
