"""Event types of the organization's own: create, edit, delete."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired

from console.core import strict_json
from console.core.errors import Conflict, Invalid, Refused
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import EventType
from console.services import catalogue
from console.web import access, hx
from console.web.events.shared import WRONG, number, pages, pretty
from console.web.forms import Form, accept, add_error


class TypeForm(Form):
    """An event type; groups are separated by commas."""

    name = StringField("Name", [DataRequired("Give the type a name.")])
    groups = StringField("Groups")
    description = TextAreaField("Description")
    sample = TextAreaField("Sample payload")
    schema = TextAreaField("JSON Schema")


@pages.get("/new-type")
@access.requires(Permission.ADMIN)
def type_new() -> Response:
    """Show an empty form; ``name`` fills in a name that was seen."""
    form = TypeForm(formdata=None)
    form.name.data = request.args.get("name", "")
    return _page(form)


@pages.post("/new-type")
@access.requires(Permission.ADMIN)
def type_create() -> Response:
    """Add a type."""
    form = TypeForm()
    fields = _fields(form) if form.validate() else None
    if fields is None:
        return _page(form, status=WRONG)
    name = (form.name.data or "").strip()
    try:
        made = catalogue.create(current_work(), organization_number=number(), name=name, **fields)
    except Invalid as error:
        accept(form, error=error)
    except Conflict as error:
        add_error(form, "name", message=error.message)
    else:
        return hx.redirect_to(url_for("events.type_show", name=made.name), message=f"{made.name} is in the catalogue.")
    return _page(form, status=WRONG)


@pages.get("/edit-type/<path:name>")
@access.requires(Permission.ADMIN)
def type_edit(name: str) -> Response:
    """Show the form of a type."""
    found = _type(name)
    form = TypeForm(formdata=None)
    form.name.data, form.groups.data, form.description.data = found.name, ", ".join(found.groups), found.description
    form.sample.data, form.schema.data = pretty(found.sample), pretty(found.schema)
    return _page(form, changed=found)


@pages.post("/edit-type/<path:name>")
@access.requires(Permission.ADMIN)
def type_change(name: str) -> Response:
    """Change a type; its name stays."""
    found, form = _type(name), TypeForm()
    form.name.data = found.name
    fields = _fields(form) if form.validate() else None
    if fields is None:
        return _page(form, changed=found, status=WRONG)
    try:
        catalogue.change(current_work(), event_type=found, fields=fields)
    except Invalid as error:
        accept(form, error=error)
        return _page(form, changed=found, status=WRONG)
    return hx.redirect_to(url_for("events.type_show", name=found.name), message=f"{found.name} is saved.")


@pages.post("/delete-type/<path:name>")
@access.requires(Permission.ADMIN)
def type_delete(name: str) -> Response:
    """Take a type out of the catalogue."""
    found = _type(name)
    catalogue.delete(current_work(), event_type=found)
    return hx.redirect_to(url_for("events.types"), message=f"{found.name} is no longer in the catalogue.")


def _type(name: str) -> EventType:
    return catalogue.get(current_work(), organization_number=number(), name=name)


def _fields(form: TypeForm) -> dict[str, Any] | None:
    """Read the fields; None when a JSON text is none, which then stands under its field."""
    fields: dict[str, Any] = {
        "groups": [name.strip() for name in (form.groups.data or "").split(",") if name.strip()],
        "description": (form.description.data or "").strip().replace("\r\n", "\n"),
    }
    is_good = True
    for field in (form.sample, form.schema):
        text = (field.data or "").strip()
        try:
            fields[field.name] = strict_json.load(text.encode()) if text else None
        except Refused as error:
            add_error(form, field.name, message=error.message)
            is_good = False
    return fields if is_good else None


def _page(form: TypeForm, *, changed: EventType | None = None, status: int = 200) -> Response:
    names = sorted(catalogue.group_names(current_work(), organization_number=number()))
    return hx.page("events/type_form.html", block="form", status=status, form=form, changed=changed, groups=names)
