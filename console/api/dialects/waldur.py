"""Waldur's ``/api/hooks-web/``: a user's subscriptions to event types, spoken as a Waldur site does (docs: waldur).

A hook's groups are labels: asking for a group subscribes to the types that are in it at that moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from flask import Flask, Response
from sqlalchemy import Row

from console.api.dialects import drf
from console.api.dialects.drf import Field, fields
from console.core.catalogue import WALDUR, packaged_groups, packaged_names
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook
from console.services.dialects import dialect_hooks, dialect_words
from console.services.dialects.dialect_hooks import HooksWanted
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work

ROOT = "/api/hooks-web"
LIST = f"{ROOT}/"
ONE = f"{ROOT}/<uuid>/"
LONGEST_URL = 200
USUAL_PAGE = 10
LARGEST_PAGE = 300
NO_AUTHOR = UUID(int=0)
"""Stands for an author whose account is gone: clients read a UUID there."""

CONTENT_TYPES = ("json", "form")
CONTENT_TYPE_NUMBERS: Mapping[str, str] = MappingProxyType({"1": "json", "2": "form"})
"""The numbers by which a list is filtered, as Waldur keeps them."""

waldur = drf.Dialect(
    name=WALDUR,
    prefixes=(ROOT,),
    token_words={
        "token_empty": "Invalid token. No credentials provided.",
        "token_spaces": "Invalid token. Token string should not contain spaces.",
        "token_expired": "Token has expired.",
        "user_inactive": "User inactive or deleted.",
    },
    not_found="No WebHook matches the given query.",
    field_names={"url": "destination_url", "headers": "destination_url"},  # its clients can give no headers
)


def install(app: Flask) -> None:
    """Register the dialect."""
    waldur.install(app)


@waldur.on("GET", LIST, permission=Permission.WEBHOOKS_VIEW)
def index() -> Response:
    """List hooks, newest first: a bare array, with the count and the other pages in headers."""
    wanted = _wanted()
    work = current_work()
    found = dialect_hooks.numbers(work, organization_number=drf.organization_number(), can_say=can_say, wanted=wanted)
    page = drf.page_of(len(found), usual=USUAL_PAGE, largest=LARGEST_PAGE)
    rows = dialect_hooks.load(work, numbers=page.of(found[::-1]))
    headers = [("X-Result-Count", str(page.count)), ("Link", page.link_header())]
    return drf.answer([shown(hook) for hook in rows], headers=headers)


@waldur.on("POST", LIST, permission=Permission.WEBHOOKS_ADD)
def create() -> Response:
    """Make a hook of the caller's."""
    work = current_work()
    given = drf.take(drf.body(), _fields(work))
    hook = hooks.create(
        work,
        organization_number=drf.organization_number(),
        author_number=drf.principal().user_number,
        draft=_draft(given, hook=None),
        dialect=WALDUR,
    ).hook
    return drf.answer(shown(hook), 201, headers=[("Location", _address(hook))])


@waldur.on("GET", ONE, permission=Permission.WEBHOOKS_VIEW)
def read(uuid: str) -> Response:
    """Give a hook."""
    return drf.answer(shown(_get(current_work(), uuid)))


@waldur.on("PUT", ONE, permission=Permission.WEBHOOKS_EDIT)
def update(uuid: str) -> Response:
    """Change a hook; what is left out keeps its value here too, but the URL must be given."""
    return _change(uuid, is_partial=False)


@waldur.on("PATCH", ONE, permission=Permission.WEBHOOKS_EDIT)
def partial_update(uuid: str) -> Response:
    """Change what is given of a hook."""
    return _change(uuid, is_partial=True)


@waldur.on("DELETE", ONE, permission=Permission.WEBHOOKS_REMOVE)
def destroy(uuid: str) -> Response:
    """Delete a hook; its deliveries stay in the log."""
    work = current_work()
    hooks.delete(work, hook=_get(work, uuid))
    return drf.empty()


