"""Event type names, wildcards by segment, and which events a hook wants.

Matching walks along the parts of a name, between its dots, once: no regular expression is ever built from what a user
typed, and nothing is tried twice.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from console.core.errors import Refused

LONGEST_NAME = 200
ANY = "*"

SEGMENT = r"[A-Za-z0-9_:@+-]+(/[A-Za-z0-9_:@+-]+)*"
"""A part of a name, between its dots. A slash stands between other characters only: the name is part of addresses, and
no address leads to ``/a``, ``a//b``, ``a/`` or ``a/./b``. The specification of the API shows it too."""
_EVENT_TYPE = re.compile(rf"{SEGMENT}(?:\.{SEGMENT})*", re.ASCII)
_CATALOGUE_NAME = re.compile(rf"{SEGMENT}(?:\.{SEGMENT})*(?:\.\*)?", re.ASCII)
_PATTERN = re.compile(rf"(?:\*|{SEGMENT})(?:\.(?:\*|{SEGMENT}))*", re.ASCII)
_CHARACTERS = "letters, digits and _ - : @ +, with a / only between them"

Mismatch = Literal["type", "source"]
Kind = Literal["all", "name", "pattern", "group"]


@dataclass(frozen=True, slots=True)
class Way:
    """By what a hook hears a type: everything, its name, a pattern or a group; *text* is the one that does it."""

    kind: Kind
    text: str


@lru_cache(maxsize=1024)
def check_event_type(name: str) -> None:
    """Raise Refused unless *name* may be the type of an event. A batch names few types, and often."""
    _check(name, form=_EVENT_TYPE, words=f"An event type is made of {_CHARACTERS}, in parts separated by dots")


def check_catalogue_name(name: str) -> None:
    """Raise Refused unless *name* may stand in the catalogue: an event type, or one that ends in ``.*``.

    pretix has such names (``pretix.event.item.*``): they stand for every type below them, and are no event's own type.
    """
    _check(
        name,
        form=_CATALOGUE_NAME,
        words=f"The name of an event type is made of {_CHARACTERS}, in parts separated by dots",
    )


def check_pattern(pattern: str) -> None:
    """Raise Refused unless a hook may subscribe to *pattern*: an event type, of which any part may be ``*``."""
    words = f"An event type or wildcard is made of {_CHARACTERS}, in parts separated by dots; * replaces whole parts"
    _check(pattern, form=_PATTERN, words=words, example="order.*")


def _check(text: str, *, form: re.Pattern[str], words: str, example: str = "order.paid") -> None:
    if not 1 <= len(text) <= LONGEST_NAME:
        raise Refused(f"An event type has 1 to {LONGEST_NAME} characters.", code="event_type_length")
    if not form.fullmatch(text):
        raise Refused(f"{words}, such as {example}.", code="event_type_form")


def is_pattern(text: str) -> bool:
    """Say whether *text* stands for several event types: one of its parts is ``*``."""
    return ANY in text.split(".")


def matches(pattern: str, event_type: str) -> bool:
    """Say whether *pattern* covers *event_type*.

    A last ``*`` stands for one part or more, any other for exactly one: ``order.*`` covers ``order.paid`` and
    ``order.refund.done``, not ``order``; ``*.paid`` covers ``order.paid``; ``*`` covers everything.
    """
    return _covers(tuple(pattern.split(".")), event_type)


def _covers(pattern: tuple[str, ...], event_type: str) -> bool:
    # Walks along the name instead of splitting it: the rest of a long name is neither copied nor looked at.
    start = 0
    for part in pattern[:-1]:
        if part == ANY:
            dot = event_type.find(".", start)
            if dot < 0:
                return False
        elif event_type.startswith(f"{part}.", start):
            dot = start + len(part)
        else:
            return False
        start = dot + 1
    if pattern[-1] == ANY:
        return start < len(event_type)
    return event_type.startswith(pattern[-1], start) and len(event_type) == start + len(pattern[-1])


def _keys_of(event_type: str) -> Iterator[str]:
    """Yield every name under which *event_type* may be subscribed to without an inner wildcard.

    The name itself, then the wildcards from the narrowest to ``*``: ``a.b.c``, ``a.b.*``, ``a.*``, ``*``. Parts beyond
    the longest name are not cut one by one, since no subscription is that long.
    """
    yield event_type
    dot = event_type.rfind(".", 0, LONGEST_NAME - 1)
    while dot > 0:
        yield f"{event_type[:dot]}.{ANY}"
        dot = event_type.rfind(".", 0, dot)
    yield ANY


def _is_indexable(text: str) -> bool:
    return ANY not in text.split(".")[:-1]


@dataclass(frozen=True, slots=True)
class Subscription:
    """Which events a hook wants.

    *names* are event types and wildcards whose only ``*`` is the last part, found by look-up; *patterns* those with an
    inner ``*``, compared one by one. *groups* are groups of the catalogue, live. *sources* None takes events of any
    source, else those of the named ones; an event without a source is taken in either case. *filter* is an expression
    that the payload must satisfy (``core.rules`` asks it last).
    """

    all_events: bool = False
    names: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    sources: frozenset[str] | None = None
    filter: str | None = None

    @classmethod
    def of(
        cls,
        event_types: Iterable[str] = (),
        *,
        all_events: bool = False,
        groups: Iterable[str] = (),
        sources: Iterable[str] | None = None,
        filter: str | None = None,  # noqa: A002 what hooks call it
    ) -> Subscription:
        """Build one from a hook's fields: *event_types* holds names and wildcards alike."""
        wanted = sorted(set(event_types))
        return cls(
            all_events=all_events,
            names=frozenset(text for text in wanted if _is_indexable(text)),
            patterns=tuple(text for text in wanted if not _is_indexable(text)),
            groups=frozenset(groups),
            sources=None if sources is None else frozenset(sources),
            filter=filter,
        )

    def reason_against(self, *, event_type: str, groups: Collection[str], source: str | None) -> Mismatch | None:
        """Say why an event is not wanted, by its ``type`` or by its ``source``; None: it is, if its payload is.

        *groups* are those that the catalogue has its type in.
        """
        if self.way_to(event_type, groups=groups) is None:
            return "type"
        return None if self.wants_source(source) else "source"

    @property
    def explicit(self) -> Subscription:
        """The same without what takes every event: what it asks for by name, by a narrower wildcard or by group."""
        return replace(self, all_events=False, names=self.names - {ANY})

    def wants_source(self, source: str | None) -> bool:
        """Say whether events of *source* (None: without one) are taken."""
        return source is None or self.sources is None or source in self.sources

    def way_to(self, event_type: str, *, groups: Collection[str]) -> Way | None:
        """Say by what events of a type are wanted, the plainest way first; None: they are not."""
        if self.all_events:
            return Way("all", ANY)
        for key in _keys_of(event_type):
            if key in self.names:
                return Way("name" if key == event_type else "pattern", key)
        for pattern in self.patterns:
            if matches(pattern, event_type):
                return Way("pattern", pattern)
        for group in groups:
            if group in self.groups:
                return Way("group", group)
        return None
