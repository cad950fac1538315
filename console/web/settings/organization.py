"""The organization itself: its name, its configuration as a file, its end."""

from __future__ import annotations

import json

from flask import Response, url_for
from wtforms import StringField
from wtforms.validators import DataRequired

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.services import accounts, closing, exporting
from console.web import access, downloads, hx
from console.web.forms import Form, accept, text_of
from console.web.settings.shared import WRONG, pages, tabs


class NameForm(Form):
    """The name that people see."""

    name = StringField("Name", [DataRequired("Give the organization a name.")])


class CloseForm(Form):
    """The slug, typed by hand: closing cannot be undone."""

    slug = StringField("Slug of the organization", [DataRequired("Type the slug of the organization.")])


@pages.get("/organization")
@access.requires(Permission.ADMIN)
def organization() -> Response:
    """Show the organization's own settings."""
    return _page()


@pages.post("/organization")
@access.requires(Permission.ADMIN)
def organization_rename() -> Response:
    """Change the name."""
    form, here = NameForm(), access.place().organization
    if form.validate():
        try:
            accounts.rename_organization(current_work(), organization=here, name=text_of(form.name))
        except Invalid as error:
            accept(form, error=error, names={"organization_name": "name"})
        else:
            return hx.redirect_to(url_for("settings.organization"), message=f"The organization is {here.name} now.")
    return _page(name_form=form, status=WRONG)


@pages.get("/organization.json")
@access.requires(Permission.ADMIN)
def organization_export() -> Response:
    """Give the configuration as a file."""
    here = access.place().organization
    exported = exporting.export(current_work(), organization=here)
    text = json.dumps(exported, ensure_ascii=False, indent=2)
    return downloads.attachment(text.encode(), name=f"hookyard-{here.slug}.json")


@pages.post("/organization/close")
@access.requires(Permission.ADMIN)
def organization_close() -> Response:
    """End the organization."""
    form, here = CloseForm(), access.place().organization
    name = here.name
    if form.validate():
        try:
            closing.close(current_work(), organization=here, slug=text_of(form.slug))
        except Invalid as error:
            accept(form, error=error)
        else:
            return hx.redirect_to(url_for("home.index"), message=f"{name} is closed.", tone="info")
    return _page(close_form=form, status=WRONG)


def _page(*, name_form: NameForm | None = None, close_form: CloseForm | None = None, status: int = 200) -> Response:
    return hx.page(
        "settings/organization.html",
        status=status,
        tabs=tabs(),
        here=access.place().organization,
        name_form=name_form or NameForm(formdata=None, name=access.place().organization.name),
        close_form=close_form or CloseForm(formdata=None),
    )
