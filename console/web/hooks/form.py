"""The hook form: its fields, how a hook fills them, and what they make of a hook. The rules are the service's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from wtforms import BooleanField, Field, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Optional

from console.core.catalogue import OMS
from console.core.envelopes import FORMATS
from console.core.errors import FieldError, Invalid
from console.core.headers import is_sensitive
from console.core.patterns import Subscription
from console.core.retry import RetryPolicy
from console.extensions import current_work
from console.models import Hook
from console.services.hooks import hook_secrets
from console.services.hooks.hook_fields import LONGEST_TIMEOUT_S, MOST_IN_FLIGHT, UNSET, HookDraft
from console.web.filters import FORMAT_NAMES, plural
from console.web.forms import WholeNumber, accept, options
from console.web.hooks import oms
from console.web.hooks.retries import KINDS, Times, parameters_of, planned, retry_of, said_at_field

ANY, SOME, NONE = "any", "some", "none"
DEFAULT_IN_FLIGHT = 16
SOURCES = {
    ANY: "Events of any source",
    SOME: "Only of these, and those without a source",
    NONE: "Only events without a source",
}
POINTERS = {"event_groups": "event_types", "retry": "retry_kind", "sources": "which_sources"}
"""Fields of a hook whose complaints stand under a field of another name."""


class ListField(Field):
    """All values that were sent under one name, in their order."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Take them as they are."""
        self.data = [value for value in valuelist if value]


class HookForm(oms.OmsPart):
    """Everything a person may set of a hook."""

    version = HiddenField()
    name = StringField("Name")
    url = StringField("URL", [DataRequired("Give the URL that events are sent to.")])
    description = TextAreaField("Description")
    all_events = BooleanField("Every event, future types too")
    event_types = ListField("Events", default=list)
    event_groups = ListField("Groups", default=list)
    patterns = StringField("Other types and patterns")
    filter = StringField("Only when the payload satisfies")
    payload_format = SelectField(
        "Payload format", choices=options({name: FORMAT_NAMES.get(name, name) for name in FORMATS}), default="standard"
    )
    content_type = RadioField("Content type", choices=options({"json": "JSON", "form": "Form fields"}), default="json")
    headers = ListField("Headers", default=list)
    sources = ListField("Sources", default=list)
    which_sources = RadioField(
        "Sources",
        choices=options(SOURCES),
        default=ANY,
    )
    retry_kind = SelectField("Retries", choices=options(KINDS), default="")
    retry_seconds = StringField("Seconds between attempts")
    retry_start = StringField("First wait in seconds")
    retry_base = StringField("Longer by")
    retry_factor = StringField("First wait in seconds")
    retry_limit = StringField("Longest wait in seconds")
    retry_min = StringField("Shortest wait in seconds")
    retry_max = StringField("Longest wait in seconds")
    retry_delays = StringField("Waits in seconds")
    retry_attempts = StringField("Attempts in all")
    retry_jitter = StringField("Jitter")
    retry_expires_after = StringField("Give up after seconds")
    timeout = WholeNumber("Timeout in seconds", [Optional()])
    max_in_flight = WholeNumber("Requests at a time", [Optional()], default=DEFAULT_IN_FLIGHT)
    rate_count = WholeNumber("Rate limit: requests", [Optional()])
    rate_seconds = WholeNumber("Rate limit: in seconds", [Optional()])

    @property
    def wanted_types(self) -> list[str]:
        """The ticked types and the patterns that were typed."""
        typed = re.split(r"[\s,;]+", self.patterns.data or "")
        return list(dict.fromkeys([*self.event_types.data, *filter(None, typed)]))

    @property
    def subscription(self) -> Subscription:
        """What stands in the form, its filter left out."""
        sources = {ANY: None, NONE: []}.get(self.which_sources.data, self.sources.data)
        return Subscription.of(
            self.wanted_types, all_events=bool(self.all_events.data), groups=self.event_groups.data, sources=sources
        )

    def name_default(self, times: Times) -> None:
        """Say beside "Default" what it comes to."""
        words = f"Default ({plural(times.attempts, 'attempt')} over {times.gives_up})"
        self.retry_kind.choices = options({**KINDS, "": words})
        if self.retry_kind.data == "exponential":
            self.retry_base.label.text = "Times longer"

    def times(self, hook: Hook | None, *, default: RetryPolicy) -> Times:
        """Say which waits follow from what was typed, or by its label which field keeps them from it.

        Nothing when that field says so itself.
        """
        try:
            return planned(self.retry(hook), default=default)
        except Invalid as error:
            complaint = error.fields[0]
            field = self[self._name_of(complaint)]
        if field.errors:
            return Times()
        label = field.label.text
        return Times(problem=f"{label}: {said_at_field(complaint)}") if field.data else Times(missing=label)

    def add_pattern(self, pattern: str) -> None:
        """Put a pattern in the place of the name that it was offered for."""
        name = pattern.removesuffix(".*")
        typed = [one for one in re.split(r"[\s,;]+", self.patterns.data or "") if one and one.rstrip(".") != name]
        self.patterns.data = ", ".join([*typed, pattern])

    def draft(self, hook: Hook | None) -> HookDraft:
        """Say what the form wants a hook to be; raise Invalid for what cannot even be said."""
        return HookDraft(
            name=(self.name.data or "").strip(),
            url=(self.url.data or "").strip(),
            description=(self.description.data or "").strip() or None,
            all_events=bool(self.all_events.data),
            event_types=self.wanted_types,
            event_groups=self.event_groups.data,
            sources={ANY: None, NONE: []}.get(self.which_sources.data, self.sources.data),
            content_type=self.content_type.data,
            payload_format=self.payload_format.data,
            headers=headers_given(hook),
            filter=self.filter.data or None,
            retry=self.retry(hook),
            timeout=self.timeout.data,
            max_in_flight=DEFAULT_IN_FLIGHT if self.max_in_flight.data is None else self.max_in_flight.data,
            rate_limit=self._rate_limit(),
            dialect_data=self.dialect_data(hook) if self.payload_format.data == OMS else UNSET,
        )

    def retry(self, hook: Hook | None) -> dict[str, Any] | None:
        """Make the retry policy; what the API can say of the usual schedule, and this form cannot, is kept."""
        given = retry_of(self.retry_kind.data or "", {name: self[f"retry_{name}"].data for name in RETRY_FIELDS})
        had = hook.retry if hook is not None else None
        return had if given is None and had is not None and had.get("kind") == "schedule" else given

    def _rate_limit(self) -> dict[str, int] | None:
        count, seconds = self.rate_count.data, self.rate_seconds.data
        return None if count is None and seconds is None else {"count": count or 0, "seconds": seconds or 0}

    def complain(self, error: Invalid) -> None:
        """Put what the service says under the fields it is about."""
        names = dict(POINTERS)
        for one in error.fields:
            complaint = one
            first, *rest = complaint.pointer.strip("/").split("/")
            if first == "event_types" and rest:
                place = int(rest[0])
                names[first] = "patterns" if self.wanted_types[place] not in self.event_types.data else "event_types"
            elif first in {"retry", "rate_limit"} and rest:
                names[first] = self._name_of(complaint)
                if first == "retry":
                    complaint = replace(complaint, message=said_at_field(complaint))
            accept(self, error=Invalid(complaint), names=names)

    def _name_of(self, complaint: FieldError) -> str:
        """Name the field that a complaint about a part of the retry policy or of the rate limit stands at."""
        first, *rest = complaint.pointer.strip("/").split("/")
        name = f"{first.removesuffix('_limit')}_{rest[0]}" if rest else ""
        return name if name in self else {"retry": "retry_kind"}.get(first, "rate_count")


