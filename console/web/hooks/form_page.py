"""The page of a hook's form, and the parts of it that htmx asks for while somebody types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, partial

from flask import Response, url_for

from console.core.catalogue import OMS
from console.core.errors import Refused
from console.core.patterns import is_pattern
from console.core.permissions import Permission, grants
from console.core.targets import check_url, display_host, is_loopback
from console.extensions import current_work
from console.models import Hook
from console.services.event_types import catalogue, type_entries
from console.services.event_types.type_entries import TypeEntry
from console.services.figures import type_hours
from console.services.figures.type_hours import Volume
from console.services.hooks.hook_tests import TEST_TYPE
from console.services.organizations import defaults, sources
from console.web import access, hx, typed
from console.web.apis import names_with_types, on_here
from console.web.hooks import picker
from console.web.hooks.filtering import FilterWords, filter_words
from console.web.hooks.form import LIMITS, HookForm, header_rows
from console.web.hooks.oms import has_password
from console.web.hooks.previews import Preview, preview_of
from console.web.hooks.resolving import is_unknown
from console.web.hooks.retries import fields_of, times_of
from console.web.hooks.shared import WRONG, name_of
from console.web.hooks.testing import TestResult
from console.web.hx import Later

OK = 200
SEEN_LATELY = timedelta(days=30)
VIEWS = ("url_words", "matching", "filter_words", "dialect", "retry", "times", "preview")
"""The parts of the form that htmx asks for while somebody types."""


@dataclass(frozen=True, slots=True)
class UrlWords:
    """What is said under the URL: whether it is good, in words."""

    tone: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that two people changed at the same time."""

    label: str
    theirs: str
    yours: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What the form page shows beside the form itself; *trial* is a test of it that was just sent."""

    form: HookForm
    hook: Hook | None = None
    note: str = ""
    differences: Sequence[Difference] = field(default_factory=tuple)
    is_open: bool = False
    trial: TestResult | None = None


def form_page(draft: Draft, *, status: int = OK, block: str | None = None) -> Response:
    """Render the form, or only one block of it for htmx: what the block does not show is not computed."""
    form, hook, work, here = draft.form, draft.hook, current_work(), access.place().organization
    typed.fill({"form": form})
    usual_retry = defaults.retry_of(work.settings, here.retry_schedule)
    form.name_default(times_of(None, default=usual_retry))
    form.prepare_oms(hook)
    form.offer_formats(on_here())
    names, groups = form.event_types.data, form.event_groups.data
    types = cache(lambda: type_entries.entries(work, organization_number=here.number, names=names, groups=groups))
    activity = cache(partial(type_hours.activity, work, organization_number=here.number))
    known = cache(lambda: picker.known_types(types(), seen=activity().seen, since=work.now() - SEEN_LATELY))
    matched = cache(lambda: _matching(form, known(), activity().volumes))
    is_whole = block is None or not hx.wants_fragment()
    shows_secret = is_whole and hook is None and grants(access.place().permissions, Permission.WEBHOOKS_ADD)
    return hx.page(
        "hooks/form.html",
        block=block,
        status=status,
        form=form,
        hook=hook,
        name=name_of(hook) if hook else "",
        note=draft.note,
        differences=draft.differences,
        is_open=draft.is_open or status == WRONG,
        trial=draft.trial,
        action=url_for("hooks.update", hook_id=hook.id) if hook else url_for("hooks.create"),
        parts={name: url_for("hooks.part", part=name, hook=hook.id if hook else None) for name in VIEWS},
        url_words=Later(lambda: _url_words(form, is_being_typed=block == "url_words")),
        picker=Later(lambda: picker.arranged(known(), names=names, groups=groups)),
        packaged_by=Later(names_with_types),
        matching=Later(matched),
        filter_words=Later(lambda: _filter_words(form, types())),
        sources=Later(partial(sources.all_of, work, organization_number=here.number)),
        headers=Later(lambda: header_rows(hook, problems=form.header_problems)),
        coming_secret=form.secret_of_new_hook() if shows_secret else "",
        retry_fields=fields_of(form.retry_kind.data or ""),
        times=Later(lambda: form.times(hook, default=usual_retry)),
        limits=LIMITS,
        default_timeout=defaults.timeout_of(work.settings, here.timeout_s),
        has_password=Later(partial(has_password, hook)),
        preview=Later(lambda: _preview(form, hook, types(), matched())),
    )


def _filter_words(form: HookForm, types: Sequence[TypeEntry]) -> FilterWords | None:
    if form.filter.errors:
        return None
    return filter_words((form.filter.data or "").strip(), wanted=form.subscription, types=types)


def _url_words(form: HookForm, *, is_being_typed: bool) -> UrlWords:
    """Check the URL as saving would, and say where requests go."""
    url = (form.url.data or "").strip()
    if not url or form.url.errors:
        return UrlWords()
    try:
        target = check_url(url, policy=current_work().settings.target_policy)
    except Refused as error:
        return UrlWords("bad", error.message)
    if is_being_typed and is_unknown(target):
        return UrlWords("wait", f"{display_host(target.host)} cannot be found just now. It can be saved all the same.")
    if target.is_bin:
        return UrlWords("good", "This is a bin of Hookyard's own receiver.")
    if target.scheme == "http" and not is_loopback(target.host):
        return UrlWords(
            "wait", f"Requests go to {display_host(target.host)} over plain http: anybody on the way can read them."
        )
    return UrlWords("good", f"Requests go to {display_host(target.host)}.")


def _matching(form: HookForm, types: Sequence[picker.Known], volumes: Mapping[str, Volume]) -> picker.Matching:
    return picker.matching(
        types,
        all_events=bool(form.all_events.data),
        event_types=form.wanted_types,
        groups=form.event_groups.data,
        volumes=volumes,
    )


def _preview(form: HookForm, hook: Hook | None, types: Sequence[TypeEntry], matched: picker.Matching) -> Preview | None:
    known = {one.name for one in types if not is_pattern(one.name)}
    name = next((name for name in (*matched.names, TEST_TYPE) if name in known), "order.paid")
    here = access.place().organization
    sample = catalogue.sample_of(current_work(), organization_number=here.number, name=name)
    return preview_of(
        name,
        sample={"order": 17} if sample is None else sample,
        payload_format=form.payload_format.data or "standard",
        content_type=form.content_type.data or "json",
        organization_slug=here.slug,
        headers=[
            *(form.oms_headers if form.payload_format.data == OMS else ()),
            *(
                (row.name, row.value or ("kept" if row.kept else ""))
                for row in header_rows(hook, problems={})
                if row.name
            ),
        ],
    )
