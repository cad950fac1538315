"""The search box: an id, a URL, an event type or an object leads to the one thing it names, else to a short list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for

from console.core.errors import Invalid
from console.core.permissions import Permission
from console.extensions import current_work
from console.services.bins import bins
from console.services.deliveries import deliveries
from console.services.deliveries.delivery_filters import DeliveryFilter, id_span
from console.services.event_types import catalogue
from console.services.events import events
from console.services.events.event_abouts import abouts
from console.services.events.events import EventFilter
from console.services.hooks import hooks
from console.services.hooks.hooks import HookFilter
from console.web import access, hx
from console.web.delivery_rows import subjects_of
from console.web.events.shared import type_url
from console.web.hooks.shared import bin_url, hears, name_of

pages = Blueprint("search", __name__, url_prefix="/o/<organization>/search")

MOST = 8
LONGEST = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found; *text* is its name, *note* what tells it from others."""

    kind: str
    text: str
    note: str
    url: str


@pages.get("")
@access.requires(Permission.WEBHOOKS_VIEW)
def go() -> Response:
    """Jump to the one hit, or list them."""
    words = request.args.get("q", "").strip()[:LONGEST]
    found = list(hits_for(words)) if words else []
    if len(found) == 1:
        return hx.redirect_to(found[0].url)
    groups = {kind: [hit for hit in found if hit.kind == kind] for kind in dict.fromkeys(hit.kind for hit in found)}
    return hx.page("search/go.html", words=words, groups=groups, most=MOST)


def hits_for(words: str) -> Iterator[Hit]:
    """Yield what *words* name, a few of each kind."""
    yield from _hooks(words)
    yield from _deliveries(words)
    yield from _events(words)
    yield from _types(words)
    yield from _bins(words)


def _number() -> int:
    return access.place().organization.number


def _hooks(words: str) -> Iterator[Hit]:
    work = current_work()
    found = hooks.find(work, organization_number=_number(), wanted=HookFilter(q=words), limit=MOST)
    span = id_span(words)
    if span is not None:
        known = {hook.id for hook in found}
        everything = hooks.find(work, organization_number=_number(), wanted=HookFilter(), limit=1000)
        found += [hook for hook in everything if span[0] <= hook.id <= span[1] and hook.id not in known][:MOST]
    for hook in found:
        yield Hit("Hooks", name_of(hook), hears(hook), url_for("hooks.show", hook_id=hook.id))


def _deliveries(words: str) -> Iterator[Hit]:
    try:
        found = deliveries.find(
            current_work(), organization_number=_number(), wanted=DeliveryFilter(q=words), limit=MOST
        )
    except Invalid:
        return
    subjects = subjects_of(current_work(), found)
    for one in found:
        note = ", ".join(filter(None, (subjects.get(one.event_number), f"to {name_of(one.hook)}", one.state)))
        yield Hit("Deliveries", one.event_type, note, url_for("deliveries.show", delivery_id=one.id))


def _events(words: str) -> Iterator[Hit]:
    found = events.find(current_work(), organization_number=_number(), wanted=EventFilter(q=words), limit=MOST)
    subjects = abouts(current_work(), organization_number=_number(), numbers=[one.number for one in found])
    for one in found:
        note = subjects.get(one.number) or str(one.id)
        yield Hit("Events", one.type, note, url_for("events.show", event_id=one.id))


def _types(words: str) -> Iterator[Hit]:
    found = catalogue.find(current_work(), organization_number=_number(), q=words, limit=MOST)
    for one in sorted(found, key=lambda known: (known.name != words, known.name)):
        yield Hit("Event types", one.name, one.description, type_url(one.name))


def _bins(words: str) -> Iterator[Hit]:
    span = id_span(words)
    for one in bins.find(current_work(), organization_number=_number(), limit=200):
        url = bin_url(one)
        named = words.lower() in one.name.lower() or words.rstrip("/") == url or words == one.key
        if named or (span is not None and span[0] <= one.id <= span[1]):
            yield Hit("Bins", one.name, url, url_for("bins.show", bin_id=one.id))
