"""Making and changing hooks: the form with its previews."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from flask import Response, request, url_for

from console.core.catalogue import OMS
from console.core.errors import Conflict, Invalid, NotFound, Refused
from console.core.patterns import is_pattern
from console.core.permissions import Permission
from console.core.targets import check_url, display_host, is_loopback
from console.extensions import current_work
from console.models import Hook
from console.services import bins, catalogue, defaults, deliveries, hooks, sources, trials, type_entries, type_hours
from console.services.hook_tests import TEST_TYPE
from console.services.type_entries import TypeEntry
from console.web import access, hx, once
from console.web.hooks import picker
from console.web.hooks.filtering import filter_words
from console.web.hooks.form import LIMITS, HookForm, form_for, header_rows
from console.web.hooks.oms import has_password
from console.web.hooks.previews import Preview, preview_of
from console.web.hooks.resolving import is_unknown
from console.web.hooks.retries import fields_of, times_of
from console.web.hooks.shared import WRONG, bin_url, hook_of, name_of, pages
from console.web.hooks.testing import TestResult, result_of

OK, CONFLICT = 200, 409
SEEN_LATELY = timedelta(days=30)
UNCOMPARED = frozenset({"version", "headers", "oms_shown", "oms_password"})
"""Fields of which no words can be said when two people changed a hook."""
VIEWS = ("url_words", "matching", "filter_words", "dialect", "retry", "times", "preview")
"""The parts of the form that htmx asks for while somebody types."""


@dataclass(frozen=True, slots=True)
class UrlWords:
    """What is said under the URL: whether it is good, in words."""

    tone: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two people changed at the same time."""

    label: str
    theirs: str
    yours: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form page shows beside the form itself; *trial* is a test of it that was just sent."""

    form: HookForm
    hook: Hook | None = None
    note: str = ""
    differences: Sequence[Difference] = field(default_factory=tuple)
    is_open: bool = False
    trial: TestResult | None = None


@pages.get("/new")
@access.requires(Permission.WEBHOOKS_ADD)
def new() -> Response:
    """Show an empty form; ``bin`` fills in the address of a bin, ``event_type`` ticks one."""
    form = HookForm(formdata=None)
    bin_id, event_type = request.args.get("bin", type=UUID), request.args.get("event_type", "")
    if bin_id is not None:
        found = bins.get(current_work(), organization_number=access.place().organization.number, bin_id=bin_id)
        form.url.data, form.name.data = bin_url(found), found.name
    if event_type:
        form.event_types.data = [event_type] if event_type in _names() else []
        form.patterns.data = "" if form.event_types.data else event_type
    return _page(Draft(form))


@pages.post("/new")
@access.requires(Permission.WEBHOOKS_ADD)
def create() -> Response:
    """Make a hook; or, when that was asked for, a bin for it first."""
    form = HookForm()
    if asked := _asked_in_passing(form, hook=None):
        return asked
    if not form.validate():
        return _page(Draft(form), status=WRONG)
    someone = access.person()
    try:
        made = hooks.create(
            current_work(),
            organization_number=access.place().organization.number,
            author_number=someone.user.number if someone else None,
            draft=form.draft(None),
        )
    except Invalid as error:
        form.complain(error)
        return _page(Draft(form), status=WRONG)
    once.keep(made.secret, about=made.hook.id)
    hook = made.hook
    return _saved(hook, f"{name_of(hook)} is ready. Send a test to see it work.")


@pages.get("/<uuid:hook_id>/edit")
@access.requires(Permission.WEBHOOKS_EDIT)
def edit(hook_id: UUID) -> Response:
    """Show the form with what the hook is."""
    hook = hook_of(hook_id)
    return _page(Draft(form_for(hook, known=_names()), hook))


@pages.post("/<uuid:hook_id>/edit")
@access.requires(Permission.WEBHOOKS_EDIT)
def update(hook_id: UUID) -> Response:
    """Change the hook, unless somebody else did meanwhile: then both versions are shown."""
    hook, form = hook_of(hook_id), HookForm()
    if asked := _asked_in_passing(form, hook=hook):
        return asked
    if not form.validate():
        return _page(Draft(form, hook), status=WRONG)
    version, url = form.version.data or "", hook.url
    try:
        draft = form.draft(hook)
        hooks.change(current_work(), hook=hook, draft=draft, version=int(version) if version.isdecimal() else 0)
    except Invalid as error:
        form.complain(error)
        return _page(Draft(form, hook), status=WRONG)
    except Conflict:
        form.version.data = str(hook.version)
        return _page(Draft(form, hook, differences=_differences(form, hook)), status=CONFLICT)
    message = f"{name_of(hook)} is saved."
    if hook.url != url:
        return _saved(hook, message)
    return hx.redirect_to(url_for("hooks.show", hook_id=hook.id), message=message)


@pages.post("/parts/<any(url_words, matching, filter_words, dialect, retry, times, preview):part>")
@access.requires(Permission.WEBHOOKS_VIEW)
def part(part: str) -> Response:
    """Give one part of the form again, for what stands in the form now; nothing is stored."""
    hook_id = request.args.get("hook", type=UUID)
    return _page(Draft(HookForm(), hook_of(hook_id) if hook_id else None), block=part)


def _asked_in_passing(form: HookForm, *, hook: Hook | None) -> Response | None:
    """Answer the form's other buttons, which do not save: make a bin, show what follows from what stands there."""
    if "use_bin" in request.form:
        name = (form.name.data or "").strip()[:150] or "Bin of a new hook"
        made = bins.create(current_work(), organization=access.place().organization, name=name)
        form.url.data = bin_url(made)
        note = f"A bin named {made.name} was made, and its address filled in. It shows every request that it gets."
        return _page(Draft(form, hook, note), block="url")
    if pattern := request.form.get("add_pattern"):
        form.add_pattern(pattern)
        return _page(Draft(form, hook), block="patterns")
    if "try" in request.form:
        return _try(form, hook)
    if "look" in request.form:
        return _page(Draft(form, hook, is_open=True))
    return None


