"""What an entry of the audit log changed, in words: fields by the labels of their forms, values as people set them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from console.core.foreign_apis import APIS
from console.core.retry_reading import read_stored
from console.extensions import current_work
from console.models import AuditEntry
from console.web import times
from console.web.bins.changing import BREAKS
from console.web.filters import FORMAT_NAMES, absolute, duration, milliseconds, plural, shorten
from console.web.hooks.retries import KINDS, times_of

LONGEST_VALUE = 120
NOTHING = "none"
DEFAULT = "default"
MAKING = frozenset({"created", "issued", "invited", "started", "tried"})
"""After these verbs nothing was there before, and what is empty says nothing."""
ONE_SIDED = frozenset({"reason", "overlap_seconds", "deliveries", "hooks", "percent_of_5_days"})
"""Facts of what was done, which had no value before."""
UNSEEN = frozenset({"sealed_headers", "dialect_data"})
"""Their values are secret or another API's: it is only said that they changed."""

LABELS: Mapping[str, str] = MappingProxyType(
    {
        **{api.name: api.title for api in APIS.values()},
        "all_events": "Every event, future types too",
        "answer_body": "Body",
        "answer_status": "Status",
        "breaks_off": "The connection",
        "delay_ms": "Wait before answering",
        "dialect_data": "What only its API knows",
        "event_groups": "Groups of event types",
        "expires_at": "Expires",
        "fail_next": "Fail the next requests",
        "filter": "Only when the payload satisfies",
        "is_active": "Switch",
        "is_staff": "Staff",
        "json_schema": "JSON Schema",
        "max_in_flight": "Requests at a time",
        "overlap_seconds": "Both secrets sign for",
        "percent_of_5_days": "Has failed for",
        "reason": "Why",
        "retention_days": "Retention",
        "retry": "Retries",
        "retry_after_s": "Retry-After",
        "sample": "Sample payload",
        "schema": "JSON Schema",
        "sealed_headers": "Headers",
        "timeout_s": "Timeout",
        "url": "URL",
        "validate": "Check payloads against the schema",
        "which": "Which deliveries",
    }
)
"""By the name of the field; others are labelled as they are called."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field with its value before and after in words; *before* is empty where there was none to speak of."""

    label: str
    before: str
    after: str


def changes_of(entry: AuditEntry) -> list[Change]:
    """Give the fields that changed."""
    is_new = entry.action.rpartition(".")[2] in MAKING
    return [
        change
        for name, value in entry.changes.items()
        if isinstance(value, list)
        and len(value) == 2  # noqa: PLR2004 before and after
        and (change := _change(name, *value, is_new=is_new)) is not None
    ]


def label_of(name: str) -> str:
    """Name a field as its form does."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def _change(name: str, before: Any, after: Any, *, is_new: bool) -> Change | None:
    label, is_empty = label_of(name), after in (None, "", [], {}, False)
    if is_new and (is_empty or name in UNSEEN):
        return None
    if name in UNSEEN:
        return Change(label, "", "changed")
    if is_new or name in ONE_SIDED:
        return Change(label, "", _words(name, after))
    return Change(label, _words(name, before), _words(name, after))


def _words(name: str, value: Any) -> str:
    try:
        words = WORDS[name](value) if name in WORDS else _plain(value)
    except (AttributeError, KeyError, TypeError, ValueError):  # an older version wrote it otherwise
        words = _plain(value)
    return shorten(words, LONGEST_VALUE)


def _plain(value: Any) -> str:
    if value in (None, "", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _or(empty: str, words: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: empty if value is None else words(value)


def _sources(value: list[str] | None) -> str:
    return "any" if value is None else ", ".join(value) or "only events without one"


def _retries(value: dict[str, Any] | None) -> str:
    if not value or value.get("kind") not in KINDS:
        return DEFAULT
    if read_stored(value)[1]:
        return KINDS[value["kind"]]
    shown = times_of(value, default=None)
    return f"{KINDS[value['kind']]}, {plural(shown.attempts, 'attempt')} over {shown.gives_up}"


def _moment(value: str) -> str:
    return absolute(datetime.fromisoformat(value), now=current_work().now(), zone=times.zone())


WORDS: Mapping[str, Callable[[Any], str]] = MappingProxyType(
    {
        "breaks_off": lambda value: BREAKS[value],
        "content_type": lambda value: {"json": "JSON", "form": "Form fields"}[value],
        "delay_ms": milliseconds,
        "expires_at": _or("never", _moment),
        "is_active": lambda value: "on" if value else "off",
        "largest_payload": _or(DEFAULT, lambda value: f"{value // 1024} KiB"),
        "max_in_flight": str,
        "overlap_seconds": lambda value: duration(value) if value else "no time",
        "payload_format": lambda value: FORMAT_NAMES.get(value, value),
        "percent_of_5_days": lambda value: f"{value}% of 5 days",
        "rate_limit": _or(
            NOTHING, lambda value: f"{plural(value['count'], 'request')} in {duration(value['seconds'])}"
        ),
        "retention_days": _or(DEFAULT, lambda value: plural(value, "day")),
        "retry": _retries,
        "retry_after_s": _or(NOTHING, duration),
        "retry_schedule": _or(DEFAULT, lambda value: f"{value.replace(',', ', ')} s"),
        "role": str.capitalize,
        "since": _or(NOTHING, _moment),
        "sources": _sources,
        "timeout_s": _or(DEFAULT, duration),
        "until": _or(NOTHING, _moment),
        "which": str.capitalize,
    }
)
"""How the values of a field are said; others are said as they are."""
