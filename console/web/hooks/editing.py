"""Making and changing hooks: the form with its previews."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Conflict, Invalid
from console.core.permissions import Permission
from console.core.targets import check_url, display_host
from console.extensions import current_work
from console.models import Hook
from console.services.bins import bins
from console.services.event_types import catalogue
from console.services.figures import type_hours
from console.services.hooks import hooks
from console.web import access, creating, hx, once
from console.web.hooks.form import HookForm, form_for
from console.web.hooks.form_page import SEEN_LATELY, Difference, Draft, form_page
from console.web.hooks.resolving import is_unknown
from console.web.hooks.shared import WRONG, bin_url, hook_of, name_of, pages
from console.web.hooks.trying import try_out

CONFLICT = 409
UNCOMPARED = frozenset({"version", "headers", "oms_shown", "oms_password", "sealed_secret"})
"""Fields of which no words can be said when two people changed a hook."""


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
    return form_page(Draft(form))


@pages.post("/new")
@access.requires(Permission.WEBHOOKS_ADD)
@creating.one_result
def create() -> Response:
    """Make a hook; or, when that was asked for, a bin for it first."""
    form = HookForm()
    if asked := _asked_in_passing(form, hook=None):
        return asked
    draft = form.wanted(None)
    if draft is None:
        return form_page(Draft(form), status=WRONG)
    someone = access.person()
    try:
        made = hooks.create(
            current_work(),
            organization_number=access.place().organization.number,
            author_number=someone.user.number if someone else None,
            draft=draft,
        )
    except Invalid as error:
        form.complain(error)
        return form_page(Draft(form), status=WRONG)
    once.keep(made.secret, about=made.hook.id)
    hook = made.hook
    return _saved(hook, f"{name_of(hook)} is ready. Send a test to see it work.")


@pages.get("/<uuid:hook_id>/edit")
@access.requires(Permission.WEBHOOKS_EDIT)
def edit(hook_id: UUID) -> Response:
    """Show the form with what the hook is."""
    hook = hook_of(hook_id)
    return form_page(Draft(form_for(hook, known=_names()), hook))


@pages.post("/<uuid:hook_id>/edit")
@access.requires(Permission.WEBHOOKS_EDIT)
def update(hook_id: UUID) -> Response:
    """Change the hook, unless somebody else did meanwhile: then both versions are shown."""
    hook, form = hook_of(hook_id), HookForm()
    if asked := _asked_in_passing(form, hook=hook):
        return asked
    draft = form.wanted(hook)
    if draft is None:
        return form_page(Draft(form, hook), status=WRONG)
    version, url = form.version.data or "", hook.url
    try:
        hooks.change(current_work(), hook=hook, draft=draft, version=int(version) if version.isdecimal() else 0)
    except Invalid as error:
        form.complain(error)
        return form_page(Draft(form, hook), status=WRONG)
    except Conflict:
        form.version.data = str(hook.version)
        return form_page(Draft(form, hook, differences=_differences(form, hook)), status=CONFLICT)
    message = f"{name_of(hook)} is saved."
    if hook.url != url:
        return _saved(hook, message)
    return hx.redirect_to(url_for("hooks.show", hook_id=hook.id), message=message)


@pages.post("/parts/<any(url_words, matching, filter_words, dialect, retry, times, preview):part>")
@access.requires(Permission.WEBHOOKS_VIEW)
def part(part: str) -> Response:
    """Give one part of the form again, for what stands in the form now; nothing is stored."""
    hook_id = request.args.get("hook", type=UUID)
    return form_page(Draft(HookForm(), hook_of(hook_id) if hook_id else None), block=part)


def _asked_in_passing(form: HookForm, *, hook: Hook | None) -> Response | None:
    """Answer the form's other buttons, which do not save: make a bin, show what follows from what stands there."""
    if "use_bin" in request.form:
        name = (form.name.data or "").strip()[:150] or "Bin of a new hook"
        made = bins.create(current_work(), organization=access.place().organization, name=name)
        form.url.data = bin_url(made)
        note = f"A bin named {made.name} was made, and its address filled in. It shows every request that it gets."
        return form_page(Draft(form, hook, note), block="url")
    if pattern := request.form.get("add_pattern"):
        form.add_pattern(pattern)
        return form_page(Draft(form, hook), block="patterns")
    if "try" in request.form:
        return try_out(form, hook)
    if "look" in request.form:
        return form_page(Draft(form, hook, is_open=True))
    return None


def _names() -> list[str]:
    """Return the types that can be ticked: those of the catalogue, and those seen lately."""
    work, number = current_work(), access.place().organization.number
    seen = type_hours.last_seen(work, organization_number=number)
    lately = [name for name, at in seen.items() if at >= work.now() - SEEN_LATELY]
    return [*catalogue.known_names(work, organization_number=number), *lately]


def _saved(hook: Hook, message: str) -> Response:
    """Lead to the hook; say so when nobody knows its host, since deliveries will fail."""
    target = check_url(hook.url, policy=current_work().settings.target_policy)
    tone: hx.Tone = "good"
    if is_unknown(target):
        message = f"{name_of(hook)} is saved, but {display_host(target.host)} could not be found just now."
        tone = "warn"
    return hx.redirect_to(url_for("hooks.show", hook_id=hook.id), message=message, tone=tone)


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
