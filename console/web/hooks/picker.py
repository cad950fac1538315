"""Which events a hook hears, for choosing: the catalogue in groups, and what a choice matches today."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from console.core.errors import Refused
from console.core.patterns import Subscription, check_pattern
from console.models import EventType

MOST_SHOWN = 6
UNGROUPED = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """An event type to tick."""

    name: str
    description: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the catalogue: its types, and whether the whole of it is chosen, future types included.

    A type stands under the first of its groups only, so that it can be ticked in one place; *size* counts all of them.
    """

    name: str
    size: int
    is_chosen: bool
    choices: tuple[Choice, ...]

    @property
    def chosen(self) -> int:
        """How many of its types are ticked."""
        return sum(choice.is_chosen for choice in self.choices)


def groups_of(types: Sequence[EventType], *, names: Collection[str], groups: Collection[str]) -> list[Group]:
    """Arrange the catalogue; types without a group come last."""
    standing: dict[str, list[Choice]] = {}
    sizes: dict[str, int] = {}
    for event_type in types:
        for group in event_type.groups or [UNGROUPED]:
            sizes[group] = sizes.get(group, 0) + 1
            standing.setdefault(group, [])
        first = event_type.groups[0] if event_type.groups else UNGROUPED
        standing[first].append(Choice(event_type.name, event_type.description, event_type.name in names))
    ordered = sorted(standing, key=lambda name: (name == UNGROUPED, name))
    return [Group(name, sizes[name], name in groups, tuple(standing[name])) for name in ordered]


@dataclass(frozen=True, slots=True)
class Matching:
    """What a choice of events matches in the catalogue of today; *problem* says which pattern is none."""

    names: tuple[str, ...]
    total: int
    problem: str = ""

    @property
    def shown(self) -> tuple[str, ...]:
        """The first of the names."""
        return self.names[:MOST_SHOWN]

    @property
    def more(self) -> int:
        """How many names are not shown."""
        return max(len(self.names) - MOST_SHOWN, 0)


def matching(
    types: Sequence[EventType], *, all_events: bool, event_types: Collection[str], groups: Collection[str]
) -> Matching:
    """Say which types of today a choice matches."""
    problem = ""
    for name in event_types:
        try:
            check_pattern(name)
        except Refused as error:
            problem = f"{name}: {error.message}"
            break
    wanted = Subscription.of(event_types, all_events=all_events, groups=groups)
    matched = tuple(
        event_type.name
        for event_type in types
        if wanted.reason_against(event_type=event_type.name, groups=event_type.groups, source=None) is None
    )
    return Matching(matched, len(types), problem)
