"""Tokens of the API: list, create with ready-made permissions (the text is shown once), revoke."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from flask import Response, request, url_for
from wtforms import RadioField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired
from wtforms.widgets import CheckboxInput, ListWidget

from console.core.errors import Forbidden, Invalid, NotFound
from console.core.permissions import ROLE_PERMISSIONS, Permission, Role
from console.core.token_rights import TokenStatus
from console.extensions import collaborators, current_work
from console.models import Token, User
from console.services.people import tokens as cases
from console.web import access, creating, hx, lists, once
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
RECOMMENDED = "recommended"
RECOMMENDED_DAYS = 90
LIVES = {
    RECOMMENDED: "As recommended",
    "30": "30 days",
    "90": "90 days",
    "365": "A year",
    "": "Never",
}
SERVICE, PERSON = "service", "person"
OWNERS = {SERVICE: "The organization: a service token", PERSON: "You"}
OWNER_HINTS = {
    SERVICE: "For applications. It works on when people leave.",
    PERSON: "It ends when you leave, and never does more than your role allows.",
}
SHOWN = {"": "All", SERVICE: "Service", PERSON: "People"}
ENDED = {
    TokenStatus.EXPIRED: "Expired",
    TokenStatus.OWNER_INACTIVE: "Ended: owner deactivated",
    TokenStatus.OWNER_LEFT: "Ended: owner left",
}


class TokenForm(Form):
    """A new token."""

    name = StringField("Name", [DataRequired("Give the token a name, so that you recognise it later.")])
    owner = RadioField("It belongs to", choices=options(OWNERS), default=SERVICE)
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
    expires_in_days = SelectField("It expires after", choices=options(LIVES), default=RECOMMENDED)


@pages.get("/tokens")
@access.requires(Permission.WEBHOOKS_VIEW)
def tokens() -> Response:
    """List the tokens: all for who manages them, else the person's own; a new one is shown in full this once."""
    return _page(TokenForm(formdata=None))


@pages.post("/tokens")
@access.requires(Permission.TOKENS_MANAGE)
@creating.one_result
def token_create() -> Response:
    """Create a token for the organization, or for the person who asks."""
    form = TokenForm()
    if not form.validate():
        return _page(form, status=WRONG)
    chosen = form.preset.data
    wanted = frozenset(map(Permission, form.permissions.data or [])) if chosen == CUSTOM else PRESETS[chosen][1]
    try:
        issued = cases.issue(
            current_work(),
            user=_me(),
            is_service=form.owner.data == SERVICE,
            organization=access.place().organization,
            permissions=wanted,
            name=(form.name.data or "").strip(),
            expires_in_days=_days(form.expires_in_days.data, wanted),
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
@access.requires(Permission.WEBHOOKS_VIEW)
def token_confirm(token_id: UUID) -> Response:
    """Ask before a token is revoked."""
    token = _token(token_id)
    return hx.page("settings/revoke.html", token=token, with_it=cases.depending_on(current_work(), token=token))


@pages.post("/tokens/<uuid:token_id>/revoke")
@access.requires(Permission.WEBHOOKS_VIEW)
def token_revoke(token_id: UUID) -> Response:
    """End a token."""
    token = _token(token_id)
    cases.revoke(current_work(), token=token)
    return hx.redirect_to(url_for("settings.tokens"), message=f"{token.label} is revoked.")


def words(token: Token) -> str:
    """Return what a token may do now: the name of a preset, or the list."""
    held = cases.effective(token)
    presets = (label for label, wanted in PRESETS.values() if set(held) == wanted)
    return next(presets, ", ".join(held) or "Nothing")


def _me() -> User:
    return cast("SignedIn", access.person()).user


def _days(chosen: str, wanted: frozenset[Permission]) -> int | None:
    if chosen == RECOMMENDED:
        return None if wanted == {Permission.EVENTS_PUBLISH} else RECOMMENDED_DAYS
    return int(chosen) if chosen else None


def _token(token_id: UUID) -> Token:
    token = cases.get(current_work(), organization_number=number(), token_id=token_id)
    if access.only_own_tokens() not in {None, token.user_number}:
        raise NotFound("token")
    return token


def _page(form: TokenForm, *, status: int = 200) -> Response:
    work, owner = current_work(), request.args.get("owner", "")
    page = lists.turn(
        lambda before, _after, limit: cases.find(
            work,
            organization_number=number(),
            user_number=access.only_own_tokens(),
            is_service=owner == SERVICE if owner in OWNERS else None,
            before=before,
            limit=limit,
        ),
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
        owner_hints=OWNER_HINTS,
        page=page,
        shown=[lists.Preset(label, lists.here(owner=one), owner == one) for one, label in SHOWN.items()],
        made=made,
        text=once.take(made.id) if made else None,
        base_url=collaborators().settings.base_url,
        words=words,
        is_cut=lambda token: cases.effective(token) != token.permissions,
        ended=lambda token: ENDED.get(cases.status_of(work, token), ""),
    )


def _made(rows: Sequence[Token]) -> Token | None:
    """Return the token that was created just now, as the address says."""
    wanted = request.args.get("made", "")
    return next((one for one in rows if str(one.id) == wanted), None)
