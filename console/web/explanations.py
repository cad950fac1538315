"""Why a hook gets an event, in words: what each rule says, the verdict, and how sure it is that it was so then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console.core.rules import Answer, Finding, Rule, Verdict
from console.models import Hook
from console.services.events.explaining import Since, Standing

MARKS = {Answer.YES: ("check", "good", "Yes"), Answer.NO: ("cross", "bad", "No")}
NOTHING = ("", "off", "Not asked")
LABELS = {Rule.ACTIVE: "Switch", Rule.TYPE: "Event type", Rule.SOURCE: "Source", Rule.FILTER: "Filter"}


@dataclass(frozen=True, slots=True)
class Line:
    """What one rule says; *icon* (none: a dash), *tone* and *said* are its mark, *values* what a filter looked at."""

    icon: str
    tone: str
    said: str
    label: str
    text: str
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A verdict in words: *headline*, a *remark* on then and now, and a line for each rule."""

    tone: str
    headline: str
    remark: str
    lines: tuple[Line, ...]


def in_words(standing: Standing, *, event_type: str, source: str | None, is_published: bool = True) -> Words:
    """Say what becomes, or became, of an event for a hook."""
    explanation = standing.explanation
    lines = tuple(_line(finding, standing, event_type=event_type, source=source) for finding in explanation.findings)
    tone, headline = _HEADLINES[explanation.verdict]
    if explanation.refused_by is not None:
        headline = f"{headline}: {_short(explanation.refused_by)} says no"
    return Words(tone, headline, _remark(standing) if is_published else "", lines)


def first_no(standing: Standing, *, event_type: str, source: str | None) -> str:
    """Say by which rule a hook that has no delivery did not get an event, and whether that is sure."""
    finding = next((one for one in standing.explanation.findings if one.rule == standing.explanation.refused_by), None)
    if standing.since == Since.HOOK_MADE:
        wants = "It would want it, but it" if finding is None else "It"
        return f"{wants} was made after the event."
    if finding is None:
        return "It would want it now; it was changed after the event."
    text = _TEXTS[finding.rule](finding, standing.hook, event_type, source)
    return f"{text} {_LATER[standing.since]}".strip()


_HEADLINES = {
    Verdict.DELIVERED: ("good", "Would be delivered"),
    Verdict.HELD: ("hold", "Would be held until the hook is switched on"),
    Verdict.REFUSED: ("bad", "Would not be delivered"),
}
_LATER: Mapping[Since, str] = {
    Since.NOTHING: "",
    Since.HOOK_MADE: "",
    Since.HOOK_CHANGED: "So it is now; the hook was changed after the event.",
    Since.TYPE_CHANGED: "So it is now; the event type was changed after the event.",
}


def _short(rule: Rule) -> str:
    return f"the {LABELS[rule].lower()}"


def _remark(standing: Standing) -> str:
    """Say what happened then, and whether the rules were the same."""
    was = "This hook got it when it was published." if standing.delivery else "This hook did not get it."
    return {
        Since.NOTHING: f"{was} Nothing was changed since, so this is how it was decided.",
        Since.HOOK_MADE: "This hook was made after the event; the rules below are asked as if it had been there.",
        Since.HOOK_CHANGED: f"{was} The hook was changed since, so the rules below may say something else than then.",
        Since.TYPE_CHANGED: f"{was} The event type was changed since, so its groups may have been others then.",
    }[standing.since]


def _line(finding: Finding, standing: Standing, *, event_type: str, source: str | None) -> Line:
    icon, tone, said = MARKS.get(finding.answer, NOTHING)
    if finding.rule == Rule.ACTIVE and finding.answer == Answer.NO:
        icon, tone, said = "pause", "hold", "Held"
    return Line(
        icon,
        tone,
        said,
        LABELS[finding.rule],
        _TEXTS[finding.rule](finding, standing.hook, event_type, source),
        standing.values if finding.rule == Rule.FILTER else (),
    )


def _on_active(finding: Finding, _hook: Hook, _event_type: str, _source: str | None) -> str:
    if finding.answer == Answer.YES:
        return "The hook is on."
    return "The hook is off: a delivery is made, and held until it is switched on."


def _on_type(finding: Finding, _hook: Hook, event_type: str, _source: str | None) -> str:
    way = finding.way
    if way is None:
        return f"It does not listen to {event_type}."
    return {
        "all": "It hears every event.",
        "name": f"It names {event_type}.",
        "pattern": f"Its pattern {way.text} covers {event_type}.",
        "group": f"{event_type} is in the group {way.text}, which it hears.",
    }[way.kind]


def _on_source(finding: Finding, hook: Hook, _event_type: str, source: str | None) -> str:
    if finding.answer == Answer.NOTHING_ASKED:
        return "It takes events of any source."
    if source is None:
        return "An event without a source is always taken."
    does = "listens" if finding.answer == Answer.YES else "does not listen"
    rest = "" if hook.sources else "; it takes only events without one"
    return f"It {does} to events of the source {source}{rest}."


def _on_filter(finding: Finding, hook: Hook, _event_type: str, _source: str | None) -> str:
    if finding.reading is None:
        return "It has no filter."
    if finding.reading.problem:
        return f"Its filter {hook.filter} gives nothing. {finding.reading.problem}"
    return f"Its filter {hook.filter} gives {finding.reading.value}."


_TEXTS: Mapping[Rule, Callable[[Finding, Hook, str, str | None], str]] = {
    Rule.ACTIVE: _on_active,
    Rule.TYPE: _on_type,
    Rule.SOURCE: _on_source,
    Rule.FILTER: _on_filter,
}
