"""A filter while it is typed: whether it is one, and what it makes of a sample and of the latest events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from console.core.errors import Refused
from console.core.filter_hints import hints
from console.core.filters import Reading, check_filter, read, values_read
from console.core.patterns import Subscription, is_pattern
from console.extensions import current_work
from console.services.event_types import catalogue
from console.services.event_types.type_entries import TypeEntry
from console.services.events import explaining
from console.services.events.explaining import FilterTrial
from console.web import access


@dataclass(frozen=True, slots=True)
class FilterWords:
    """What is said under the filter: *problem*, or what it gives for a *sample_of* a type and for the latest events.

    *hints* are about comparisons that can hardly be meant so.
    """

    problem: str = ""
    sample_of: str = ""
    reading: Reading | None = None
    values: tuple[tuple[str, str], ...] = ()
    trial: FilterTrial | None = None
    hints: tuple[str, ...] = ()


def filter_words(expression: str, *, wanted: Subscription, types: Sequence[TypeEntry]) -> FilterWords | None:
    """Try a filter for what a hook hears; None without one."""
    if not expression:
        return None
    try:
        check_filter(expression)
    except Refused as error:
        return FilterWords(problem=error.message)
    # A hook to every event hears those of other systems too, but their samples say nothing about what comes here.
    known = [one for one in types if not (wanted.all_events and one.is_builtin)]
    heard = [one for one in known if one.has_sample and not is_pattern(one.name)]
    sample = next((one for one in heard if wanted.way_to(one.name, groups=one.groups) is not None), None)
    number = access.place().organization.number
    trial = explaining.try_filter(current_work(), organization_number=number, wanted=replace(wanted, filter=expression))
    if sample is None:
        return FilterWords(trial=trial, hints=tuple(hints(expression)))
    payload = catalogue.sample_of(current_work(), organization_number=number, name=sample.name)
    return FilterWords(
        sample_of=sample.name,
        reading=read(expression, payload),
        values=tuple(values_read(expression, payload)),
        trial=trial,
        hints=tuple(hints(expression, payload)),
    )