def _try(form: HookForm, hook: Hook | None) -> Response:
    """Send a test of what stands in the form, which is not saved; its result appears over the buttons."""
    if not form.validate():
        return _page(Draft(form, hook), status=WRONG, block="trial")
    someone, number = access.person(), access.place().organization.number
    try:
        delivery = trials.send(
            current_work(),
            organization_number=number,
            author_number=someone.user.number if someone else None,
            draft=form.draft(hook),
            like=hook,
            event_type=_sample_type(form),
        )
    except Invalid as error:
        form.complain(error)
        return _page(Draft(form, hook), status=WRONG, block="trial")
    return _page(Draft(form, hook, trial=result_of(delivery)), block="trial")


@pages.get("/trials/<uuid:delivery_id>")
@access.requires(Permission.DELIVERIES_VIEW)
def trial_result(delivery_id: UUID) -> Response:
    """Give the result of the test of an unsaved hook as far as it is; 204 while nothing changed."""
    found = deliveries.get(
        current_work(), organization_number=access.place().organization.number, delivery_id=delivery_id
    )
    if not found.hook.is_trial:
        raise NotFound("test")
    if not hx.wants_fragment():
        return hx.redirect_to(url_for("deliveries.show", delivery_id=found.id))
    result = result_of(found)
    if request.args.get("after") == result.mark:
        return hx.nothing_new()
    return hx.page("hooks/form.html", block="trial_result", trial=result)


def _sample_type(form: HookForm) -> str | None:
    """Choose the type that a test of the form sends: the first that it hears and that has a sample."""
    wanted = form.subscription
    types = type_entries.entries(current_work(), organization_number=access.place().organization.number)
    return next(
        (
            one.name
            for one in types
            if one.has_sample
            and not is_pattern(one.name)
            and not form.all_events.data
            and wanted.way_to(one.name, groups=one.groups) is not None
        ),
        None,
    )


