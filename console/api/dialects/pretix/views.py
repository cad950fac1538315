"""The operations on an organizer's webhooks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flask import Response

from console.api.dialects import drf
from console.api.dialects.pretix import webhooks
from console.core.catalogue import PRETIX
from console.core.permissions import Permission
from console.extensions import current_work
from console.models import Hook
from console.services.dialects import dialect_hooks, dialect_words
from console.services.dialects.dialect_hooks import HooksWanted
from console.services.hooks import hooks
from console.services.people.token_use import Principal
from console.services.work import Work

ROOT = "/api/v1/organizers"
LIST = f"{ROOT}/<organizer>/webhooks/"
ONE = f"{LIST}<webhook>/"
ALIAS = f"{ROOT}/<organizer>/webhook/<webhook>/"
"""How pretix's documents head the removal of a webhook; all else is at ``ONE``."""
PAGE = 50

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def _is_own(principal: Principal, place: Mapping[str, str]) -> bool:
    """Say whether the organizer of a path is the caller's: one that does not exist looks like one that is not."""
    return place["organizer"] == principal.organization.slug


pretix = drf.Dialect(
    name=PRETIX,
    prefixes=(ROOT,),
    not_found="No WebHook matches the given query.",
    field_names=webhooks.FIELD_NAMES,
    may_enter=_is_own,
)


@pretix.on("GET", LIST, permission=Permission.WEBHOOKS_VIEW)
def index(**_place: str) -> Response:
    """List webhooks, oldest first."""
    filters = drf.Filters()
    wanted = HooksWanted(is_active=filters.boolean("enabled"))
    filters.finish()
    work = current_work()
    organization_number = drf.organization_number()
    action_types = dialect_words.action_types_of(work, organization_number=organization_number)
    found = dialect_hooks.numbers(
        work, organization_number=organization_number, can_say=webhooks.can_say(action_types), wanted=wanted
    )
    page = drf.page_of(len(found), usual=PAGE, largest=PAGE)
    rows = dialect_hooks.load(work, numbers=page.of(found))
    return drf.answer(page.envelope([webhooks.shown(hook) for hook in rows]))


@pretix.on("POST", LIST, permission=Permission.WEBHOOKS_ADD)
def create(**_place: str) -> Response:
    """Make a webhook."""
    work = current_work()
    organization_number = drf.organization_number()
    made = hooks.create(
        work,
        organization_number=organization_number,
        author_number=drf.principal().user_number,
        draft=webhooks.new(work, organization_number=organization_number),
        dialect=PRETIX,
    )
    return drf.answer(webhooks.shown(made.hook), 201)


@pretix.on("GET", ONE, permission=Permission.WEBHOOKS_VIEW)
def read(webhook: str, **_place: str) -> Response:
    """Give a webhook."""
    return drf.answer(webhooks.shown(_get(current_work(), webhook)))


@pretix.on("PUT", ONE, permission=Permission.WEBHOOKS_EDIT)
def update(webhook: str, **_place: str) -> Response:
    """Replace a webhook."""
    work = current_work()
    hook = _get(work, webhook)
    hooks.change(work, hook=hook, draft=webhooks.replacement(work, hook=hook))
    return drf.answer(webhooks.shown(hook))


@pretix.on("PATCH", ONE, permission=Permission.WEBHOOKS_EDIT)
def partial_update(webhook: str, **_place: str) -> Response:
    """Change what is given of a webhook."""
    work = current_work()
    hook = _get(work, webhook)
    hooks.change(work, hook=hook, draft=webhooks.changes(work, hook=hook))
    return drf.answer(webhooks.shown(hook))


@pretix.on("DELETE", ONE, permission=Permission.WEBHOOKS_REMOVE)
@pretix.on("DELETE", ALIAS, permission=Permission.WEBHOOKS_REMOVE)
def destroy(webhook: str, **_place: str) -> Response:
    """Disable a webhook: pretix does not delete one either."""
    work = current_work()
    hooks.disable(work, hook=_get(work, webhook))
    return drf.empty()


def _get(work: Work, text: str) -> Hook:
    """Give the webhook of that id; raise ErrorAnswer or NotFound, with other words for what is no integer at all."""
    if not _INTEGER.fullmatch(text):
        raise drf.not_found()
    number = drf.read_number(text)
    if number is None:
        raise drf.not_found(pretix.not_found)
    organization_number = drf.organization_number()
    action_types = dialect_words.action_types_of(work, organization_number=organization_number)
    return dialect_hooks.get(
        work, organization_number=organization_number, number=number, can_say=webhooks.can_say(action_types)
    )
