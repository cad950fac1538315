"""What the hooks' pages share: the blueprint, finding the hook of an address, a hook in words."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from flask import Blueprint

from console.core.health import HookHealth
from console.core.patterns import is_pattern
from console.extensions import collaborators, current_work
from console.models import Bin, Hook, HookState
from console.services.hooks import hook_health, hooks
from console.web import access

pages = Blueprint("hooks", __name__, url_prefix="/o/<organization>/hooks")

WRONG = 422
MOST_NAMED = 2
"""So many patterns and groups are named in a list; more are counted."""


def hook_of(hook_id: UUID) -> Hook:
    """Give the hook of this address; raise NotFound."""
    return hooks.get(current_work(), organization_number=access.place().organization.number, hook_id=hook_id)


def name_of(hook: Hook) -> str:
    """Give what a hook is called: its name, or its URL while it has none."""
    return hook.name or hook.url


def health_of(hook: Hook) -> tuple[HookHealth, HookState | None]:
    """Say how a hook is doing, and what the engine keeps of it."""
    found = hook_health.condition(current_work(), hook)
    return found.health, found.state


def bin_url(bin_: Bin) -> str:
    """Give the address at which a bin catches requests."""
    return f"{collaborators().settings.base_url}/in/{bin_.key}"


def hears(hook: Hook) -> str:
    """Say in few words which events a hook hears."""
    if hook.all_events:
        return _from("Every event", sources=hook.sources)
    patterns = [name for name in hook.event_types if is_pattern(name)]
    names = [name for name in hook.event_types if not is_pattern(name)]
    parts = [names[0]] if len(names) == 1 else [f"{len(names)} types"] if names else []
    parts += _few(patterns, noun="patterns")
    parts += [f"all of {part}" for part in _few(hook.event_groups, noun="groups")]
    return _from(" and ".join(parts), sources=hook.sources) if parts else "No events yet"


def _few(names: Collection[str], *, noun: str) -> list[str]:
    return list(names) if len(names) <= MOST_NAMED else [f"{len(names)} {noun}"]


def _from(words: str, *, sources: Collection[str] | None) -> str:
    if sources is None:
        return words
    if not sources:
        return f"{words} without a source"
    return f"{words} of {', '.join(sources) if len(sources) <= MOST_NAMED else f'{len(sources)} sources'}"