def _page(draft: Draft, *, status: int = OK, block: str | None = None) -> Response:
    """Render the form, or only one block of it for htmx."""
    form, hook, work, here = draft.form, draft.hook, current_work(), access.place().organization
    types = type_entries.entries(work, organization_number=here.number)
    usual_retry = defaults.retry_of(work.settings, here.retry_schedule)
    form.name_default(times_of(None, default=usual_retry))
    form.prepare_oms(hook)
    seen = type_hours.last_seen(work, organization_number=here.number)
    known = picker.known_types(types, seen=seen, since=work.now() - SEEN_LATELY)
    matched = _matching(form, known)
    try:
        retry, retry_problem = form.retry(hook), ""
    except Invalid as error:
        retry, retry_problem = None, error.fields[0].message
    return hx.page(
        "hooks/form.html",
        block=block,
        status=status,
        form=form,
        hook=hook,
        name=name_of(hook) if hook else "",
        note=draft.note,
        differences=draft.differences,
        is_open=draft.is_open or status == WRONG,
        trial=draft.trial,
        is_refused=status == WRONG and block == "trial" and hx.wants_fragment(),
        action=url_for("hooks.update", hook_id=hook.id) if hook else url_for("hooks.create"),
        parts={name: url_for("hooks.part", part=name, hook=hook.id if hook else None) for name in VIEWS},
        url_words=_url_words(form, is_being_typed=block == "url_words"),
        picker=picker.arranged(known, names=form.event_types.data, groups=form.event_groups.data),
        matching=matched,
        filter_words=filter_words((form.filter.data or "").strip(), wanted=form.subscription, types=types),
        sources=sources.all_of(work, organization_number=here.number),
        headers=header_rows(hook),
        retry_fields=fields_of(form.retry_kind.data or ""),
        times=times_of(retry, default=usual_retry),
        retry_problem=retry_problem,
        limits=LIMITS,
        default_timeout=defaults.timeout_of(work.settings, here.timeout_s),
        has_password=has_password(hook),
        preview=_preview(form, hook, types, matched),
    )


def _names() -> list[str]:
    """Give the types that can be ticked: those of the catalogue, and those seen lately."""
    work, number = current_work(), access.place().organization.number
    seen = type_hours.last_seen(work, organization_number=number)
    lately = [name for name, at in seen.items() if at >= work.now() - SEEN_LATELY]
    return [*catalogue.names(work, organization_number=number), *lately]


def _saved(hook: Hook, message: str) -> Response:
    """Lead to the hook; say so when nobody knows its host, since deliveries will fail."""
    target = check_url(hook.url, policy=current_work().settings.target_policy)
    tone: hx.Tone = "good"
    if is_unknown(target):
        message = f"{name_of(hook)} is saved, but {display_host(target.host)} could not be found just now."
        tone = "warn"
    return hx.redirect_to(url_for("hooks.show", hook_id=hook.id), message=message, tone=tone)


def _url_words(form: HookForm, *, is_being_typed: bool) -> UrlWords:
    """Check the URL as saving would, and say where requests go."""
    url = (form.url.data or "").strip()
    if not url or form.url.errors:
        return UrlWords()
    try:
        target = check_url(url, policy=current_work().settings.target_policy)
    except Refused as error:
        return UrlWords("bad", error.message)
    if is_being_typed and is_unknown(target):
        return UrlWords("wait", f"{display_host(target.host)} cannot be found just now. It can be saved all the same.")
    if target.is_bin:
        return UrlWords("good", "This is a bin of Hookyard's own receiver.")
    if target.scheme == "http" and not is_loopback(target.host):
        return UrlWords(
            "wait", f"Requests go to {display_host(target.host)} over plain http: anybody on the way can read them."
        )
    return UrlWords("good", f"Requests go to {display_host(target.host)}.")


def _matching(form: HookForm, types: Sequence[picker.Known]) -> picker.Matching:
    return picker.matching(
        types,
        all_events=bool(form.all_events.data),
        event_types=form.wanted_types,
        groups=form.event_groups.data,
        volumes=type_hours.volumes(current_work(), organization_number=access.place().organization.number),
    )


def _preview(form: HookForm, hook: Hook | None, types: Sequence[TypeEntry], matched: picker.Matching) -> Preview | None:
    known = {one.name for one in types if not is_pattern(one.name)}
    name = next((name for name in (*matched.names, TEST_TYPE) if name in known), "order.paid")
    here = access.place().organization
    sample = catalogue.sample_of(current_work(), organization_number=here.number, name=name)
    return preview_of(
        name,
        sample={"order": 17} if sample is None else sample,
        payload_format=form.payload_format.data or "standard",
        content_type=form.content_type.data or "json",
        organization_slug=here.slug,
        headers=[
            *(form.oms_headers if form.payload_format.data == OMS else ()),
            *((row.name, row.value or ("kept" if row.is_kept else "")) for row in header_rows(hook) if row.name),
        ],
    )


def _differences(form: HookForm, hook: Hook) -> list[Difference]:
    """List the fields in which the form and the hook, as somebody else just left it, differ."""
    theirs = form_for(hook, known=_names())
    form.prepare_oms(hook)
    return [
        Difference(field.label.text, _words(theirs[field.name].data), _words(field.data))
        for field in form
        if field.name not in UNCOMPARED and _words(theirs[field.name].data) != _words(field.data)
    ]


def _words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, sorted(value))) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else "empty"
