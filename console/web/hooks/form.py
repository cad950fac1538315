"""The hook form: its fields, how a hook fills them, and what they make of a hook. The rules are the service's."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from flask import request
from wtforms import BooleanField, Field, HiddenField, RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, Optional, ValidationError

from console.core.catalogue import OMS
from console.core.envelopes import FORMATS
from console.core.errors import FieldError, Invalid
from console.core.foreign_apis import APIS
from console.core.headers import is_sensitive
from console.core.patterns import Subscription
from console.core.retry import RetryPolicy
from console.extensions import current_work
from console.models import Hook
from console.services.hooks import hook_fields, hook_secrets
from console.services.hooks.credentials import PASSWORD_NEEDED, Kept
from console.services.hooks.hook_fields import LONGEST_TIMEOUT_S, MOST_IN_FLIGHT, UNSET, HookDraft
from console.web import access, typed
from console.web.filters import FORMAT_NAMES, plural
from console.web.forms import WholeNumber, accept, options
from console.web.hooks import coming_secrets, oms
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
    sealed_secret = HiddenField("Signing secret")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.header_problems: dict[str, str] = {}
        """What is wrong with a header, by the name that it was sent with."""

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

    def offer_formats(self, apis: Collection[str]) -> None:
        """Leave out the payload formats of APIs that are not among those switched on, but for the one chosen."""
        self.payload_format.choices = options(
            {
                name: FORMAT_NAMES.get(name, name)
                for name in FORMATS
                if name not in APIS or name in apis or name == self.payload_format.data
            }
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

    def wanted(self, hook: Hook | None) -> HookDraft | None:
        """Return what the form wants a hook to be; None when anything is wrong, all of which then is at its field."""
        self.validate()
        known = {field.name for field in self if field.errors}
        draft, wrong = self._read(hook)
        number = access.place().organization.number
        try:
            hook_fields.check(current_work(), organization_number=number, draft=draft, hook=hook)
        except Invalid as error:
            wrong.extend(error.fields)
        self.complain(Invalid(*(one for one in wrong if one.pointer.strip("/").split("/")[0] not in known)))
        return None if self.errors else draft

    def _read(self, hook: Hook | None) -> tuple[HookDraft, list[FieldError]]:
        """Read all that can be read; what cannot is unset, with the reasons."""
        wrong: list[FieldError] = []

        def read(part: Callable[[], Any]) -> Any:
            try:
                return part()
            except Invalid as error:
                wrong.extend(error.fields)
                return UNSET

        draft = HookDraft(
            name=(self.name.data or "").strip(),
            url=(self.url.data or "").strip(),
            description=(self.description.data or "").strip() or None,
            all_events=bool(self.all_events.data),
            event_types=self.wanted_types,
            event_groups=self.event_groups.data,
            sources={ANY: None, NONE: []}.get(self.which_sources.data, self.sources.data),
            content_type=self.content_type.data,
            payload_format=self.payload_format.data,
            headers=read(headers_given),
            filter=self.filter.data or None,
            retry=read(lambda: self.retry(hook)),
            timeout=self.timeout.data,
            max_in_flight=DEFAULT_IN_FLIGHT if self.max_in_flight.data is None else self.max_in_flight.data,
            rate_limit=self._rate_limit(),
            dialect_data=read(lambda: self.dialect_data(hook)) if self.payload_format.data == OMS else UNSET,
            has_new_password=self.payload_format.data == OMS and self.has_new_password,
            secret=self.secret_of_new_hook() if hook is None else UNSET,
        )
        return draft, wrong

    def secret_of_new_hook(self) -> str:
        """Return the secret that a new hook will have: the one that was shown with the form, else a fresh one."""
        secret = coming_secrets.opened(self.sealed_secret.data or "")
        if secret is None:
            secret, self.sealed_secret.data = coming_secrets.fresh()
        return secret

    def validate_sealed_secret(self, field: Field) -> None:
        """Say so when the secret that was shown cannot be used; raise ValidationError, as WTForms wants it."""
        if field.data and coming_secrets.opened(field.data) is None:
            raise ValidationError("The secret shown before is no longer valid. Give the receiver the new one below.")

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
        for one in error.fields:
            complaint, names = one, dict(POINTERS)
            first, *rest = complaint.pointer.strip("/").split("/")
            if first == "headers" and rest:
                self.header_problems["/".join(rest).replace("~1", "/").replace("~0", "~")] = complaint.message
            if complaint.code == PASSWORD_NEEDED and self.payload_format.data == OMS:
                names[first] = "oms_password"
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
    """A header in the form. The value of a secret one is never given back.

    *kept* names the stored header that the row began with: it keeps that value, under any name, while no other is
    typed. *problem* is what is wrong with the row.
    """

    name: str = ""
    value: str = ""
    kept: str = ""
    problem: str = ""


def header_rows(hook: Hook | None, *, problems: Mapping[str, str]) -> list[HeaderRow]:
    """Return the rows to show: what was sent when the form was, else what the hook has; and an empty one."""
    if request.method == "POST" or "header_name" in typed.sent():
        rows = [replace(row, problem=problems.get(row.name, "")) for row in _rows_sent()]
    else:
        stored = hook_secrets.headers_of(current_work(), hook) if hook is not None else {}
        rows = [
            HeaderRow(name, kept=name) if is_sensitive(name) else HeaderRow(name, value)
            for name, value in stored.items()
        ]
    return [*rows, HeaderRow()]


def headers_given() -> dict[str, str | Kept]:
    """Read the rows that were sent; a row without a value keeps the secret that it began with.

    Raise Invalid for a value without a name and for a name that stands there twice.
    """
    given: dict[str, str | Kept] = {}
    for row in _rows_sent():
        if not row.name:
            raise Invalid.field("headers", "One of the headers has a value and no name.", code="header_invalid")
        if row.name in given:
            raise Invalid.field("headers", f"{row.name} is given twice; keep one.", code="header_invalid")
        given[row.name] = Kept(row.kept) if row.kept and not row.value else row.value
    return given


def _rows_sent() -> list[HeaderRow]:
    names, values, kept = (typed.sent().getlist(f"header_{part}") for part in ("name", "value", "kept"))
    rows = [HeaderRow(*map(str.strip, row)) for row in zip_longest(names, values, kept, fillvalue="")]
    return [row for row in rows if row.name or row.value]


LIMITS = {"timeout": LONGEST_TIMEOUT_S, "in_flight": MOST_IN_FLIGHT}
"""The largest values, for the help texts."""
