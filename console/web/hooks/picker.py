"""Which events a hook hears, for choosing: the types in groups, and what a choice matches today.

An organization's own types and those it has seen lately come first. The types that other systems would publish, which
every catalogue holds, stand behind them, closed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from console.core.errors import Refused
from console.core.patterns import Subscription, check_pattern, is_pattern
from console.services.event_types.catalogue import unknown_of
from console.services.event_types.type_entries import TypeEntry
from console.services.figures.type_hours import Volume

MOST_SHOWN = 6
MOST_OPEN = 40
UNGROUPED = "Without a group"
UNKNOWN = "Seen, but not in the catalogue"


@dataclass(frozen=True, slots=True)
class Known:
    """A type that may be chosen; *seen_at* is None when no event of it was seen lately."""

    name: str
    groups: tuple[str, ...]
    description: str
    is_own: bool
    seen_at: datetime | None = None
    is_deprecated: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An event type to tick."""

    name: str
    description: str
    is_chosen: bool
    is_seen: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group of types: *name* is empty when it cannot be chosen as a whole, *is_chosen* takes future types along.

    A type stands under the first of its groups only, so that it can be ticked in one place; *size* counts all of them.
    """

    title: str
    name: str
    size: int
    is_chosen: bool
    is_open: bool
    choices: tuple[Choice, ...]

    @property
    def chosen(self) -> int:
        """How many of its types are ticked."""
        return sum(choice.is_chosen for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Picker:
    """The groups to choose from: those of one's own first, then those of other systems."""

    own: tuple[Group, ...]
    others: tuple[Group, ...]

    @property
    def others_open(self) -> bool:
        """Whether something among the others is chosen."""
        return any(group.chosen or group.is_chosen for group in self.others)

    @property
    def others_size(self) -> int:
        """How many types the others have."""
        return sum(len(group.choices) for group in self.others)


def known_types(types: Sequence[TypeEntry], *, seen: Mapping[str, datetime], since: datetime) -> list[Known]:
    """Give what may be chosen: the catalogue, and types that were *seen* after *since* and are not in it."""
    lately = {name: at for name, at in seen.items() if at >= since}
    strangers = unknown_of(lately, known=[one.name for one in types])
    return [
        *(
            Known(
                one.name,
                one.groups,
                one.description,
                is_own=not one.is_builtin,
                seen_at=lately.get(one.name),
                is_deprecated=one.deprecated,
            )
            for one in types
        ),
        *(Known(name, (UNKNOWN,), "", is_own=True, seen_at=lately[name]) for name in strangers),
    ]


def arranged(types: Sequence[Known], *, names: Collection[str], groups: Collection[str]) -> Picker:
    """Arrange what may be chosen; within a group what was seen lately comes first.

    Deprecated types are only there where they are chosen.
    """
    types = [one for one in types if not one.is_deprecated or one.name in names]
    standing: dict[str, list[Known]] = {}
    sizes: dict[str, int] = {}
    for one in types:
        for group in one.groups or (UNGROUPED,):
            sizes[group] = sizes.get(group, 0) + 1
            standing.setdefault(group, [])
        standing[one.groups[0] if one.groups else UNGROUPED].append(one)
    own = {group for group, found in standing.items() if any(one.is_own or one.seen_at for one in found)}
    is_short = sum(len(standing[group]) for group in own) <= MOST_OPEN
    made = {
        title: _group(
            title, standing[title], size=sizes[title], names=names, groups=groups, is_open=title in own and is_short
        )
        for title in sorted(standing, key=lambda title: (title == UNGROUPED, title.lower()))
    }
    return Picker(
        tuple(group for title, group in made.items() if title in own),
        tuple(group for title, group in made.items() if title not in own),
    )


def _group(
    title: str, found: Sequence[Known], *, size: int, names: Collection[str], groups: Collection[str], is_open: bool
) -> Group:
    name = "" if title in {UNGROUPED, UNKNOWN} else title
    choices = tuple(
        Choice(one.name, one.description, one.name in names, one.seen_at is not None)
        for one in sorted(found, key=lambda one: (one.seen_at is None, one.name))
    )
    is_used = any(choice.is_chosen for choice in choices) or name in groups
    return Group(title, name, size, bool(name) and name in groups, is_open or is_used, choices)


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that was typed and is no type, with the pattern that was meant, perhaps, and what that would match."""

    name: str
    pattern: str
    count: int


@dataclass(frozen=True, slots=True)
class Matching:
    """What a choice of events matches of the types of today; *problem* says which pattern is none.

    *events* counts the events of those types in the last 7 days.
    """

    names: tuple[str, ...]
    total: int
    events: int = 0
    problem: str = ""
    offers: tuple[Offer, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The first of the names."""
        return self.names[:MOST_SHOWN]

    @property
    def more(self) -> int:
        """How many names are not shown."""
        return max(len(self.names) - MOST_SHOWN, 0)


def matching(
    types: Sequence[Known],
    *,
    all_events: bool,
    event_types: Collection[str],
    groups: Collection[str],
    volumes: Mapping[str, Volume],
) -> Matching:
    """Say which types of today a choice matches, those first that had events, and how many there were."""
    wanted = Subscription.of(event_types, all_events=all_events, groups=groups)
    grouped = {one.name: one.groups for one in types}
    matched = [name for name in {*grouped, *volumes} if wanted.way_to(name, groups=grouped.get(name, ())) is not None]
    return Matching(
        tuple(sorted(matched, key=lambda name: (name not in volumes, name))),
        len(types),
        sum(volumes[name].total for name in matched if name in volumes),
        _problem_with(event_types),
        () if all_events else tuple(_offers(event_types, set(grouped) | set(volumes))),
    )


def _problem_with(event_types: Collection[str]) -> str:
    for name in event_types:
        try:
            check_pattern(name)
        except Refused as error:
            return f"{name}: {error.message}"
    return ""


def _offers(event_types: Collection[str], known: Collection[str]) -> list[Offer]:
    """Find typed names under which there are types, though none is called so: ``order`` beside ``order.paid``."""
    offers = []
    for name in event_types:
        head = name.rstrip(".")
        if head and not is_pattern(name) and name not in known:
            count = sum(one.startswith(f"{head}.") for one in known)
            if count and f"{head}.*" not in event_types:
                offers.append(Offer(name, f"{head}.*", count))
    return offers
