"""The first set-up: a one-time link makes the first admin, then three steps lead to a delivery that arrives."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired

from console.core.errors import Conflict, Invalid, Unauthenticated
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Bin, BinRequest, Delivery, Hook
from console.services.bins import bins
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.hooks import hook_tests, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.hooks.hooks import HookFilter
from console.services.people import first_setup
from console.services.people.passwords import SHORTEST
from console.web import access, hx, sessions
from console.web.forms import Form, SecretField, accept, add_error, text_of
from console.web.hooks.shared import bin_url

pages = Blueprint("setup", __name__)

FORBIDDEN, WRONG = 403, 422
FIRST_BIN, FIRST_HOOK = "First bin", "First hook"
POINTERS = {"slug": "organization_slug", "name": "organization_name"}


class SetupForm(Form):
    """The first organization and its admin."""

    token = HiddenField()
    organization_name = StringField("Name of your organization", [DataRequired("Give your organization a name.")])
    organization_slug = StringField("Short name for addresses")
    full_name = StringField("Your name")
    email = StringField("Your e-mail", [DataRequired("Give your e-mail address; you sign in with it.")])
    password = SecretField("Password", [DataRequired(f"Choose a password of at least {SHORTEST} characters.")])


@dataclass(frozen=True, slots=True)
class Steps:
    """How far somebody is: each is None until it was done."""

    bin: Bin | None = None
    url: str = ""
    hook: Hook | None = None
    test: Delivery | None = None
    caught: BinRequest | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a test was sent whose end is not known yet."""
        return self.test is not None and self.test.state not in deliveries.FINAL


@pages.get("/setup")
def show() -> Response:
    """Show the form to whoever has the link; say how to get one to whoever has not."""
    token = request.args.get("token", "")
    problem = _problem_with(token)
    if problem is not None:
        return problem
    form = SetupForm(formdata=None)
    form.token.data = token
    return _page(form)


@pages.post("/setup")
def create() -> Response:
    """Make the organization and its admin, and sign the admin in."""
    form = SetupForm()
    token = form.token.data or ""
    problem = _problem_with(token)
    if problem is not None:
        return problem
    if not form.validate():
        return _page(form, status=WRONG)
    if not form.organization_slug.data:
        form.organization_slug.data = slug_of(text_of(form.organization_name))
    try:
        admin = first_setup.set_up(
            current_work(),
            secret=token,
            organization_name=text_of(form.organization_name),
            organization_slug=form.organization_slug.data,
            email=text_of(form.email),
            full_name=text_of(form.full_name),
            password=text_of(form.password),
        )
    except Unauthenticated as error:  # somebody was quicker
        return _refused(error.code)
    except Invalid as error:
        accept(form, error=error, names=POINTERS)
        return _page(form, status=WRONG)
    except Conflict as error:
        field = "organization_slug" if error.code == "organization_exists" else "email"
        add_error(form, field, message=error.message)
        return _page(form, status=WRONG)
    sessions.begin(admin)
    return hx.redirect_to(url_for("setup.start", organization=form.organization_slug.data))


def slug_of(name: str) -> str:
    """Make a short name for addresses: ``Müller & Söhne`` becomes ``muller-sohne``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-") or "main"


def _problem_with(token: str) -> Response | None:
    """Answer for a link that does not work; None for one that does."""
    if not token and not first_setup.is_needed(current_work()):
        return hx.redirect_to(url_for("sessions.new"))
    try:
        first_setup.check_link(current_work(), secret=token)
    except Unauthenticated as error:
        return _refused(error.code if token else "")
    return None


def _refused(reason: str) -> Response:
    is_new = first_setup.is_needed(current_work())
    return hx.page("setup/link.html", status=FORBIDDEN, reason=reason, is_new=is_new)


def _page(form: SetupForm, *, status: int = 200) -> Response:
    return hx.page("setup/show.html", status=status, form=form, shortest=SHORTEST)


# --- three steps ----------------------------------------------------------------------------------------------------


@pages.get("/o/<organization>/start")
@access.requires(Permission.WEBHOOKS_VIEW)
def start() -> Response:
    """Show the three steps, and how far they are."""
    return _steps()


@pages.post("/o/<organization>/start/bin")
@access.requires(Permission.WEBHOOKS_ADD)
def make_bin() -> Response:
    """Take the first step, unless it was taken already."""
    if how_far().bin is None:
        bins.create(current_work(), organization=access.place().organization, name=FIRST_BIN)
    return _stepped()


@pages.post("/o/<organization>/start/hook")
@access.requires(Permission.WEBHOOKS_ADD)
def make_hook() -> Response:
    """Take the second step, unless it was taken already."""
    steps, someone = how_far(), access.person()
    if steps.bin is not None and steps.hook is None:
        hooks.create(
            current_work(),
            organization_number=access.place().organization.number,
            author_number=someone.user.number if someone else None,
            draft=HookDraft(name=FIRST_HOOK, url=steps.url, all_events=True),
        )
    return _stepped()


@pages.post("/o/<organization>/start/test")
@access.requires(Permission.WEBHOOKS_EDIT)
def send_test() -> Response:
    """Take the third step."""
    steps = how_far()
    if steps.hook is not None and not steps.is_under_way:
        hook_tests.send(current_work(), hook=steps.hook)
    return _stepped()


def how_far() -> Steps:
    """Look at what is there: the newest bin, the hook that leads to it, its last test, what the bin caught last."""
    work, number = current_work(), access.place().organization.number
    found = bins.find(work, organization_number=number, limit=1)
    if not found:
        return Steps()
    bin_, url = found[0], bin_url(found[0])
    leading = hooks.find(work, organization_number=number, wanted=HookFilter(q=url), limit=1)
    if not leading:
        return Steps(bin_, url)
    wanted = DeliveryFilter(hook_number=leading[0].number)
    sent = [one for one in deliveries.find(work, organization_number=number, wanted=wanted, limit=20) if one.is_test]
    caught = bins.requests_of(work, bin_number=bin_.number, limit=1)
    return Steps(bin_, url, leading[0], sent[0] if sent else None, caught[0] if sent and caught else None)


def _stepped() -> Response:
    return _steps() if hx.wants_fragment() else hx.redirect_to(url_for("setup.start"))


def _steps() -> Response:
    return hx.page("setup/start.html", block="steps", steps=how_far())
