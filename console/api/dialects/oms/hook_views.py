"""The operations on webhooks: the registry, and to subscribe, change and unsubscribe."""

from __future__ import annotations

from typing import Any

from flask import Response

from console.api.dialects import drf
from console.api.dialects.oms import webhooks
from console.api.dialects.oms.face import (
    LARGEST_PAGE,
    USUAL_PAGE,
    get_hook,
    on_hooks,
    refusal,
    registered_types,
    shown_hooks,
)
from console.core.catalogue import OMS
from console.core.errors import Conflict
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook
from console.services.dialects import dialect_hooks, oms_hooks
from console.services.hooks import hooks
from console.services.hooks.hook_fields import UNSET, HookDraft
from console.services.work import Work


@on_hooks("GET", "", permission=Permission.WEBHOOKS_VIEW)
def index() -> Response:
    """List webhooks, newest first."""
    filters = drf.Filters()
    url, event_type = filters.text("target_url"), filters.text("event_type")
    is_active = filters.boolean("is_active")
    filters.finish()

    def judge(hook: Any) -> bool:
        if url is not None and hook.url.lower() != url.lower():
            return False
        if not oms_hooks.can_say(hook):
            return False
        return event_type is None or hook.event_types[0].lower() == event_type.lower()

    work = current_work()
    found = shown_hooks(work, wanted=judge, is_active=is_active)
    page = drf.page_of(len(found), usual=USUAL_PAGE, largest=LARGEST_PAGE)
    rows = dialect_hooks.load(work, numbers=page.of(found[::-1]))
    return drf.answer(page.envelope([webhooks.shown(work, hook) for hook in rows]))


@on_hooks("GET", "registry/", permission=Permission.WEBHOOKS_VIEW)
def registry() -> Response:
    """List the event types that exist."""
    return drf.answer(registered_types(current_work()))


@on_hooks("POST", "", permission=Permission.WEBHOOKS_ADD)
def create() -> Response:
    """Subscribe to an event type."""
    work = current_work()
    organization_number, author_number = drf.organization_number(), drf.principal().user_number
    with work.transaction():
        oms_hooks.take_turn(work, organization_number=organization_number)
        draft = webhooks.new(work)
        _refuse_twin(work, draft, author_number=author_number, hook=None)
        made = hooks.create(
            work, organization_number=organization_number, author_number=author_number, draft=draft, dialect=OMS
        )
    return drf.answer(webhooks.shown(work, made.hook), 201)


@on_hooks("GET", "<number>/", permission=Permission.WEBHOOKS_VIEW)
def read(number: str) -> Response:
    """Give a webhook."""
    work = current_work()
    return drf.answer(webhooks.shown(work, get_hook(work, number)))


@on_hooks("PUT", "<number>/", permission=Permission.WEBHOOKS_EDIT)
def update(number: str) -> Response:
    """Change a webhook; what is left out keeps its value, but three fields must be given."""
    return _change(number, is_partial=False)


@on_hooks("PATCH", "<number>/", permission=Permission.WEBHOOKS_EDIT)
def partial_update(number: str) -> Response:
    """Change what is given of a webhook."""
    return _change(number, is_partial=True)


@on_hooks("DELETE", "<number>/", permission=Permission.WEBHOOKS_REMOVE)
def destroy(number: str) -> Response:
    """Unsubscribe: the webhook is disabled and stays."""
    work = current_work()
    hooks.disable(work, hook=get_hook(work, number))
    return drf.empty()


def _change(number: str, *, is_partial: bool) -> Response:
    work = current_work()
    with work.transaction():
        oms_hooks.take_turn(work, organization_number=drf.organization_number())
        hook = get_hook(work, number)
        draft = webhooks.changes(work, hook=hook, is_partial=is_partial)
        _refuse_twin(work, draft, author_number=hook.author_number, hook=hook)
        hooks.change(work, hook=hook, draft=draft)
    return drf.answer(webhooks.shown(work, hook))


def _refuse_twin(work: Work, draft: HookDraft, *, author_number: int | None, hook: Hook | None) -> None:
    """Raise ErrorAnswer when the author has another webhook with the URL and type that this one is to have."""
    url = draft.url if draft.url is not UNSET or hook is None else hook.url
    [event_type] = draft.event_types if draft.event_types is not UNSET or hook is None else hook.event_types
    if hook is not None and (url, event_type) == (hook.url, hook.event_types[0]):
        return
    try:
        oms_hooks.refuse_twin(
            work,
            organization_number=drf.organization_number(),
            author_number=author_number,
            url=url,
            event_type=event_type,
            but=hook.number if hook is not None else None,
        )
    except Conflict:
        raise refusal("webhook_100_2") from None
