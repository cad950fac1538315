"""The list of bins, and a new one."""

from __future__ import annotations

from flask import Response, url_for
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.bins import bins
from console.web import access, creating, hx, lists
from console.web.bins.shared import WRONG, answer_words, pages, url_of
from console.web.forms import Form, accept


class BinForm(Form):
    """A new bin."""

    name = StringField("Name", [DataRequired("Give the bin a name.")])
    is_pinned = BooleanField("Keep it until I delete it")


@pages.get("")
@access.requires(Permission.WEBHOOKS_VIEW)
def index() -> Response:
    """List the bins."""
    return _page(BinForm(formdata=None))


@pages.post("")
@access.requires(Permission.WEBHOOKS_ADD)
@creating.one_result
def create() -> Response:
    """Make a bin and lead to it."""
    form = BinForm()
    if not form.validate():
        return _page(form, status=WRONG)
    organization = access.place().organization
    try:
        made = bins.create(
            current_work(),
            organization=organization,
            name=(form.name.data or "").strip(),
            is_pinned=bool(form.is_pinned.data),
        )
    except Invalid as error:
        accept(form, error=error)
        return _page(form, status=WRONG)
    return hx.redirect_to(
        url_for("bins.show", bin_id=made.id), message="The bin is ready. Send something to its address."
    )


def _page(form: BinForm, *, status: int = 200) -> Response:
    work, number = current_work(), access.place().organization.number
    page = lists.turn(
        lambda before, _after, limit: bins.find(work, organization_number=number, before=before, limit=limit),
        is_one_way=True,
    )
    return hx.page(
        "bins/index.html",
        block="list" if status == 200 else "create",  # noqa: PLR2004 the page, or the form again
        status=status,
        form=form,
        page=page,
        counts=bins.counts_of(work, bins=page.rows),
        url_of=url_of,
        answer_words=answer_words,
    )
