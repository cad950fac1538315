"""The event types that come with Hookyard, read from the JSON files in ``console/catalogue``.

One file a family: ``waldur``, ``pretix`` and ``oms`` hold the names that the dialect of that name knows, ``hookyard``
what Hookyard reports about itself. Each type has groups, a sentence about it, and the kind of its sample payload.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

HOOKYARD = "hookyard"
WALDUR = "waldur"
PRETIX = "pretix"
OMS = "oms"
FAMILIES = (HOOKYARD, OMS, PRETIX, WALDUR)


@dataclass(frozen=True, slots=True)
class PackagedType:
    """An event type that comes with Hookyard; *sample* is a payload, *kind* the name of its shape."""

    name: str
    groups: tuple[str, ...]
    description: str
    kind: str
    sample: Mapping[str, Any]
    family: str


@cache
def packaged(family: str) -> tuple[PackagedType, ...]:
    """Give the types of one family, in the order of its file."""
    data = json.loads(files("console").joinpath("catalogue", f"{family}.json").read_text(encoding="utf-8"))
    samples: dict[str, dict[str, Any]] = data["samples"]
    return tuple(
        PackagedType(
            name=item["name"],
            groups=tuple(item["groups"]),
            description=item["description"],
            kind=item["sample"],
            sample=MappingProxyType(samples[item["sample"]]),
            family=family,
        )
        for item in data["types"]
    )


def all_packaged() -> Iterator[PackagedType]:
    """Yield the types of all families."""
    for family in FAMILIES:
        yield from packaged(family)


@cache
def packaged_names(family: str) -> frozenset[str]:
    """Give the names of one family."""
    return frozenset(kind.name for kind in packaged(family))


@cache
def packaged_groups(family: str) -> Mapping[str, tuple[str, ...]]:
    """Map each group of a family, by name, to the names of its types."""
    groups: dict[str, list[str]] = {}
    for packaged_type in packaged(family):
        for group in packaged_type.groups:
            groups.setdefault(group, []).append(packaged_type.name)
    return MappingProxyType({group: tuple(sorted(groups[group])) for group in sorted(groups)})


@cache
def _pretix_kinds() -> Mapping[str, str]:
    return MappingProxyType({packaged_type.name: packaged_type.kind for packaged_type in packaged(PRETIX)})


def pretix_kind(action_type: str) -> str:
    """Give the kind of payload that a pretix action type has; ``event`` for types that are none of pretix's.

    The name itself counts, else the narrowest wildcard: ``pretix.event.item.changed`` is an ``item``.
    """
    kinds = _pretix_kinds()
    for name in with_wildcards(action_type):
        if name in kinds:
            return kinds[name]
    return "event"


def with_wildcards(name: str) -> tuple[str, ...]:
    """Give the names under which a type may stand in the catalogue: ``a.b.c``, ``a.b.*``, ``a.*``, narrowest first."""
    parts = name.split(".")
    return (name, *(".".join((*parts[:length], "*")) for length in range(len(parts) - 1, 0, -1)))
