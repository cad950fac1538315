"""Sources: the named origins of events."""

from __future__ import annotations

from flask import Response, url_for
from wtforms import StringField
from wtforms.validators import DataRequired

from console.core.errors import Conflict, Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.organizations import sources as cases
from console.web import access, creating, hx, lists
from console.web.forms import Form, accept, add_error
from console.web.settings.shared import WRONG, number, pages, tabs


class SourceForm(Form):
    """A new source."""

    slug = StringField("Slug", [DataRequired("Give the slug that publishers send.")])
    name = StringField("Name")


@pages.get("/sources")
@access.requires(Permission.WEBHOOKS_VIEW)
def sources() -> Response:
    """List the sources."""
    return _page(SourceForm(formdata=None))


@pages.post("/sources")
@access.requires(Permission.ADMIN)
@creating.one_result
def source_create() -> Response:
    """Make a source."""
    form = SourceForm()
    if not form.validate():
        return _page(form, status=WRONG)
    slug, name = (form.slug.data or "").strip(), (form.name.data or "").strip()
    try:
        made = cases.create(current_work(), organization_number=number(), slug=slug, name=name)
    except Invalid as error:
        accept(form, error=error)
    except Conflict as error:
        add_error(form, "slug", message=error.message)
    else:
        return hx.redirect_to(url_for("settings.sources"), message=f"Events may now name the source {made.slug}.")
    return _page(form, status=WRONG)


def _page(form: SourceForm, *, status: int = 200) -> Response:
    work = current_work()
    page = lists.turn(
        lambda before, _after, limit: cases.find(work, organization_number=number(), before=before, limit=limit),
        is_one_way=True,
    )
    block = "create" if status == WRONG else "list"
    return hx.page("settings/sources.html", block=block, status=status, tabs=tabs(), form=form, page=page)
