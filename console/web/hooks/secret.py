"""The signing secrets of a hook: masked, revealed after the password, rotated; and how receivers verify with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask import Response, request, url_for
from wtforms import HiddenField, SelectField
from wtforms.validators import DataRequired, Optional

from console.core.errors import Conflict, Invalid, KeyUnavailable, TooMany
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook, HookSecret
from console.services.bins import receipts
from console.services.hooks import hook_secrets
from console.services.hooks.hook_fields import HookDraft, check
from console.services.people import reveals
from console.web import access, creating, hx, once
from console.web.forms import Form, SecretField, accept, add_error, options, text_of
from console.web.hooks import coming_secrets
from console.web.hooks.shared import WRONG, hook_of, name_of, pages
from console.web.hooks.snippets import snippets_for

TOO_MANY = 429
AT_ONCE = "0"
OVERLAPS = {AT_ONCE: "Nothing: the old one ends now", "3600": "1 hour", "86400": "24 hours", "604800": "7 days"}
USUAL_OVERLAP = "86400"


class RevealForm(Form):
    """The password, once more."""

    password = SecretField("Your password", [DataRequired("Give your password.")])


@dataclass(frozen=True, slots=True)
class LivingSecret:
    """A secret that signs now; *ending* are its last characters, empty for a short one or without its key."""

    number: int
    created_at: datetime
    expires_at: datetime | None
    ending: str


class RotateForm(Form):
    """How long both secrets sign, and a secret of one's own; a confirmation brings that back as *sealed_secret*."""

    overlap = SelectField("Both secrets sign for", choices=options(OVERLAPS), default=USUAL_OVERLAP)
    secret = SecretField("Secret of your own", [Optional()])
    sealed_secret = HiddenField()

    @property
    def own_secret(self) -> str | None:
        """The secret that was typed; None when a random one is wanted. Raise Invalid when it was lost on the way."""
        if not self.sealed_secret.data:
            return self.secret.data or None
        found = coming_secrets.opened(self.sealed_secret.data)
        if found is None:
            raise Invalid.field("secret", "Type the secret again.", code="required")
        return found


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
@creating.one_result
def rotate(hook_id: UUID) -> Response:
    """Give the hook a new secret; ask first when the old one is to end at once."""
    work, hook, form = current_work(), hook_of(hook_id), RotateForm()
    if not form.validate():
        return _page(hook, rotate_form=form, status=WRONG)
    _check_version(hook)
    try:
        own = form.own_secret
        if form.overlap.data == AT_ONCE and "confirmed" not in request.form:
            check(work, organization_number=hook.organization_number, draft=HookDraft(secret=own), hook=hook)
            carried = {"overlap": AT_ONCE, "sealed_secret": coming_secrets.sealed(own) if own else ""}
            return _ask(hook, action=url_for("hooks.rotate", hook_id=hook.id), ending=_living(hook), fields=carried)
        made = hook_secrets.rotate(work, hook=hook, overlap_s=int(form.overlap.data), secret=own)
    except Invalid as error:
        accept(form, error=error, names={"overlap_seconds": "overlap"})
        return _page(hook, rotate_form=form, status=WRONG)
    once.keep(made.secret, about=hook.id)
    return hx.redirect_to(url_for("hooks.secret", hook_id=hook.id), message="The hook has a new secret.")


@pages.get("/<uuid:hook_id>/secret/end-overlap")
@access.requires(Permission.WEBHOOKS_EDIT)
def ask_end_overlap(hook_id: UUID) -> Response:
    """Ask before the older secrets end."""
    hook = hook_of(hook_id)
    newest, *older = _living(hook)
    if not older:
        return hx.redirect_to(url_for("hooks.secret", hook_id=hook.id))
    return _ask(hook, action=url_for("hooks.end_overlap", hook_id=hook.id), ending=older, staying=newest)


@pages.post("/<uuid:hook_id>/secret/end-overlap")
@access.requires(Permission.WEBHOOKS_EDIT)
def end_overlap(hook_id: UUID) -> Response:
    """Let only the newest secret sign."""
    hook = hook_of(hook_id)
    _check_version(hook)
    hook_secrets.end_overlap(current_work(), hook=hook)
    return hx.redirect_to(url_for("hooks.secret", hook_id=hook.id), message="Only the newest secret signs from now on.")


def _check_version(hook: Hook) -> None:
    """Raise Conflict when what was looked at is no longer so."""
    if request.form.get("version") != str(hook.version):
        raise Conflict("The secret, or the hook, was changed meanwhile. Look at it again, then decide.")


def _ask(
    hook: Hook,
    *,
    action: str,
    ending: Sequence[LivingSecret],
    staying: LivingSecret | None = None,
    fields: Mapping[str, str] | None = None,
) -> Response:
    """Say what breaks when these secrets end; *staying* is None when a new one takes their place."""
    carried = {"version": str(hook.version), "confirmed": "1", **(fields or {})}
    return hx.page(
        "hooks/secret_ends.html",
        hook=hook,
        name=name_of(hook),
        action=action,
        ending=ending,
        staying=staying,
        fields=carried,
    )


def _living(hook: Hook) -> list[LivingSecret]:
    """Return the secrets that sign now, newest first."""
    work = current_work()
    return [
        LivingSecret(row.number, row.created_at, row.expires_at, _ending(row))
        for row in hook_secrets.living(hook, now=work.now())
    ]


def _ending(row: HookSecret) -> str:
    try:
        return hook_secrets.ending(current_work().keys.open(row.sealed))
    except KeyUnavailable:
        return ""  # the page still shows when it was created; revealing it says what is wrong


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
    return hx.page(
        "hooks/secret.html",
        status=status,
        hook=hook,
        name=name_of(hook),
        secrets=_living(hook),
        verified=receipts.last_verified(work, organization_number=hook.organization_number, secrets=hook.secrets),
        fresh=fresh,
        clear=clear or {},
        reveal_form=reveal_form or RevealForm(formdata=None),
        rotate_form=rotate_form or RotateForm(formdata=None),
    )