RETRY_FIELDS = (
    "seconds",
    "start",
    "base",
    "factor",
    "limit",
    "min",
    "max",
    "delays",
    "attempts",
    "jitter",
    "expires_after",
)


def form_for(hook: Hook, *, known: Iterable[str]) -> HookForm:
    """Fill the form with what a hook is; *known* are the names of the catalogue, which can be ticked."""
    ticked, rate = set(known), hook.rate_limit or {}
    form = HookForm(
        formdata=None,
        data={
            "version": str(hook.version),
            "name": hook.name,
            "url": hook.url,
            "description": hook.description,
            "all_events": hook.all_events,
            "event_types": [name for name in hook.event_types if name in ticked],
            "patterns": ", ".join(name for name in hook.event_types if name not in ticked),
            "event_groups": hook.event_groups,
            "filter": hook.filter,
            "payload_format": hook.payload_format,
            "content_type": hook.content_type,
            "which_sources": ANY if hook.sources is None else SOME if hook.sources else NONE,
            "sources": hook.sources or [],
            "timeout": hook.timeout_s,
            "max_in_flight": hook.max_in_flight,
            "rate_count": rate.get("count"),
            "rate_seconds": rate.get("seconds"),
            **parameters_of(hook.retry),
        },
    )
    form.prepare_oms(hook)
    return form


# --- headers --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """A header in the form. The value of a sensitive one is never given back: *is_kept* says that there is one."""

    name: str
    value: str
    is_kept: bool = False


def header_rows(hook: Hook | None) -> list[HeaderRow]:
    """Give the rows to show: what was sent when the form was, else what the hook has; and an empty one."""
    kept = hook_secrets.headers_of(current_work(), hook) if hook is not None else {}
    secret_names = {name.lower() for name in kept if is_sensitive(name)}
    if request.method == "POST":
        pairs: Sequence[tuple[str, str]] = _pairs_sent()
    else:
        pairs = [(name, "" if is_sensitive(name) else value) for name, value in kept.items()]
    rows = [
        HeaderRow(name, value, not value and name.lower() in secret_names) for name, value in pairs if name or value
    ]
    return [*rows, HeaderRow("", "")]


def headers_given(hook: Hook | None) -> dict[str, str]:
    """Read the rows that were sent; an empty value keeps the secret that a header of that name has.

    Raise Invalid for a value without a name and for a name that stands there twice.
    """
    kept = (
        {name.lower(): value for name, value in hook_secrets.headers_of(current_work(), hook).items()} if hook else {}
    )
    given: dict[str, str] = {}
    for name, value in _pairs_sent():
        if not name and not value:
            continue
        if not name:
            raise Invalid.field("headers", "One of the headers has a value and no name.", code="header_invalid")
        if name in given:
            raise Invalid.field("headers", f"{name} is given twice; keep one.", code="header_invalid")
        given[name] = value or (kept.get(name.lower(), "") if is_sensitive(name) else "")
    return given


def _pairs_sent() -> list[tuple[str, str]]:
    names, values = request.form.getlist("header_name"), request.form.getlist("header_value")
    return [(name.strip(), value.strip()) for name, value in zip(names, values, strict=False)]


LIMITS = {"timeout": LONGEST_TIMEOUT_S, "in_flight": MOST_IN_FLIGHT}
"""The largest values, for the help texts."""
