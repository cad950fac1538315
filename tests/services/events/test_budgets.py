"""The processor time that the filters and schemas of one request may take together, and what becomes of the rest."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import delete, select

from console.core.errors import Conflict, Invalid
from console.models import Delivery, Event, Hook, Which
from console.services.event_types import catalogue
from console.services.events import event_resends, explaining, fan_outs, judging, publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.replays import missed
from console.services.replays.planning import ReplayDraft, plan, scope_of
from console.services.work import Work

ITEMS = 10_000
NUMBERS = json.dumps({"items": list(range(ITEMS))}).encode()
SLOW_PATTERN = {"properties": {"text": {"pattern": "^(a|aa)+$"}}}
SLOW_TEXT = b'{"text": "%s!"}' % (b"a" * 80)


def slow_filter(least: int) -> str:
    """Return a filter that looks at every item, in some 10 to 50 ms; it passes if one is larger than *least*."""
    return f"length(items[?@ > `{least}`]) > `0`"


def make_hook(work: Work, person, filter_: str | None = None) -> Hook:
    draft = HookDraft(url="https://example.com/hook", all_events=True, filter=filter_)
    return hooks.create(work, organization_number=person.organization.number, author_number=None, draft=draft).hook


def slow_hooks(work: Work, person, count: int) -> set[int]:
    """Create hooks with slow filters, of which every other passes; return the numbers of those."""
    made = [make_hook(work, person, slow_filter(number + ITEMS * (number % 2))) for number in range(count)]
    return {hook.number for hook in made[::2]}


def publish(work: Work, person, payload: bytes = NUMBERS, **fields: str) -> publishing.Published:
    draft = EventDraft(type="stock.counted", payload=payload, **fields)
    return publishing.publish(work, organization_number=person.organization.number, draft=draft)


def receivers(work: Work, published: publishing.Published) -> set[int]:
    return set(work.session.scalars(select(Delivery.hook_number).where(Delivery.event_number == published.number)))


@contextmanager
def processor_time(*, below_s: float) -> Iterator[None]:
    began = time.thread_time()
    yield
    assert time.thread_time() - began < below_s


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests and pages have 0.1 s."""
    for module in (publishing, event_resends):
        monkeypatch.setattr(module, "REQUEST_S", 0.1)
    monkeypatch.setattr(explaining, "PAGE_S", 0.1)
    monkeypatch.setattr(fan_outs, "SLICE_S", 0.1)


# --- publishing -----------------------------------------------------------------------------------------------------


def test_a_batch_against_a_slow_schema_is_refused_within_the_time_of_a_request(work: Work, ada, monkeypatch) -> None:
    monkeypatch.setattr(publishing, "REQUEST_S", 0.8)
    organization = ada.organization.number
    fields = {"schema": SLOW_PATTERN, "validate": True}
    catalogue.create(work, organization_number=organization, name="stock.counted", **fields)
    drafts = [EventDraft(type="stock.counted", payload=SLOW_TEXT) for _ in range(20)]

    with processor_time(below_s=2.5), pytest.raises(Invalid) as caught:
        publishing.publish_batch(work, organization_number=organization, drafts=drafts)

    faults = caught.value.fields
    assert [fault.pointer for fault in faults] == [f"/events/{place}/payload" for place in range(20)]
    assert {fault.code for fault in faults} == {"schema_unchecked"}
    assert "takes too long" in faults[0].message
    assert "Send fewer events in a batch" in faults[-1].message
    assert work.session.scalars(select(Event)).all() == []


@pytest.mark.usefixtures("hasty")
@pytest.mark.both_databases
def test_filters_that_a_request_has_no_time_for_are_applied_by_the_workers_and_nothing_is_lost(work: Work, ada) -> None:
    passing = slow_hooks(work, ada, 12)
    plain = make_hook(work, ada)

    with processor_time(below_s=0.6):
        published = publish(work, ada)
    event = work.session.get_one(Event, published.number)
    assert event.fanout_pending
    assert len(passing) < published.deliveries <= 13
    assert receivers(work, published) == set()

    fan_outs.finish(work)

    assert receivers(work, published) == passing | {plain.number}
    work.session.refresh(event)
    assert (event.fanout_pending, event.delivery_count) == (False, 7)


@pytest.mark.usefixtures("hasty")
def test_the_leader_applies_slow_filters_a_slice_at_a_time_and_goes_on_where_it_stopped(work: Work, ada) -> None:
    passing = slow_hooks(work, ada, 12)
    published = publish(work, ada)
    progress = fan_outs.Progress()
    calls = 0

    while not receivers(work, published):
        with processor_time(below_s=0.6):
            fan_outs.finish(work, progress=progress)
        calls += 1

    assert calls > 1
    assert receivers(work, published) == passing
    assert progress.begun == {}


@pytest.mark.usefixtures("hasty")
@pytest.mark.both_databases
def test_organizations_take_turns_with_slow_filters_and_both_come_to_their_end(work: Work, ada, mallory) -> None:
    passing = slow_hooks(work, ada, 12)
    others = slow_hooks(work, mallory, 12)
    flood = [publish(work, ada) for _ in range(3)]
    other = publish(work, mallory)
    progress = fan_outs.Progress()

    while not receivers(work, other):
        fan_outs.finish(work, progress=progress)

    assert receivers(work, other) == others
    assert receivers(work, flood[-1]) == set()
    while fan_outs.finish(work, progress=progress) or progress.begun:
        pass
    assert [receivers(work, one) for one in flood] == [passing] * 3


