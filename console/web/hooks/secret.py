"""The signing secrets of a hook: masked, revealed after the password, rotated; and how receivers verify with them."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for
from wtforms import SelectField
from wtforms.validators import DataRequired, Optional

from console.core.errors import Conflict, Invalid, TooMany
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook
from console.services.bins import receipts
from console.services.hooks import hook_secrets
from console.services.people import reveals
from console.web import access, hx, once
from console.web.forms import Form, SecretField, accept, add_error, options, text_of
from console.web.hooks.shared import WRONG, hook_of, name_of, pages
from console.web.hooks.snippets import snippets_for

TOO_MANY = 429
OVERLAPS = {"0": "Nothing: the old one ends now", "3600": "1 hour", "86400": "24 hours", "604800": "7 days"}
USUAL_OVERLAP = "86400"


class RevealForm(Form):
    """The password, once more."""

    password = SecretField("Your password", [DataRequired("Give your password.")])


class RotateForm(Form):
    """How long both secrets sign, and a secret of one's own."""

    overlap = SelectField("Both secrets sign for", choices=options(OVERLAPS), default=USUAL_OVERLAP)
    secret = SecretField("Secret of your own", [Optional()])


@pages.get("/<uuid:hook_id>/secret")
@access.requires(Permission.WEBHOOKS_EDIT)
def secret(hook_id: UUID) -> Response:
    """Show when the secrets were made, not what they are; a fresh one is shown this once."""
    hook = hook_of(hook_id)
    return _page(hook, fresh=once.take(hook.id))


@pages.post("/<uuid:hook_id>/secret/reveal")
@access.requires(Permission.WEBHOOKS_EDIT)
def reveal(hook_id: UUID) -> Response:
    """Show the secrets to whoever gives their password again."""
    hook, form, someone = hook_of(hook_id), RevealForm(), access.person()
    if someone is None or not form.validate():
        return _page(hook, reveal_form=form, status=WRONG)
    try:
        shown = reveals.reveal(current_work(), hook=hook, user=someone.user, password=text_of(form.password))
    except Invalid as error:
        accept(form, error=error)
        return _page(hook, reveal_form=form, status=WRONG)
    except TooMany as error:
        add_error(form, "password", message=error.message)
        return _page(hook, reveal_form=form, status=TOO_MANY)
    return _page(hook, clear={row.number: text for row, text in shown})


@pages.post("/<uuid:hook_id>/secret/rotate")
@access.requires(Permission.WEBHOOKS_EDIT)
def rotate(hook_id: UUID) -> Response:
    """Give the hook a new secret."""
    hook, form = hook_of(hook_id), RotateForm()
    if not form.validate():
        return _page(hook, rotate_form=form, status=WRONG)
    if request.form.get("version") != str(hook.version):
        raise Conflict("The secret, or the hook, was changed meanwhile. Look at it again, then decide.")
    try:
        made = hook_secrets.rotate(
            current_work(), hook=hook, overlap_s=int(form.overlap.data), secret=form.secret.data or None
        )
    except Invalid as error:
        accept(form, error=error, names={"overlap_seconds": "overlap"})
        return _page(hook, rotate_form=form, status=WRONG)
    once.keep(made.secret, about=hook.id)
    return hx.redirect_to(url_for("hooks.secret", hook_id=hook.id), message="The hook has a new secret.")


@pages.post("/<uuid:hook_id>/secret/end-overlap")
@access.requires(Permission.WEBHOOKS_EDIT)
def end_overlap(hook_id: UUID) -> Response:
    """Let only the newest secret sign."""
    hook = hook_of(hook_id)
    hook_secrets.end_overlap(current_work(), hook=hook)
    return hx.redirect_to(url_for("hooks.secret", hook_id=hook.id), message="Only the newest secret signs from now on.")


@pages.get("/<uuid:hook_id>/verify")
@access.requires(Permission.WEBHOOKS_VIEW)
def verify(hook_id: UUID) -> Response:
    """Show how a receiver checks the signature of this hook's requests."""
    hook = hook_of(hook_id)
    return hx.page("hooks/verify.html", hook=hook, name=name_of(hook), snippets=snippets_for(hook.url))


def _page(
    hook: Hook,
    *,
    status: int = 200,
    fresh: str | None = None,
    clear: dict[int, str] | None = None,
    reveal_form: RevealForm | None = None,
    rotate_form: RotateForm | None = None,
) -> Response:
    work = current_work()
    now = work.now()
    living = [row for row in hook.secrets if row.expires_at is None or row.expires_at > now]
    return hx.page(
        "hooks/secret.html",
        status=status,
        hook=hook,
        name=name_of(hook),
        secrets=living,
        verified=receipts.last_verified(work, organization_number=hook.organization_number, secrets=living),
        fresh=fresh,
        clear=clear or {},
        reveal_form=reveal_form or RevealForm(formdata=None),
        rotate_form=rotate_form or RotateForm(formdata=None),
    )