def _change(uuid: str, *, is_partial: bool) -> Response:
    work = current_work()
    hook = _get(work, uuid)
    given = drf.take(drf.body(), _fields(work, hook=hook), is_partial=is_partial)
    hooks.change(work, hook=hook, draft=_draft(given, hook=hook))
    return drf.answer(shown(hook))


def _get(work: Work, uuid: str) -> Hook:
    """Give a hook that the caller sees; raise ErrorAnswer or NotFound, which say the same."""
    hook_id = drf.read_uuid(uuid)
    if hook_id is None:
        raise drf.not_found(waldur.not_found)
    hook = dialect_hooks.get_by_id(
        work, organization_number=drf.organization_number(), hook_id=hook_id, can_say=can_say
    )
    if drf.shown_author() not in {None, hook.author_number}:
        raise drf.not_found(waldur.not_found)
    return hook


def can_say(hook: Hook | Row[Any]) -> bool:
    """Say whether Waldur has words for a hook."""
    return not dialect_words.waldur_lacks(hook)


def shown(hook: Hook) -> dict[str, Any]:
    """Write a hook."""
    author = hook.author
    return {
        "url": _address(hook),
        "uuid": hook.id.hex,
        "is_active": hook.is_active,
        "author_uuid": (author.id if author else NO_AUTHOR).hex,
        "event_types": sorted(hook.event_types),
        "event_groups": sorted(dialect_hooks.kept(hook, WALDUR).get("event_groups", [])),
        "created": drf.moment(hook.created_at),
        "modified": drf.moment(hook.modified_at),
        "hook_type": "webhook",
        "author_fullname": author.full_name if author else "",
        "author_username": author.username if author else "",
        "author_email": author.email if author else "",
        "destination_url": hook.url,
        "content_type": hook.content_type,
    }


def _address(hook: Hook) -> str:
    return f"{drf.base_url()}{LIST}{hook.id.hex}/"


def _fields(work: Work, *, hook: Hook | None = None) -> tuple[Field, ...]:
    """Say what a body may hold, in the order of the answer."""
    url = fields.url(
        policy=work.settings.target_policy, max_length=LONGEST_URL, kept=hook.url if hook is not None else None
    )
    return (
        Field(name="is_active", parse=fields.boolean),
        Field(name="event_types", parse=fields.choices(packaged_names(WALDUR)), is_list=True),
        Field(name="event_groups", parse=fields.choices(packaged_groups(WALDUR)), is_list=True),
        Field(name="destination_url", parse=url, is_required=True),
        Field(name="content_type", parse=fields.choice(CONTENT_TYPES)),
    )


def _draft(given: Mapping[str, Any], *, hook: Hook | None) -> HookDraft:
    """Turn the fields of a body into the hook's; groups stand for their types."""
    names = {"destination_url": "url", "is_active": "is_active", "content_type": "content_type"}
    draft = {ours: given[theirs] for theirs, ours in names.items() if theirs in given}
    if hook is None:
        draft["payload_format"] = WALDUR
    if "event_types" in given:
        draft["event_types"] = given["event_types"]
    if "event_groups" in given:
        expanded = {name for group in given["event_groups"] for name in packaged_groups(WALDUR)[group]}
        draft["event_types"] = sorted(expanded.union(given.get("event_types", ())))
        draft["dialect_data"] = dialect_hooks.keeping(hook, WALDUR, event_groups=given["event_groups"])
    return HookDraft(**draft)


def _wanted() -> HooksWanted:
    """Read the filters of the list; staff, ADMIN tokens and service tokens see the hooks of everybody."""
    filters = drf.Filters()
    number = filters.choice("content_type", CONTENT_TYPE_NUMBERS)
    wanted = HooksWanted(
        author_number=drf.shown_author(),
        author_id=filters.uuid("author_uuid"),
        author_username=filters.text("author_username"),
        author_email=filters.text("author_email"),
        author_fullname=filters.text("author_fullname"),
        author=filters.text("query"),
        url=filters.text("destination_url"),
        is_active=filters.boolean("is_active"),
        content_type=CONTENT_TYPE_NUMBERS[number] if number is not None else None,
        last_delivery_at=filters.moment("last_published"),
    )
    filters.finish()
    return wanted
