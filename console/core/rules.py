"""The rules that decide whether a hook gets an event: one function decides, another says why, by the same rules.

Publishing asks ``refusal`` of every hook, or its two halves. ``explain`` lists what each rule says, for people; its
verdict is that of ``refusal``, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from console.core.filters import Reading
from console.core.patterns import Subscription, Way


class Rule(StrEnum):
    """What a rule looks at, in the order in which they are asked."""

    ACTIVE = "active"  # never refuses: the delivery is made and held
    TYPE = "type"
    SOURCE = "source"
    FILTER = "filter"


class Answer(StrEnum):
    """What a rule says; NOTHING_ASKED: the hook does not make use of it."""

    YES = "yes"
    NO = "no"
    NOTHING_ASKED = "nothing_asked"


class Verdict(StrEnum):
    """What becomes of an event for a hook."""

    DELIVERED = "delivered"
    HELD = "held"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """What the rules look at of an event.

    *groups* are those that the catalogue has its type in; *read* applies a filter to its payload, when it is asked.
    """

    type: str
    groups: Collection[str]
    source: str | None
    read: Callable[[str], Reading]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says. *way* is set when the type is wanted, *reading* when there is a filter."""

    rule: Rule
    answer: Answer
    way: Way | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What becomes of an event for a hook, *refused_by* the first rule that says no, and what every rule says."""

    verdict: Verdict
    refused_by: Rule | None
    findings: tuple[Finding, ...]


def refusal(wanted: Subscription, occurrence: Occurrence) -> Rule | None:
    """Name the first rule by which a hook does not get an event; None: it gets it, held while it is disabled."""
    return refusal_of_kind(
        wanted, type=occurrence.type, groups=occurrence.groups, source=occurrence.source
    ) or refusal_of_payload(wanted, occurrence.read)


def refusal_of_kind(
    wanted: Subscription,
    *,
    type: str,  # noqa: A002 what events call it
    groups: Collection[str],
    source: str | None,
) -> Rule | None:
    """Name the first rule that refuses all events of a type from a source, whatever their payload."""
    mismatch = wanted.reason_against(event_type=type, groups=groups, source=source)
    return None if mismatch is None else Rule(mismatch)


def refusal_of_payload(wanted: Subscription, read: Callable[[str], Reading]) -> Rule | None:
    """Name the rule by which an event is refused for its payload, to which *read* applies a filter."""
    return None if wanted.filter is None or read(wanted.filter).passes else Rule.FILTER


def explain(wanted: Subscription, occurrence: Occurrence, *, is_active: bool) -> Explanation:
    """Say what every rule says of an event, and what becomes of it."""
    refused_by = refusal(wanted, occurrence)
    verdict = Verdict.REFUSED if refused_by else Verdict.DELIVERED if is_active else Verdict.HELD
    findings = (
        Finding(Rule.ACTIVE, Answer.YES if is_active else Answer.NO),
        _on_type(wanted, occurrence),
        _on_source(wanted, occurrence),
        _on_filter(wanted.filter, occurrence),
    )
    return Explanation(verdict, refused_by, findings)


def _on_type(wanted: Subscription, occurrence: Occurrence) -> Finding:
    way = wanted.way_to(occurrence.type, groups=occurrence.groups)
    return Finding(Rule.TYPE, Answer.NO if way is None else Answer.YES, way=way)


def _on_source(wanted: Subscription, occurrence: Occurrence) -> Finding:
    if wanted.sources is None:
        return Finding(Rule.SOURCE, Answer.NOTHING_ASKED)
    return Finding(Rule.SOURCE, Answer.YES if wanted.wants_source(occurrence.source) else Answer.NO)


def _on_filter(expression: str | None, occurrence: Occurrence) -> Finding:
    if expression is None:
        return Finding(Rule.FILTER, Answer.NOTHING_ASKED)
    reading = occurrence.read(expression)
    return Finding(Rule.FILTER, Answer.YES if reading.passes else Answer.NO, reading=reading)
