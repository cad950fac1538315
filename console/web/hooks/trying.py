"""A test of what stands in a hook's form, which is not saved."""

from __future__ import annotations

from uuid import UUID

from flask import Response, request, url_for

from console.core.errors import Invalid, NotFound
from console.core.patterns import is_pattern
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook
from console.services.deliveries import deliveries
from console.services.event_types import type_entries
from console.services.hooks import trials
from console.web import access, hx
from console.web.hooks.form import HookForm
from console.web.hooks.form_page import Draft, form_page
from console.web.hooks.shared import WRONG, pages
from console.web.hooks.testing import result_of


def try_out(form: HookForm, hook: Hook | None) -> Response:
    """Send a test of what stands in the form, which is not saved; its result appears over the buttons.

    A refusal is the whole form, with each error at its field; the test after it takes them away again.
    """
    draft = form.wanted(hook)
    if draft is None:
        return hx.whole_main(form_page(Draft(form, hook), status=WRONG))
    someone, number = access.person(), access.place().organization.number
    try:
        delivery = trials.send(
            current_work(),
            organization_number=number,
            author_number=someone.user.number if someone else None,
            draft=draft,
            like=hook,
            event_type=_sample_type(form),
        )
    except Invalid as error:
        form.complain(error)
        return hx.whole_main(form_page(Draft(form, hook), status=WRONG))
    return form_page(Draft(form, hook, trial=result_of(delivery)), block=None if hx.is_for("main") else "trial")


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
    types = type_entries.entries(
        current_work(),
        organization_number=access.place().organization.number,
        names=form.event_types.data,
        groups=form.event_groups.data,
    )
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
