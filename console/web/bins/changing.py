"""What people do with a bin: choose its answer, pin it, clear it, delete it."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for
from wtforms import IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Optional

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Bin
from console.services.bins import bins
from console.services.bins.bins import BEFORE, LARGEST_ANSWER, LONGEST_DELAY_MS, WITHIN
from console.web import access, hx
from console.web.bins.shared import WRONG, bin_of, pages
from console.web.filters import plural
from console.web.forms import Form, accept, options
from console.web.lists import Preset

USUAL: dict[str, object] = {
    "answer_status": 200,
    "retry_after_s": None,
    "delay_ms": 0,
    "breaks_off": "",
    "fail_next": 0,
}
PRESETS: dict[str, tuple[str, dict[str, object]]] = {
    "ok": ("Takes everything (200)", USUAL),
    "broken": ("Broken (500)", USUAL | {"answer_status": 500}),
    "busy": ("Busy (429, wait 30 s)", USUAL | {"answer_status": 429, "retry_after_s": 30}),
    "gone": ("Gone (410)", USUAL | {"answer_status": 410}),
    "redirect": ("Redirects (308)", USUAL | {"answer_status": 308}),
    "slow": ("Slow (200 after 3 s)", USUAL | {"delay_ms": 3000}),
    "silent": ("Closes without an answer", USUAL | {"breaks_off": BEFORE}),
    "torn": ("Breaks off midway", USUAL | {"breaks_off": WITHIN}),
    "flaky": ("Fails twice, then 200", USUAL | {"fail_next": 2}),
}
BREAKS = {
    "": "Stays open: the answer is complete",
    BEFORE: "Is closed without an answer",
    WITHIN: "Is closed in the middle of the answer",
}


class AnswerForm(Form):
    """How a bin answers; the ranges are the service's."""

    name = StringField("Name", [DataRequired("Give the bin a name.")])
    answer_status = IntegerField("Status", [InputRequired("Give a status from 200 to 599.")])
    answer_body = TextAreaField("Body")
    retry_after_s = IntegerField("Retry-After in seconds", [Optional()])
    delay_ms = IntegerField("Wait before answering, in milliseconds", [InputRequired("Give 0 for no wait.")])
    breaks_off = SelectField("The connection", choices=options(BREAKS), default="")
    fail_next = IntegerField("Fail the next requests with 500", [InputRequired("Give 0 to fail none.")])


@pages.get("/<uuid:bin_id>/edit")
@access.requires(Permission.WEBHOOKS_EDIT)
def edit(bin_id: UUID) -> Response:
    """Show the form; ``like`` fills in one of the ready-made answers."""
    bin_ = bin_of(bin_id)
    form = AnswerForm(formdata=None, obj=bin_)
    _label, values = PRESETS.get(request.args.get("like", ""), ("", {}))
    for name, value in values.items():
        form[name].data = value
    return _form(form, bin_)


@pages.post("/<uuid:bin_id>/edit")
@access.requires(Permission.WEBHOOKS_EDIT)
def change(bin_id: UUID) -> Response:
    """Set the answer."""
    bin_, form = bin_of(bin_id), AnswerForm()
    if not form.validate():
        return _form(form, bin_, status=WRONG)
    values = {
        **form.data,
        "name": (form.name.data or "").strip(),
        "answer_body": _with_plain_lines(form.answer_body.data),
    }
    try:
        bins.change(current_work(), changed=bin_, **values)
    except Invalid as error:
        accept(form, error=error)
        return _form(form, bin_, status=WRONG)
    return _back_to(bin_, message="The bin answers like that from now on.")


@pages.post("/<uuid:bin_id>/pin")
@access.requires(Permission.WEBHOOKS_EDIT)
def pin(bin_id: UUID) -> Response:
    """Keep a bin until somebody deletes it, or let it expire again."""
    bin_, is_pinned = bin_of(bin_id), request.form.get("is_pinned") == "1"
    bins.change(current_work(), changed=bin_, is_pinned=is_pinned)
    return _back_to(
        bin_, message="The bin stays until you delete it." if is_pinned else "The bin is deleted in 7 days."
    )


@pages.post("/<uuid:bin_id>/clear")
@access.requires(Permission.WEBHOOKS_EDIT)
def clear(bin_id: UUID) -> Response:
    """Delete what a bin had caught when the person was asked; what came later stays."""
    bin_ = bin_of(bin_id)
    count = bins.clear(current_work(), cleared=bin_, up_to=request.form.get("up_to", type=int))
    return _back_to(bin_, message=f"{plural(count, 'request is', 'requests are')} cleared.")


@pages.post("/<uuid:bin_id>/delete")
@access.requires(Permission.WEBHOOKS_REMOVE)
def delete(bin_id: UUID) -> Response:
    """Delete a bin."""
    bin_ = bin_of(bin_id)
    bins.remove(current_work(), removed=bin_)
    return hx.redirect_to(url_for("bins.index"), message=f"{bin_.name} is deleted. Its address answers 404 now.")


def _with_plain_lines(text: str | None) -> str:
    """Undo what browsers make of line ends in a text area."""
    return (text or "").replace("\r\n", "\n")


def _form(form: AnswerForm, bin_: Bin, *, status: int = 200) -> Response:
    like = request.args.get("like", "")
    presets = [
        Preset(label, url_for("bins.edit", bin_id=bin_.id, like=name), like == name)
        for name, (label, _values) in PRESETS.items()
    ]
    return hx.page(
        "bins/edit.html",
        block="form",
        status=status,
        form=form,
        bin=bin_,
        presets=presets,
        largest_body=LARGEST_ANSWER,
        longest_delay_ms=LONGEST_DELAY_MS,
    )


def _back_to(bin_: Bin, *, message: str) -> Response:
    return hx.redirect_to(url_for("bins.show", bin_id=bin_.id), message=message)
