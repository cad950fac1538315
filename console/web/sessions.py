"""Signing in and out."""

from __future__ import annotations

import re
from dataclasses import replace

from flask import Blueprint, Response, request, session, url_for
from wtforms import StringField
from wtforms.validators import DataRequired

from console.core.errors import Busy, Invalid, NotFound, TooMany, Unauthenticated
from console.extensions import current_work
from console.models import User
from console.services.people import accounts, first_setup, sign_in, two_factor
from console.services.work import Actor, Work
from console.web import access, hx, typed
from console.web.forms import Form, SecretField, accept, add_error, text_of

pages = Blueprint("sessions", __name__)

LONGEST_NEXT = 2048
_CONTROL = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")
TOO_MANY = 429
BUSY = 503
WRONG = 422
PENDING = "password_given"
"""Where the browser's session keeps who gave the right password, when, and the account's mark; the code is missing."""
PENDING_PARTS = 3
CODE_WITHIN_S = 600


class SignInForm(Form):
    """E-mail and password; password managers recognise both by their ``autocomplete``."""

    login = StringField("E-mail or user name", [DataRequired("Give your e-mail address or user name.")])
    password = SecretField("Password", [DataRequired("Give your password.")])


class CodeForm(Form):
    """The second factor."""

    code = StringField("Code", [DataRequired("Give the code that your app shows now, or a recovery code.")])


@pages.get("/login")
def new() -> Response:
    """Show the form, and why the browser was signed out if it was."""
    if access.person() is not None:
        return hx.redirect_to(_target())
    if first_setup.is_needed(current_work()):
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
        proven = sign_in.authenticate(
            current_work(), login=text_of(form.login), password=text_of(form.password), ip=request.remote_addr
        )
        if two_factor.is_on(proven.user):
            session[PENDING] = [proven.user.number, int(current_work().now().timestamp()), proven.mark]
            return hx.redirect_to(url_for("sessions.code", next=safe_next(request.args.get("next"))))
        begin(proven.user, mark=proven.mark)
    except Unauthenticated as error:
        add_error(form, "", message=error.message)
        return _form(form, status=WRONG)
    except (TooMany, Busy) as error:
        add_error(form, "", message=error.message)
        answer = _form(form, status=BUSY if isinstance(error, Busy) else TOO_MANY)
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    return hx.redirect_to(_target())


@pages.get("/login/code")
def code() -> Response:
    """Ask whoever gave the right password for the code of their app."""
    return _code_form(CodeForm(formdata=None)) if _pending() else _again()


@pages.post("/login/code")
def check_code() -> Response:
    """Sign in with the code."""
    form, user = CodeForm(), _pending()
    if user is None:
        return _again()
    if not form.validate():
        return _code_form(form, status=WRONG)
    mark = session[PENDING][2]
    try:
        two_factor.check(_work_of(user), user=user, code=text_of(form.code), mark=mark)
        begin(user, mark=mark)
    except Unauthenticated:
        return _again()
    except Invalid as error:
        accept(form, error=error)
        return _code_form(form, status=WRONG)
    except TooMany as error:
        add_error(form, "", message=error.message)
        answer = _code_form(form, status=TOO_MANY)
        answer.headers["Retry-After"] = str(error.retry_after_s)
        return answer
    return hx.redirect_to(_target())


@pages.post("/logout")
def delete() -> Response:
    """Sign this browser out."""
    someone = access.person()
    if someone is not None:
        sign_in.end_session(current_work(), session=someone.session)
    access.sign_out_person()
    return hx.redirect_to(url_for("sessions.new"), message="You are signed out.", tone="info")


def begin(user: User, *, mark: str | None = None) -> None:
    """Sign *user* in, in this browser: a new session, and the one that was there before is over.

    *mark* is that of the account when it was proven whose it is; raise Unauthenticated when it holds no longer.
    """
    work = current_work()
    before = access.person()
    if before is not None:
        sign_in.end_session(work, session=before.session)
    agent = request.user_agent.string
    secret = sign_in.start_session(work, user=user, ip=request.remote_addr, user_agent=agent, mark=mark)
    row = sign_in.load_session(work, secret)
    if row is not None:
        access.sign_in_person(secret, row)


def _pending() -> User | None:
    """Return who gave the right password in this browser a moment ago.

    None when that is too long ago, or when the password was changed or all sessions were ended since.
    """
    work, kept = current_work(), session.get(PENDING)
    if not kept or len(kept) != PENDING_PARTS or work.now().timestamp() - kept[1] > CODE_WITHIN_S:
        return None
    try:
        user = accounts.get_user_by_number(work, number=kept[0])
    except NotFound:
        return None
    is_same = user.is_active and sign_in.mark_of(user) == kept[2]
    return user if is_same and two_factor.is_on(user) else None


def _work_of(user: User) -> Work:
    return replace(current_work(), actor=Actor(user.email, user.number, request.remote_addr))


def _again() -> Response:
    session.pop(PENDING, None)
    return hx.redirect_to(
        url_for("sessions.new", next=safe_next(request.args.get("next"))),
        message="That took too long, or your account was changed meanwhile. Sign in again.",
        tone="info",
    )


def _code_form(form: CodeForm, *, status: int = 200) -> Response:
    action = url_for("sessions.check_code", next=safe_next(request.args.get("next")))
    return hx.page("sessions/code.html", status=status, form=form, action=action)


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
    return hx.page(
        "sessions/new.html",
        status=status,
        form=form,
        action=action,
        ended=ended,
        has_typed=f"{typed.PARAMETER}=" in request.args.get("next", ""),
    )
