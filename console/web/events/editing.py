"""Event types of the organization's own: create, edit, delete."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import DataRequired

from console.core import strict_json
from console.core.errors import Conflict, Invalid, Refused
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import EventType
from console.services.event_types import catalogue, catalogue_imports, event_type_fields
from console.web import access, creating, hx
from console.web.downloads import attachment
from console.web.events.shared import WRONG, number, pages, pretty, type_url
from console.web.filters import plural
from console.web.forms import Form, add_error, also_wrong


class TypeForm(Form):
    """An event type; groups are separated by commas."""

    name = StringField("Name", [DataRequired("Give the type a name.")])
    groups = StringField("Groups")
    description = TextAreaField("Description")
    sample = TextAreaField("Sample payload")
    schema = TextAreaField("JSON Schema")
    checks = BooleanField("Check payloads against it when they are published")


class ImportForm(Form):
    """Types as JSON."""

    types = TextAreaField("Types", [DataRequired("Paste the types.")])


@pages.get("/new-type")
@access.requires(Permission.ADMIN)
def type_new() -> Response:
    """Show an empty form; ``name`` fills in a name that was seen."""
    form = TypeForm(formdata=None)
    form.name.data = request.args.get("name", "")
    return _page(form)


@pages.post("/new-type")
@access.requires(Permission.ADMIN)
@creating.one_result
def type_create() -> Response:
    """Add a type."""
    form = TypeForm()
    fields = _wanted(form, changed=None)
    if fields is None:
        return _page(form, status=WRONG)
    name = (form.name.data or "").strip()
    try:
        made = catalogue.create(current_work(), organization_number=number(), name=name, **fields)
    except Conflict as error:
        add_error(form, "name", message=error.message)
        return _page(form, status=WRONG)
    return hx.redirect_to(type_url(made.name), message=f"{made.name} is in the catalogue.")


@pages.get("/edit-type/<path:name>")
@access.requires(Permission.ADMIN)
def type_edit(name: str) -> Response:
    """Show the form of a type."""
    found = _type(name)
    form = TypeForm(formdata=None)
    form.name.data, form.groups.data, form.description.data = found.name, ", ".join(found.groups), found.description
    form.sample.data, form.schema.data = pretty(found.sample), pretty(found.schema)
    form.checks.data = found.validate
    return _page(form, changed=found)


@pages.post("/edit-type/<path:name>")
@access.requires(Permission.ADMIN)
def type_change(name: str) -> Response:
    """Change a type; its name stays."""
    found, form = _type(name), TypeForm()
    form.name.data = found.name
    fields = _wanted(form, changed=found)
    if fields is None:
        return _page(form, changed=found, status=WRONG)
    catalogue.change(current_work(), event_type=found, fields=fields)
    return hx.redirect_to(type_url(found.name), message=f"{found.name} is saved.")


@pages.post("/delete-type")
@access.requires(Permission.ADMIN)
def type_delete() -> Response:
    """Delete the type of the form's ``name``: a path would not lead to every name that an earlier version took."""
    found = _type(request.form.get("name", ""))
    catalogue.delete(current_work(), event_type=found)
    return hx.redirect_to(url_for("events.types"), message=f"{found.name} is no longer in the catalogue.")


@pages.post("/deprecate-type/<path:name>")
@access.requires(Permission.ADMIN)
def type_deprecate(name: str) -> Response:
    """Take a type out of the choices, or offer it again (``deprecated=0``); it is delivered all the same."""
    found, deprecated = _type(name), request.form.get("deprecated") != "0"
    catalogue.change(current_work(), event_type=found, fields={"deprecated": deprecated})
    words = "is deprecated: it is not offered any more, and delivered as before" if deprecated else "is offered again"
    return hx.redirect_to(type_url(found.name), message=f"{found.name} {words}.")


@pages.get("/import-types")
@access.requires(Permission.ADMIN)
def types_import() -> Response:
    """Show where a list of types is pasted."""
    return _import_page(ImportForm(formdata=None))


@pages.post("/import-types")
@access.requires(Permission.ADMIN)
@creating.one_result
def types_import_store() -> Response:
    """Add and change the types of a list, or say what is wrong with it."""
    form = ImportForm()
    if not form.validate():
        return _import_page(form, status=WRONG)
    try:
        items = _items(strict_json.load((form.types.data or "").strip().encode()))
        done = catalogue_imports.import_many(current_work(), organization_number=number(), items=items)
    except Refused as error:
        add_error(form, "types", message=error.message)
    except Invalid as error:
        for fault in error.fields:
            add_error(form, "types", message=f"{fault.pointer}: {fault.message}" if fault.pointer else fault.message)
    except Conflict as error:
        add_error(form, "types", message=error.message)
    else:
        added = plural(done.added, "type was", "types were")
        return hx.redirect_to(
            url_for("events.types"), message=f"{added} added, {done.known} were there and are as the list says."
        )
    return _import_page(form, status=WRONG)


@pages.get("/export-types")
@access.requires(Permission.WEBHOOKS_VIEW)
def types_export() -> Response:
    """Give the organization's own types as a list that can be imported."""
    rows = catalogue.all_of(current_work(), organization_number=number())
    items = [
        {"name": one.name, **{field: getattr(one, field) for field in event_type_fields.FIELDS}}
        for one in rows
        if not one.is_builtin
    ]
    return attachment(pretty({"types": items}).encode(), name="event-types.json")


def _items(given: object) -> list[dict[str, Any]]:
    """Read a list of types, or an object whose ``types`` is one; ``group`` may stand for ``groups``."""
    found = given.get("types") if isinstance(given, dict) else given
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Refused('Give a list of types, each an object: [{"name": "order.paid"}].', code="type")
    items = [dict(item) for item in found]
    for item in items:
        group = item.pop("group", None)
        if group is not None:
            item.setdefault("groups", [group])
    return items


def _import_page(form: ImportForm, *, status: int = 200) -> Response:
    return hx.page("events/import.html", block="form", status=status, form=form)


def _type(name: str) -> EventType:
    return catalogue.get(current_work(), organization_number=number(), name=name)


def _wanted(form: TypeForm, *, changed: EventType | None) -> dict[str, Any] | None:
    """Return the fields of a type; None when anything is wrong, all of which then stands at its field."""
    form.validate()
    fields = _read(form)
    before = {name: getattr(changed, name) for name in event_type_fields.FIELDS} if changed else {}
    wrong = [] if changed else event_type_fields.wrong_name((form.name.data or "").strip())
    wrong += event_type_fields.wrong_fields(fields, before=before)
    also_wrong(form, faults=wrong, names={"validate": "checks"})
    return None if form.errors else fields


def _read(form: TypeForm) -> dict[str, Any]:
    """Read the fields but those whose JSON text is none, which is then said there."""
    fields: dict[str, Any] = {
        "groups": [name.strip() for name in (form.groups.data or "").split(",") if name.strip()],
        "description": (form.description.data or "").strip().replace("\r\n", "\n"),
        "validate": bool(form.checks.data),
    }
    for field in (form.sample, form.schema):
        text = (field.data or "").strip()
        try:
            fields[field.name] = strict_json.load(text.encode()) if text else None
        except Refused as error:
            add_error(form, field.name, message=error.message)
    if form.schema.errors:
        del fields["validate"]  # nothing is known of what would be checked
    return fields


def _page(form: TypeForm, *, changed: EventType | None = None, status: int = 200) -> Response:
    names = [group.name for group in catalogue.groups(current_work(), organization_number=number())]
    return hx.page("events/type_form.html", block="form", status=status, form=form, changed=changed, groups=names)
