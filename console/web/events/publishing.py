"""Publishing an event by hand: the payload is stored as the bytes that were typed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from flask import Response, request, url_for
from wtforms import SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired

from console.core import strict_json
from console.core.errors import Conflict, FieldError, Invalid, Refused
from console.core.patterns import check_event_type
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.event_types import catalogue
from console.services.events import explaining, publishing
from console.services.events.event_drafts import LONGEST_PAYLOAD, EventDraft
from console.services.events.event_drafts import check as check_drafts
from console.services.events.explaining import Draft
from console.services.events.judging import PAGE_S, Budget, faults_of
from console.services.figures import stats
from console.services.organizations import sources
from console.web import access, creating, hx
from console.web.delivery_rows import name_of
from console.web.events.shared import WRONG, number, pages, pretty
from console.web.forms import Form, accept, add_error, also_wrong, options
from console.web.hx import Later

FIELDS = {"id": "key", "object": "object_pk"}


class PublishForm(Form):
    """An event; lengths and names are the service's to check."""

    type = StringField("Event type", [DataRequired("Give the event's type.")])
    payload = TextAreaField("Payload", [DataRequired("Give a payload; {} is the smallest.")])
    source = SelectField("Source", validate_choice=False)  # the service knows which there are
    object_model = StringField("Kind of object")
    object_pk = StringField("Object id")
    key = StringField("Idempotency key")


@pages.get("/publish")
@access.requires(Permission.EVENTS_PUBLISH)
def publish() -> Response:
    """Show the form; ``type`` fills in a type and its sample."""
    form = _form(is_posted=False)
    form.type.data = request.args.get("type", "")
    form.payload.data = _sample(form.type.data) if form.type.data else ""
    return _page(form)


@pages.post("/publish")
@access.requires(Permission.EVENTS_PUBLISH)
@creating.one_result
def store() -> Response:
    """Publish the event and lead to it; or fill in the sample of its type, when that was asked for."""
    form = _form(is_posted=True)
    if "sample" in request.form:
        form.payload.data = _sample((form.type.data or "").strip())
        return _page(form)
    draft = _wanted(form)
    if draft is None:
        return _page(form, status=WRONG)
    try:
        published = publishing.publish(current_work(), organization_number=number(), draft=draft)
    except Invalid as error:
        within = [fault for fault in error.fields if fault.code.startswith("schema")]
        for fault in within:
            add_error(form, "payload", message=_fault_words(fault))
        accept(form, error=Invalid(*(fault for fault in error.fields if fault not in within)), names=FIELDS)
    except Conflict as error:
        add_error(form, "key", message=error.message)
    else:
        return hx.redirect_to(url_for("events.show", event_id=published.id), message=_said(published.deliveries))
    return _page(form, status=WRONG)


@pages.post("/publish/check")
@access.requires(Permission.EVENTS_PUBLISH)
def check() -> Response:
    """Say what would become of what is typed; nothing is published."""
    return _page(_form(is_posted=True), block="check")


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of an event: *problem* is why it would be refused; else who would get it, of how many hooks."""

    problem: str = ""
    faults: tuple[str, ...] = ()
    size: int = 0
    names: tuple[str, ...] = ()
    total: int = 0
    left_out: int = 0
    """Hooks that were not asked: there are very many, or their filters are slow."""


def _other_sample(form: PublishForm) -> str:
    """Name the type whose sample could be filled in; nothing when it has none, or stands there already."""
    name = (form.type.data or "").strip()
    known = catalogue.sample_of(current_work(), organization_number=number(), name=name) if name else None
    return name if known is not None and pretty(known) != _typed(form.payload.data).strip() else ""


def _outlook(form: PublishForm) -> Outlook | None:
    payload, name = _typed(form.payload.data).encode(), (form.type.data or "").strip()
    if not payload.strip() or not name:
        return None
    try:
        strict_json.load(payload)
        check_event_type(name)
    except Refused as error:
        return Outlook(problem=error.message)
    work = current_work()
    schema = catalogue.schemas_to_check(work, organization_number=number(), names=[name]).get(name)
    faults = faults_of(payload, schema, Budget(PAGE_S)) if schema is not None else []
    draft = Draft(name, payload, form.source.data or None)
    hooks = explaining.of_draft_for_all(work, organization_number=number(), draft=draft)
    wanting = [one.hook for one in hooks if one.explanation.refused_by is None]
    return Outlook(
        faults=tuple(_fault_words(fault) for fault in faults),
        size=len(payload),
        names=tuple(name_of(hook) for hook in wanting),
        total=len(hooks),
        left_out=max(stats.hook_count(work, organization_number=number()) - len(hooks), 0),
    )


def _fault_words(fault: FieldError) -> str:
    place = fault.pointer.removeprefix("/payload")
    return f"{place}: {fault.message}" if place else fault.message


def _said(deliveries: int) -> str:
    if not deliveries:
        return "Published. No hook wants this event; the list below says why."
    return f"Published to {deliveries} hook{'' if deliveries == 1 else 's'}."


def _wanted(form: PublishForm) -> EventDraft | None:
    """Return what is to be published; None when anything is wrong, all of which then stands at its field."""
    form.validate()
    payload = _typed(form.payload.data).encode()
    draft = _draft(form, payload)
    try:
        check_drafts(current_work(), number(), [draft])
    except Invalid as error:
        also_wrong(form, faults=error.fields, names=FIELDS)
    if not form.payload.errors:
        try:
            strict_json.load(payload)
        except Refused as error:
            add_error(form, "payload", message=error.message)
    return None if form.errors else draft


def _draft(form: PublishForm, payload: bytes) -> EventDraft:
    return EventDraft(
        type=(form.type.data or "").strip(),
        payload=payload,
        source=form.source.data or None,
        key=_filled(form.key.data),
        object_model=_filled(form.object_model.data),
        object_pk=_filled(form.object_pk.data),
    )


def _filled(text: str | None) -> str | None:
    return (text or "").strip() or None


def _typed(text: str | None) -> str:
    """Undo what browsers make of line ends in a text area."""
    return (text or "").replace("\r\n", "\n")


def _form(*, is_posted: bool) -> PublishForm:
    form = PublishForm() if is_posted else PublishForm(formdata=None)
    known = sources.all_of(current_work(), organization_number=number())
    form.source.choices = options({"": "None", **{one.slug: f"{one.name} ({one.slug})" for one in known}})
    return form


def _sample(name: str) -> str:
    sample = catalogue.sample_of(current_work(), organization_number=number(), name=name)
    return pretty(sample) if sample is not None else "{}"


def _page(form: PublishForm, *, status: int = 200, block: str = "form") -> Response:
    return hx.page(
        "events/publish.html",
        block=block,
        status=status,
        form=form,
        types=Later(_types),
        largest=access.place().organization.largest_payload or LONGEST_PAYLOAD,
        outlook=Later(partial(_outlook, form)),
        other_sample=Later(partial(_other_sample, form)),
    )


def _types() -> list[str]:
    names = catalogue.names(current_work(), organization_number=number())
    return [name for name in names if not name.endswith(".*")]
