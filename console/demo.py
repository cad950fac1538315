"""The demo of ``hookyard up --demo``: a sample organization, hooks on bins of the built-in receiver, some events.

A process of its own that works through the services, as any program would through the API. It starts from whatever is
there, so a second start goes on with the first one's data. One bin answers, one fails now and then, one always.
"""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event as Flag
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from console import logs
from console.core.errors import Busy, Conflict, NotFound
from console.database import create_engine
from console.models import Bin, Hook, Organization
from console.ring import RedisRing
from console.services.bins import bins
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.keys import KeyRing
from console.services.organizations import organizations, sources
from console.services.work import Actor, Work
from console.settings import load_settings

SLUG = "demo"
BURST = 12
"""Events published at once, so that the first page somebody opens shows something."""
EVERY_S = 3.0
HICCUP_EVERY = 9
"""Every so many events, the flaky bin fails the next request."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """A hook on a bin of its own; *hook* and *bin* are the fields that differ from the defaults."""

    name: str
    hook: dict[str, Any] = field(default_factory=dict)
    bin: dict[str, Any] = field(default_factory=dict)


FLAKY = Sample(
    "Ticket mailer",
    hook={"event_types": ["pretix.event.order.paid", "pretix.event.order.canceled"], "sources": ["conference"]},
)
SAMPLES = (
    Sample("Everything, for the archive", hook={"all_events": True}),
    Sample("Warehouse", hook={"event_types": ["package.*", "shipment.*"], "sources": ["shop"]}),
    FLAKY,
    Sample(
        "Old accounting system",
        hook={
            "event_types": ["pretix.event.order.paid", "shipment.created"],
            "retry": {"kind": "fixed", "seconds": 15, "attempts": 4},
        },
        bin={"answer_status": 503, "answer_body": "Down for maintenance since 2019."},
    ),
)
SOURCES = {"shop": "The web shop", "conference": "The conference"}


def happenings() -> Iterator[EventDraft]:
    """Give events without end: orders of a conference and parcels of a shop, numbered on."""
    start = int(datetime.now(UTC).timestamp()) % 100_000
    for number in itertools.count(start):
        order, package = f"DEMO{number}", f"PK-{number}"
        yield _event("pretix.event.order.placed", "conference", {"organizer": "demo", "event": "pycon", "code": order})
        yield _event("package.created", "shop", {"pk": number, "number": package, "status": "created"})
        yield _event("pretix.event.order.paid", "conference", {"organizer": "demo", "event": "pycon", "code": order})
        yield _event("package.status.packed", "shop", {"pk": number, "number": package, "status": "packed"})
        yield _event("shipment.created", "shop", {"pk": number, "number": f"SH-{number}", "packages": [package]})


def _event(event_type: str, source: str, payload: dict[str, Any]) -> EventDraft:
    return EventDraft(type=event_type, source=source, payload=json.dumps(payload).encode())


def prepare(work: Work) -> Organization:
    """Make the sample organization with its sources, bins and hooks, as far as they are not there yet."""
    try:
        organization = organizations.get(work, slug=SLUG)
    except NotFound:
        organization = organizations.create(work, slug=SLUG, name="Demo")
    for slug, name in SOURCES.items():
        try:
            sources.create(work, organization_number=organization.number, slug=slug, name=name)
        except Conflict:
            continue
    for sample in SAMPLES:
        _prepare_hook(work, organization, sample)
    return organization


def bin_of(work: Work, organization: Organization, sample: Sample) -> Bin:
    """Give the bin of *sample*, made when it is missing."""
    found = work.session.scalar(
        select(Bin).where(Bin.organization_number == organization.number, Bin.name == sample.name)
    )
    return found or bins.create(work, organization=organization, name=sample.name, is_pinned=True, **sample.bin)


def _prepare_hook(work: Work, organization: Organization, sample: Sample) -> None:
    """Make the hook of *sample*, or lead it to where Hookyard is reached now; what people changed stays."""
    url = f"{work.settings.base_url}/in/{bin_of(work, organization, sample).key}"
    hook = work.session.scalar(
        select(Hook).where(
            Hook.organization_number == organization.number, Hook.name == sample.name, Hook.deleted_at.is_(None)
        )
    )
    if hook is None:
        draft = HookDraft(name=sample.name, url=url, **sample.hook)
        hooks.create(work, organization_number=organization.number, author_number=None, draft=draft)
    elif "/in/" in hook.url and hook.url != url:
        hooks.change(work, hook=hook, draft=HookDraft(url=url))


def trickle(work: Work, organization: Organization, *, stopped: Flag) -> None:
    """Publish a burst and then one event every few seconds until *stopped*."""
    for number, draft in enumerate(happenings()):
        if stopped.wait(0 if number < BURST else EVERY_S):
            return
        try:
            if number % HICCUP_EVERY == 0:
                flaky = bin_of(work, organization, FLAKY)
                with work.transaction():  # not as a person does it, who stands in the audit log
                    flaky.fail_next = 1
            publishing.publish(work, organization_number=organization.number, draft=draft)
        except Busy:
            _log.info("the database is busy, the event is skipped", event_type=draft.type)


def main() -> None:
    """Prepare, then publish until told to stop."""
    stopped = Flag()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    settings = load_settings()
    logs.configure(settings.log_level)
    engine = create_engine(settings.sqlalchemy_url, pool_size=1)
    with Session(engine, expire_on_commit=False) as session:
        work = Work(
            session=session,
            settings=settings,
            keys=KeyRing(settings.secret_keys),
            ring=RedisRing(settings.redis_url),
            actor=Actor(name="Demo"),
        )
        organization = prepare(work)
        _log.info("the demo publishes", organization=SLUG)
        trickle(work, organization, stopped=stopped)
    engine.dispose()


if __name__ == "__main__":
    main()