@pytest.mark.usefixtures("hasty")
def test_what_was_said_of_an_event_that_is_gone_is_forgotten(work: Work, ada) -> None:
    slow_hooks(work, ada, 12)
    published = publish(work, ada)
    progress = fan_outs.Progress()
    fan_outs.finish(work, progress=progress)
    assert list(progress.begun) == [published.number]

    with work.transaction():
        work.session.execute(delete(Event))

    assert fan_outs.finish(work, progress=progress) == 0
    assert progress.begun == {}


@pytest.mark.usefixtures("hasty")
def test_a_batch_leaves_to_the_workers_only_the_events_that_it_had_no_time_for(work: Work, ada) -> None:
    [passing] = slow_hooks(work, ada, 1)
    drafts = [EventDraft(type="stock.counted", payload=NUMBERS) for _ in range(30)]

    made = publishing.publish_batch(work, organization_number=ada.organization.number, drafts=drafts)

    pending = [work.session.get_one(Event, one.number).fanout_pending for one in made]
    assert pending == sorted(pending)
    assert (pending[0], pending[-1]) == (False, True)
    fan_outs.finish(work, limit=30)
    assert [receivers(work, one) for one in made] == [{passing}] * 30


@pytest.mark.usefixtures("hasty")
def test_an_event_that_waits_for_its_filters_is_still_published_once(work: Work, ada) -> None:
    slow_hooks(work, ada, 12)

    first, again = publish(work, ada, key="k"), publish(work, ada, key="k")

    assert first == again
    fan_outs.finish(work)
    assert publish(work, ada, key="k").id == first.id


def test_a_schema_is_read_once_for_all_payloads_of_a_batch(work: Work, ada, monkeypatch) -> None:
    made = []
    original = judging.Schema
    monkeypatch.setattr(judging, "Schema", lambda *given, **named: made.append(1) or original(*given, **named))
    fields = {"schema": {"type": "object", "title": "Read once"}, "validate": True}
    catalogue.create(work, organization_number=ada.organization.number, name="read.once", **fields)
    drafts = [EventDraft(type="read.once", payload=b"{}") for _ in range(50)]

    publishing.publish_batch(work, organization_number=ada.organization.number, drafts=drafts)

    assert len(made) == 1


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("hasty")
def test_an_explanation_ends_early_when_filters_are_slow(work: Work, ada) -> None:
    slow_hooks(work, ada, 12)
    event = work.session.get_one(Event, publish(work, ada).number)

    with processor_time(below_s=0.6):
        found = explaining.of_event(work, event=event, deliveries=[])

    assert 1 <= len(found) < 12


@pytest.mark.usefixtures("hasty")
def test_a_slow_filter_is_tried_on_fewer_events(work: Work, ada) -> None:
    hook = make_hook(work, ada, slow_filter(1))
    for _ in range(20):
        publish(work, ada)
    wanted = explaining.subscription_of(hook)

    with processor_time(below_s=0.6):
        trial = explaining.try_filter(work, organization_number=ada.organization.number, wanted=wanted)

    assert 1 <= trial.tried < 20
    assert trial.passed == trial.tried


@pytest.mark.usefixtures("hasty")
def test_a_resend_to_all_whose_filters_take_too_long_sends_nothing_and_says_what_to_do(work: Work, ada) -> None:
    published = publish(work, ada)
    slow_hooks(work, ada, 12)
    event = work.session.get_one(Event, published.number)

    with processor_time(below_s=0.6), pytest.raises(Conflict, match="one by one") as caught:
        event_resends.to_wanting(work, event=event)

    assert caught.value.code == "filters_too_slow"
    assert receivers(work, published) == set()


def test_a_look_at_missed_events_ends_early_and_the_next_goes_on_there(work: Work, ada, monkeypatch) -> None:
    published = [publish(work, ada) for _ in range(20)]
    hook = make_hook(work, ada, slow_filter(1))
    scope = scope_of(work, ada.organization.number, ReplayDraft(which=Which.MISSING, hook=hook))
    monkeypatch.setattr(missed, "PAGE_S", 0.1)
    listener = missed.targets(work, scope)[0]
    seen: list[int] = []
    after, has_more, looks = 0, True, 0

    while has_more:
        with processor_time(below_s=0.6):
            found = missed.missed(work, scope, listener, after=after, look_at=100)
        seen += [number for number, _ in found.rows]
        after, has_more, looks = found.last, found.has_more, looks + 1

    assert looks > 1
    assert seen == [one.number for one in published]


def test_a_plan_of_a_replay_says_that_it_did_not_look_at_all_events(work: Work, ada, monkeypatch) -> None:
    for _ in range(20):
        publish(work, ada)
    hook = make_hook(work, ada, slow_filter(1))
    for name in ("shares", "planning"):
        monkeypatch.setattr(f"console.services.replays.{name}.PAGE_S", 0.1)

    with processor_time(below_s=1.0):
        found = plan(
            work, organization_number=ada.organization.number, draft=ReplayDraft(which=Which.MISSING, hook=hook)
        )

    assert found.is_capped
    assert 1 <= found.to_send < 20
