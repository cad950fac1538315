"""Tokens of the API: list, create with ready-made permissions (the text is shown once), revoke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from flask import Response, request, url_for
from wtforms import RadioField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired
from wtforms.widgets import CheckboxInput, ListWidget

from console.core.errors import Forbidden, Invalid
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.extensions import collaborators, current_work
from console.models import Token
from console.services.people import tokens as cases
from console.web import access, hx, lists, once
from console.web.access import SignedIn
from console.web.forms import Form, accept, add_error, options
from console.web.settings.shared import WRONG, number, pages, tabs

CUSTOM = "custom"
PRESETS: dict[str, tuple[str, frozenset[Permission]]] = {
    "publish": ("Publish only", frozenset({Permission.EVENTS_PUBLISH})),
    "read": ("Read only", ROLE_PERMISSIONS[Role.VIEWER]),
    "full": ("Full", frozenset({Permission.ADMIN})),
}
HINTS = {
    "publish": "For applications that only send events.",
    "read": "Sees hooks, events and deliveries; changes nothing.",
    "full": "Everything an admin may do.",
    CUSTOM: "Exactly the permissions ticked below.",
}
LIVES = {"30": "30 days", "90": "90 days", "365": "A year", "": "Never"}


class TokenForm(Form):
    """A new token."""

    name = StringField("Name", [DataRequired("Give the token a name, so that you recognise it later.")])
    preset = RadioField(
        "It may",
        choices=options({**{name: label for name, (label, _held) in PRESETS.items()}, CUSTOM: "Choose one by one"}),
        default="publish",
    )
    permissions = SelectMultipleField(
        "Permissions",
        choices=options({one.value: one.value for one in Permission}),
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    expires_in_days = SelectField("It expires after", choices=options(LIVES), default="90")


@pages.get("/tokens")
@access.requires(Permission.TOKENS_MANAGE)
def tokens() -> Response:
    """List the tokens; a new one is shown in full this once."""
    return _page(TokenForm(formdata=None))


@pages.post("/tokens")
@access.requires(Permission.TOKENS_MANAGE)
def token_create() -> Response:
    """Make a token for the person who asks."""
    form = TokenForm()
    if not form.validate():
        return _page(form, status=WRONG)
    chosen = form.preset.data
    wanted = map(Permission, form.permissions.data or []) if chosen == CUSTOM else PRESETS[chosen][1]
    try:
        issued = cases.issue(
            current_work(),
            user=cast("SignedIn", access.person()).user,
            organization=access.place().organization,
            permissions=wanted,
            name=(form.name.data or "").strip(),
            expires_in_days=int(form.expires_in_days.data) if form.expires_in_days.data else None,
        )
    except Invalid as error:
        accept(form, error=error)
        return _page(form, status=WRONG)
    except Forbidden as error:
        add_error(form, "permissions", message=f"You do not hold {error.permission} yourself.")
        return _page(form, status=WRONG)
    once.keep(issued.text, about=issued.token.id)
    return hx.redirect_to(url_for("settings.tokens", made=issued.token.id))


@pages.get("/tokens/<uuid:token_id>/revoke")
@access.requires(Permission.TOKENS_MANAGE)
def token_confirm(token_id: UUID) -> Response:
    """Ask before a token is revoked."""
    return hx.page("settings/revoke.html", token=_token(token_id))


@pages.post("/tokens/<uuid:token_id>/revoke")
@access.requires(Permission.TOKENS_MANAGE)
def token_revoke(token_id: UUID) -> Response:
    """End a token."""
    token = _token(token_id)
    cases.revoke(current_work(), token=token)
    return hx.redirect_to(url_for("settings.tokens"), message=f"{token.name or token.prefix} is revoked.")


def _token(token_id: UUID) -> Token:
    return cases.get(current_work(), organization_number=number(), token_id=token_id)


def _page(form: TokenForm, *, status: int = 200) -> Response:
    work = current_work()
    page = lists.turn(
        lambda before, _after, limit: cases.find(work, organization_number=number(), before=before, limit=limit),
        is_one_way=True,
    )
    made = _made(page.rows) if status != WRONG else None
    return hx.page(
        "settings/tokens.html",
        block="create" if status == WRONG else "list",
        status=status,
        tabs=tabs(),
        form=form,
        hints=HINTS,
        page=page,
        made=made,
        text=once.take(made.id) if made else None,
        base_url=collaborators().settings.base_url,
        words=_words,
        now=work.now(),
    )


def _made(rows: Sequence[Token]) -> Token | None:
    """Give the token that was made just now, as the address says."""
    wanted = request.args.get("made", "")
    return next((one for one in rows if str(one.id) == wanted), None)


def _words(token: Token) -> str:
    """Say what a token may do: the name of a preset, or the list."""
    held = frozenset(token.permissions)
    return next((label for label, wanted in PRESETS.values() if held == wanted), ", ".join(token.permissions))
