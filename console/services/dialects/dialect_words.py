"""Which dialects have words for a hook, and why another has none: they show what they can say, and hide the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.core.catalogue import OMS, PRETIX, WALDUR, packaged_names
from console.core.countdown import countdown_of
from console.core.foreign_apis import WEB_V1, ApiState
from console.core.patterns import is_pattern
from console.models import Hook
from console.services.event_types import catalogue
from console.services.organizations import foreign_apis
from console.services.work import Work

NATIVE = "native"


_WALDUR_NAMES = {"URL": "destination_url"}
_WEB_V1_NAMES = {"URL": "callbackUrl", "event types": "events", "on or off": "enabled"}
_PRETIX_NAMES = {
    "URL": "target_url",
    "event types": "action_types",
    "sources": "limit_events",
    "description": "comment",
    "on or off": "enabled",
}
_OMS_NAMES = {
    "URL": "target_url",
    "headers": "additional_headers",
    "secret": "secret_key",
    "retries": "retry_countdown_config",
}


@dataclass(frozen=True, slots=True)
class Face:
    """An API as it sees one hook: at *path*, or not, because of the *obstacle* in words.

    It knows the hook by *key* in its field *key_name*; *names* maps our words to fields that it calls otherwise.
    """

    dialect: str
    path: str
    key_name: str
    key: str
    names: Mapping[str, str]
    obstacle: str = ""


def faces_of(work: Work, hook: Hook, *, organization_slug: str) -> list[Face]:
    """Return how each API sees *hook*: ours, those that are on, and the one it was created through."""
    states = foreign_apis.states(work, organization_number=hook.organization_number)
    action_types = action_types_of(work, organization_number=hook.organization_number)
    id_, number, compact = str(hook.id), str(hook.number), hook.id.hex
    organizer = f"/api/v1/organizers/{organization_slug}/webhooks"
    faces = [
        Face(WALDUR, f"/api/hooks-web/{compact}/", "uuid", compact, _WALDUR_NAMES, waldur_lacks(hook)),
        Face(WEB_V1, f"/api/web/v1/webhooks/{id_}", "id", id_, _WEB_V1_NAMES, web_v1_lacks(hook)),
        Face(
            PRETIX, f"{organizer}/{number}/", "id", number, _PRETIX_NAMES, pretix_lacks(hook, action_types=action_types)
        ),
        Face(OMS, f"/api/v1/oms/oms_hooks/{number}/", "id", number, _OMS_NAMES, oms_lacks(hook)),
    ]
    shown = [face for face in faces if states[face.dialect] is ApiState.ON]
    off = [
        replace(face, obstacle="the API is switched off")
        for face in faces
        if face.dialect == hook.dialect and face not in shown
    ]
    return [Face(NATIVE, f"/api/v1/hooks/{id_}", "id", id_, {}), *shown, *off]


def waldur_lacks(hook: Any) -> str:
    """Say what of a hook Waldur has no word for; its clients fail on a whole list when one type is unknown to them."""
    return _breadth(hook) or _foreign(hook, packaged_names(WALDUR), whose="Waldur's")


def web_v1_lacks(hook: Any) -> str:
    """Say what of a hook web/v1 has no word for."""
    return _breadth(hook)


def pretix_lacks(hook: Any, *, action_types: Collection[str]) -> str:
    """Say what of a hook pretix has no word for: it names single types, of those that exist."""
    return _breadth(hook) or _foreign(hook, action_types, whose="pretix's or your own")


def oms_lacks(hook: Any) -> str:
    """Say what of a hook oms has no word for: it knows one event type by its name, retried by a countdown."""
    if breadth := _breadth(hook):
        return breadth
    if len(hook.event_types) != 1 or is_pattern(hook.event_types[0]):
        return "it does not hear exactly one event type, by its name"
    return "" if countdown_of(hook.retry) is not None else "its retries are the default or a list"


def action_types_of(work: Work, *, organization_number: int) -> frozenset[str]:
    """Give the action types that exist: pretix's, and those that the organization added, as plugins of pretix do."""
    return packaged_names(PRETIX).union(catalogue.own_names(work, organization_number=organization_number))


def _breadth(hook: Any) -> str:
    if hook.all_events:
        return "it hears every event"
    return "it hears groups of events" if hook.event_groups else ""


def _foreign(hook: Any, known: Collection[str], *, whose: str) -> str:
    name = next((name for name in hook.event_types if name not in known), None)
    return "" if name is None else f"{name} is none of {whose} event types"
