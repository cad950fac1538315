"""A hook as pretix writes it, and what a body in pretix's words makes of a hook."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row

from console.api.dialects import drf
from console.api.dialects.drf import ErrorAnswer, Field, Given, Wrong, fields
from console.core.catalogue import PRETIX
from console.models import Hook
from console.services.dialects import dialect_hooks, dialect_words
from console.services.dialects.dialect_hooks import CanSay
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources
from console.services.work import Work

LONGEST_URL = 1024
LONGEST_COMMENT = 255
RETRY: Mapping[str, Any] = MappingProxyType(
    {"kind": "list", "delays": [5, 30, 60, 300, 1200, 3600, 14_400, 21_600, 43_200, 43_200, 86_400]}
)
"""pretix's schedule: 12 attempts in about two and a half days."""
TIMEOUT_S = 30
EITHER = "You can set either limit_events or all_events."
DEFAULTS: Mapping[str, Any] = MappingProxyType({"enabled": True, "all_events": True, "comment": None})
FIELD_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "is_active": "enabled",
        "url": "target_url",
        "sources": "limit_events",
        "event_types": "action_types",
        "description": "comment",
        "headers": "target_url",  # its clients can give no headers
    }
)
_LISTS = ("limit_events", "action_types")


def can_say(action_types: Collection[str]) -> CanSay:
    """Make what says whether pretix has words for a hook: all that it subscribes to are names of *action_types*."""

    def judge(hook: Hook | Row[Any]) -> bool:
        return not dialect_words.pretix_lacks(hook, action_types=action_types)

    return judge


@dataclass(frozen=True, slots=True)
class Scope:
    """Which sources a hook hears: beside *all_events* a *limit_events* is only kept, and limits nothing."""

    all_events: bool
    limit_events: list[str]

    @classmethod
    def of(cls, hook: Hook) -> Scope:
        """Read it from a hook."""
        if hook.sources is not None:
            return cls(all_events=False, limit_events=sorted(hook.sources))
        return cls(all_events=True, limit_events=dialect_hooks.kept(hook, PRETIX).get("limit_events", []))

    def draft(self, *, hook: Hook | None) -> dict[str, Any]:
        """Give the fields of a draft."""
        kept = self.limit_events if self.all_events else []
        return {
            "sources": None if self.all_events else self.limit_events,
            "dialect_data": dialect_hooks.keeping(hook, PRETIX, limit_events=kept),
        }


def shown(hook: Hook) -> dict[str, Any]:
    """Write a hook."""
    scope = Scope.of(hook)
    return {
        "id": hook.number,
        "enabled": hook.is_active,
        "target_url": hook.url,
        "all_events": scope.all_events,
        "limit_events": scope.limit_events,
        "action_types": sorted(set(hook.event_types)),
        "comment": hook.description,
    }


# --- reading bodies -------------------------------------------------------------------------------------------------


def new(work: Work, *, organization_number: int) -> HookDraft:
    """Read the body of this request as a new hook; raise ErrorAnswer."""
    given = drf.take(_given(), _fields(work, organization_number, kept_url=None))
    if given["limit_events"] and given.get("all_events"):
        _refuse_both()
    draft = _draft({**DEFAULTS, **given}, hook=None)
    return replace(draft, payload_format=PRETIX, retry=dict(RETRY), timeout=TIMEOUT_S)


def replacement(work: Work, *, hook: Hook) -> HookDraft:
    """Read the body of this request as all of *hook*: what is left out returns to its default; raise ErrorAnswer."""
    given = drf.take(_given(), _fields(work, hook.organization_number, kept_url=hook.url))
    given = {**DEFAULTS, **given}
    if given["limit_events"] and given["all_events"]:
        _refuse_both()
    return _draft(given, hook=hook)


def changes(work: Work, *, hook: Hook) -> HookDraft:
    """Read the body of this request as what changes of *hook*; raise ErrorAnswer."""
    given = drf.take(_given(), _fields(work, hook.organization_number, kept_url=hook.url), is_partial=True)
    scope = Scope.of(hook)
    if given.get("limit_events", scope.limit_events) and given.get("all_events", scope.all_events):
        _refuse_both()
    return _draft(given, hook=hook)


def _refuse_both() -> None:
    raise ErrorAnswer(400, {"non_field_errors": [EITHER]})


def _given() -> Given:
    """Read the body of this request; in a form, an empty value is the only way to write an empty list."""
    given = drf.body()
    if not given.is_form:
        return given
    emptied: dict[str, list[str]] = {name: [] for name in _LISTS if given.values.get(name) == ""}
    return Given({**given.values, **emptied}, is_form=True)


def _draft(given: Mapping[str, Any], *, hook: Hook | None) -> HookDraft:
    names = {"enabled": "is_active", "target_url": "url", "action_types": "event_types", "comment": "description"}
    draft = {ours: given[theirs] for theirs, ours in names.items() if theirs in given}
    if "all_events" in given or "limit_events" in given:
        before = Scope.of(hook) if hook is not None else Scope(all_events=True, limit_events=[])
        scope = Scope(
            all_events=given.get("all_events", before.all_events),
            limit_events=given.get("limit_events", before.limit_events),
        )
        draft |= scope.draft(hook=hook)
    return HookDraft(**draft)


def _fields(work: Work, organization_number: int, *, kept_url: str | None) -> tuple[Field, ...]:
    """Say what a body may hold, in the order of the answer."""
    slugs = {source.slug for source in sources.all_of(work, organization_number=organization_number)}
    names = dialect_words.action_types_of(work, organization_number=organization_number)
    url = fields.url(policy=work.settings.target_policy, max_length=LONGEST_URL, kept=kept_url)
    comment = fields.text(max_length=LONGEST_COMMENT, may_be_blank=True)

    def limit_events(value: Any) -> list[str]:
        return _known(fields.items(value), slugs, words="Object with slug={} does not exist.")

    def action_types(value: Any) -> list[str]:
        letters = list(value) if isinstance(value, str) else fields.items(value)  # as pretix reads a string
        return _known(letters, names, words='Invalid action type "{}".')

    return (
        Field(name="enabled", parse=fields.boolean),
        Field(name="target_url", parse=url, is_required=True),
        Field(name="all_events", parse=fields.boolean),
        Field(name="limit_events", parse=limit_events, is_required=True, is_list=True),
        Field(name="action_types", parse=action_types, is_required=True, is_list=True),
        Field(name="comment", parse=comment, is_nullable=True),
    )


def _known(items: list[Any], known: Collection[str], *, words: str) -> list[str]:
    """Give the *items* sorted and without repetition; raise Wrong with *words* for the first that is not *known*."""
    for item in items:
        if not isinstance(item, str) or item not in known:
            raise Wrong(words.format(item))
    return sorted(set(items))
