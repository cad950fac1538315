"""The six operations of WebhooksApi."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Blueprint, Response

from console.api.auth import organization_number, permission, principal, sight
from console.api.dialects.web_v1 import entry, trial
from console.api.dialects.web_v1.errors import written
from console.api.dialects.web_v1.parms import Scope, draft_of, read_body
from console.core.errors import Busy, Conflict, NotFound, Refused
from console.core.foreign_apis import WEB_V1
from console.core.permissions import Permission
from console.extensions import collaborators, current_work
from console.models import Hook
from console.services.dialects import dialect_words, unique_urls
from console.services.hooks import hook_secrets, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.hooks.hooks import HookFilter
from console.services.organizations import defaults
from console.services.work import Work

PAGE = 500
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)

webhooks = Blueprint("api_web_v1", __name__, url_prefix=f"{entry.ROOT}/webhooks")
webhooks.before_request(entry.authenticate)
webhooks.before_request(entry.check)
webhooks.before_request(entry.admit)


@webhooks.get("", provide_automatic_options=False)
@permission(Permission.WEBHOOKS_VIEW)
def index() -> Response:
    """List webhooks, oldest first."""
    work = current_work()
    rows = sorted(filter(is_visible, _every_hook(work)), key=lambda hook: (hook.created_at, hook.number))
    return written([shown(work, hook) for hook in rows])


@webhooks.post("", provide_automatic_options=False)
@permission(Permission.WEBHOOKS_ADD)
def create() -> Response:
    """Register a webhook."""
    work = current_work()
    body = read_body()
    draft = draft_of(body, scope=Scope(work, organization_number()))
    with work.transaction():
        _refuse_taken_url(work, draft, hook=None)
        made = hooks.create(
            work,
            organization_number=organization_number(),
            author_number=principal().user_number,
            draft=draft,
            dialect=WEB_V1,
        )
    return written(shown(work, made.hook))


@webhooks.get("/<webhook_id>", provide_automatic_options=False)
@permission(Permission.WEBHOOKS_VIEW)
def read(webhook_id: str) -> Response:
    """Get a webhook by id."""
    work = current_work()
    return written(shown(work, _get(work, _uuid(webhook_id))))


@webhooks.put("/<webhook_id>", provide_automatic_options=False)
@permission(Permission.WEBHOOKS_EDIT)
def update(webhook_id: str) -> Response:
    """Update a webhook: every field that the body can say is replaced, but an absent secret."""
    work = current_work()
    hook_id = _uuid(webhook_id)
    body = read_body()
    draft = draft_of(body, scope=_scope(work, hook_id))
    with work.transaction():
        hook = _get(work, hook_id)
        work.session.refresh(hook, ["url"], with_for_update=True)  # changed meanwhile?
        _refuse_taken_url(work, draft, hook=hook)
        hooks.change(work, hook=hook, draft=draft)
    return written(shown(work, hook))


@webhooks.delete("/<webhook_id>", provide_automatic_options=False)
@permission(Permission.WEBHOOKS_REMOVE)
def delete(webhook_id: str) -> Response:
    """Delete a webhook."""
    work = current_work()
    hook_id = _uuid(webhook_id)
    with work.transaction():
        hooks.delete(work, hook=_get(work, hook_id))
    return _empty()


@webhooks.post("/test/<webhook_id>", provide_automatic_options=False)
@permission(Permission.WEBHOOKS_EDIT)
def test(webhook_id: str) -> Response:
    """Test a webhook: answers when the receiver has."""
    with collaborators().waits.one() as may_wait:
        if not may_wait:
            raise Busy("Too many tests are under way at this moment; this one was not sent. Try again.")
        _test(current_work(), _uuid(webhook_id))
    return _empty()


def _test(work: Work, hook_id: UUID) -> None:
    """Send a test and wait for its outcome; raise Refused unless it was delivered."""
    with work.transaction():
        hook = _get(work, hook_id)
        if not hook.is_active:
            raise Conflict("Webhook is disabled", code="disabled")
        timeout_s = defaults.timeout_for(work, hook)
        sent = trial.begin(work, hook=hook)
    trial.await_outcome(work, sent, timeout_s=timeout_s)


# --- what is shown --------------------------------------------------------------------------------------------------


def is_visible(hook: Hook) -> bool:
    """Say whether ``events`` can tell what *hook* subscribes to."""
    return not dialect_words.web_v1_lacks(hook)


def shown(work: Work, hook: Hook) -> dict[str, Any]:
    """Show a hook as a Webhook. Header values are masked as everywhere (``Sight``)."""
    return {
        "id": str(hook.id),
        "name": hook.name or None,
        "description": hook.description,
        "callbackUrl": hook.url,
        "events": hook.event_types,
        "enabled": hook.is_active,
        "headers": sight().hook_headers(hook_secrets.headers_of(work, hook)),
        "created": _moment(hook.created_at),
        "updated": _moment(hook.modified_at),
        "createdBy": hook.author.username if hook.author else None,
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _empty() -> Response:
    """Answer 200 without a body, and so without a type of one."""
    response = Response(status=200)
    response.headers.remove("Content-Type")
    return response


# --- what is looked up ----------------------------------------------------------------------------------------------


def _uuid(text: str) -> UUID:
    if not _UUID.fullmatch(text):
        raise Refused("id: must be a UUID", code="uuid")
    return UUID(text)


def _get(work: Work, hook_id: UUID) -> Hook:
    """Give a visible hook; raise NotFound."""
    hook = hooks.get(work, organization_number=organization_number(), hook_id=hook_id)
    if not is_visible(hook):
        raise NotFound("hook")
    return hook


def _scope(work: Work, hook_id: UUID) -> Scope:
    """Give what a new body for a hook is read against; that there is none is said after what is wrong with the body."""
    try:
        hook = _get(work, hook_id)
    except NotFound:
        return Scope(work, organization_number())
    return Scope(work, organization_number(), url=hook.url, headers=hook_secrets.headers_of(work, hook))


def _every_hook(work: Work) -> Iterator[Hook]:
    before: int | None = None
    while page := hooks.find(
        work, organization_number=organization_number(), wanted=HookFilter(), before=before, limit=PAGE
    ):
        yield from page
        before = page[-1].number


def _refuse_taken_url(work: Work, draft: HookDraft, *, hook: Hook | None) -> None:
    """Raise Conflict when another hook has the URL, inside the transaction that is to write this one."""
    if hook is not None and draft.url == hook.url:
        return
    try:
        unique_urls.refuse_taken(work, organization_number=organization_number(), url=draft.url)
    except Conflict as error:
        raise Conflict("Webhook with this callback URL already exists", code=error.code) from error
