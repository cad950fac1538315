"""Replays: what they cover, and since when a hook fails."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event, select

from console.core.errors import Invalid, NotFound
from console.core.outcomes import Outcome
from console.models import (
    Delivery,
    DeliveryState,
    Event,
    ReplayState,
    Which,
)
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.event_types import catalogue
from console.services.events import publishing
from console.services.events.event_drafts import EventDraft
from console.services.hooks import hook_tests, hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.organizations import sources
from console.services.replays import missed, pace, planning, replays
from console.services.replays.selection import Skip
from tests.engine import attempts, delivery, make_hook, publish, put, scalars
from tests.services.replays.replay_stage import deliver, failed, finish, planned, start

pytestmark = pytest.mark.both_databases
DAY = timedelta(days=1)


# --- what it covers -------------------------------------------------------------------------------------------------


def test_failed_covers_deliveries_whose_latest_chain_failed(work, ada, clock) -> None:
    make_hook(work, ada)
    lost = failed(work, ada, 2)
    publish(work, ada)
    deliver(work)

    plan = planned(work, ada)
    row = start(work, ada)
    progress = finish(work, clock, row)

    assert (plan.to_send, plan.skips, plan.is_capped) == (2, {}, False)
    assert [one.delivery.number for one in plan.rows] == lost
    assert (progress.total, progress.queued, progress.delivered, progress.left) == (2, 2, 2, 0)
    assert row.state == ReplayState.DONE
    assert [(one.chain, one.trigger) for one in attempts(work, lost[0])] == [(1, "automatic"), (2, "replay")]
    assert (delivery(work, lost[0]).replay_number, delivery(work, lost[0]).state_before) == (row.number, "failed")


def test_missing_makes_deliveries_of_events_that_a_hook_wants_and_never_got(work, ada, clock) -> None:
    early = publish(work, ada, 2) + publish(work, ada, 1, type="cart.left")
    assert early == []
    hook = make_hook(work, ada, all_events=False, event_types=["order.*"])

    plan = planned(work, ada, Which.MISSING, hook=hook)
    progress = finish(work, clock, start(work, ada, Which.MISSING, hook=hook))

    assert plan.to_send == 2
    assert [(one.event_type, one.delivery) for one in plan.rows] == [("order.paid", None)] * 2
    assert progress.delivered == 2
    assert [event.delivery_count for event in scalars(work, select(Event).order_by(Event.number))] == [0, 0, 0]
    assert {(one.chain, one.trigger) for one in scalars(work, select(Delivery))} == {(1, "replay")}


def test_missing_heeds_sources_and_leaves_direct_events_and_tests_alone(work, ada, clock) -> None:
    number = ada.organization.number
    for slug in ("shop", "kiosk"):
        sources.create(work, organization_number=number, slug=slug)
        draft = EventDraft(type="order.paid", payload=b"{}", source=slug)
        publishing.publish(work, organization_number=number, draft=draft)
    other = make_hook(work, ada, all_events=False)
    publishing.publish_to(work, hook=other, draft=EventDraft(type="order.paid", payload=b"{}"))
    hook_tests.send(work, hook=other, event_type="order.paid")
    hook = make_hook(work, ada, sources=["shop"])

    progress = finish(work, clock, start(work, ada, Which.MISSING, hook=hook))

    assert progress.delivered == 1


def test_what_hooks_have_missed_is_counted_together_and_for_each_as_if_it_were_alone(work, ada, engine) -> None:
    sources.create(work, organization_number=ada.organization.number, slug="shop")
    catalogue.create(work, organization_number=ada.organization.number, name="cart.left", groups=["carts"])
    early = make_hook(work, ada)
    for type_ in ("order.paid", "order.paid", "cart.left", "order.new"):
        publish(work, ada, type=type_)
    for _ in range(2):
        publish(work, ada, type="order.paid", source="shop")
    drafts = [
        {"event_types": ["order.*"]},
        {"event_types": ["order.paid", "cart.left"]},
        {"event_groups": ["carts"]},
        {"event_types": ["order.new"], "sources": ["shop"]},
        {"event_types": ["no.such"]},
    ]
    late = [make_hook(work, ada, all_events=False, **draft) for draft in drafts]
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    work.session.commit()
    event.listen(engine, "before_cursor_execute", note)
    plan = planned(work, ada, Which.MISSING)
    event.remove(engine, "before_cursor_execute", note)

    counts = {share.hook.number: share.to_send for share in plan.shares if share.to_send}
    assert counts == dict(zip([hook.number for hook in late], [5, 5, 1, 1], strict=False))
    assert early.number not in counts
    for hook in late:
        assert planned(work, ada, Which.MISSING, hook=hook).to_send == counts.get(hook.number, 0)
    assert sum(" deliveries." in one and "GROUP BY" in one for one in asked) == 2


def test_a_preview_that_looked_at_some_events_says_so_whatever_types_come_later(work, ada, monkeypatch) -> None:
    monkeypatch.setattr(planning, "COUNT_CAP", 5)
    for type_ in ("order.paid",) * 5 + ("cart.left",):
        publish(work, ada, type=type_)
    make_hook(work, ada, all_events=False, event_types=["cart.left"])
    work.session.commit()

    plan = planned(work, ada, Which.MISSING)

    assert (plan.to_send, plan.is_capped) == (0, True)


def test_missing_heeds_the_filter_of_a_hook_and_counts_what_it_refuses(work, ada, clock) -> None:
    publish(work, ada, 5)  # {"n":0} to {"n":4}
    hook = make_hook(work, ada, filter="n > `2`")

    plan = planned(work, ada, Which.MISSING, hook=hook)
    row = start(work, ada, Which.MISSING, hook=hook)
    progress = finish(work, clock, row)

    assert (plan.to_send, plan.skips, len(plan.rows)) == (2, {Skip.FILTERED: 3}, 2)
    assert (progress.total, progress.delivered, progress.skipped, progress.left) == (5, 2, 3, 0)
    assert replays.skips_of(work, row) == {Skip.FILTERED: 3}


def test_missing_releases_what_was_held_or_canceled_before_an_attempt(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    failed(work, ada)
    held, canceled, waiting = publish(work, ada, 3)
    put(work, held, state="held", next_attempt_at=None, waiting_reason="Kept back when the hook was enabled")
    put(work, canceled, state="canceled", next_attempt_at=None, finished_at=clock.now())
    put(work, waiting, next_attempt_at=clock.now() + DAY)

    plan = planned(work, ada, Which.MISSING, hook=hook)
    progress = finish(work, clock, start(work, ada, Which.MISSING))

    assert (plan.to_send, plan.skips) == (2, {Skip.WAITING: 1})
    assert (progress.total, progress.delivered, progress.skipped) == (3, 2, 1)
    assert delivery(work, waiting).state == "pending"


def test_all_covers_delivered_ones_too(work, ada, clock) -> None:
    failed(work, ada)
    make_hook(work, ada)
    publish(work, ada, 2)
    deliver(work)
    failed(work, ada)

    progress = finish(work, clock, start(work, ada, Which.ALL))

    assert progress.delivered == 4 - 0
    assert Counter(scalars(work, select(Delivery.trigger))) == {"replay": 4}


def test_a_window_and_event_types_narrow_it(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada)
    clock.advance(hours=2)
    wanted = failed(work, ada, type="order.refund.done")
    failed(work, ada, type="cart.left")
    clock.advance(hours=2)
    failed(work, ada, type="order.refund.done")
    since, until = clock.now() - timedelta(hours=3), clock.now() - timedelta(hours=1)

    narrow = {"event_types": ("order.*", "shop.closed"), "since": since, "until": until}
    plan = planned(work, ada, **narrow)
    finish(work, clock, start(work, ada, **narrow))

    assert [one.delivery.number for one in plan.rows] == wanted
    assert scalars(work, select(Delivery.number).where(Delivery.trigger == "replay")) == wanted


def test_the_logs_filters_narrow_it_and_leave_missing_events_out(work, ada, clock) -> None:
    publish(work, ada)
    make_hook(work, ada)
    publish(work, ada, 2)
    deliver(work)
    [refused] = failed(work, ada)
    narrowed = DeliveryFilter(status_class="5xx", states=(DeliveryState.FAILED,))

    plan = planned(work, ada, Which.ALL, narrowed=narrowed)
    progress = finish(work, clock, start(work, ada, Which.ALL, narrowed=narrowed))

    assert [one.delivery.number for one in plan.rows] == [refused]
    assert progress.delivered == 1


def test_tests_are_never_replayed(work, ada) -> None:
    hook = make_hook(work, ada)
    hook_tests.send(work, hook=hook)
    deliver(work, Outcome.SERVER_ERROR, status=500)

    assert planned(work, ada, Which.ALL).to_send == 0


def test_what_is_published_after_the_start_is_not_part_of_it(work, ada, clock) -> None:
    make_hook(work, ada)
    failed(work, ada)

    row = start(work, ada, Which.ALL)
    later = failed(work, ada)
    finish(work, clock, row)

    assert delivery(work, later[0]).replay_number is None


def test_hooks_that_are_disabled_or_deleted_are_passed_over_and_counted(work, ada, clock) -> None:
    disabled, deleted = make_hook(work, ada), make_hook(work, ada)
    failed(work, ada, 2)
    hooks.disable(work, hook=disabled)
    hooks.delete(work, hook=deleted)

    plan = planned(work, ada)
    progress = finish(work, clock, start(work, ada))

    assert (plan.to_send, plan.rows, plan.skips) == (0, (), {Skip.DISABLED: 2, Skip.DELETED: 2})
    assert (progress.total, progress.skipped, progress.queued) == (4, 4, 0)


def test_a_disabled_hook_that_is_named_gets_its_deliveries(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    failed(work, ada)
    hooks.disable(work, hook=hook)
    publish(work, ada)

    progress = finish(work, clock, start(work, ada, Which.ALL, hook=hook))

    assert progress.delivered == 2


def test_another_organization_sees_nothing_of_it(work, ada, mallory) -> None:
    make_hook(work, ada)
    failed(work, ada)
    row = start(work, ada)

    assert planned(work, mallory, Which.ALL).shares == ()
    assert replays.find(work, organization_number=mallory.organization.number) == []
    with pytest.raises(NotFound):
        replays.get(work, organization_number=mallory.organization.number, replay_id=row.id)
    with pytest.raises(NotFound):
        replays.get(work, organization_number=ada.organization.number, replay_id=uuid4())


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"event_types": ("a b",)}, "/event_types/0"),
        ({"event_types": ("a", "a.*.b")}, "/event_types/1"),
        ({"event_types": ("a",) * 51}, "/event_types"),
        ({"since": -1, "until": -2}, "/until"),
    ],
)
def test_what_cannot_match_is_refused(work, ada, clock, fields, pointer) -> None:
    times = {name: clock.now() + DAY * fields[name] for name in ("since", "until") if name in fields}
    for act in (planned, start):
        with pytest.raises(Invalid) as caught:
            act(work, ada, **{**fields, **times})
        assert caught.value.fields[0].pointer == pointer


def test_a_plan_estimates_how_long_it_takes(work, ada) -> None:
    hook = make_hook(work, ada, max_in_flight=2)
    failed(work, ada, 4)
    assert planned(work, ada).seconds is None  # nothing was ever sent there

    publish(work, ada)
    deliver(work, duration_ms=100)
    assert planned(work, ada).seconds == pytest.approx(0.15, abs=0.05)

    hooks.change(work, hook=hook, draft=HookDraft(rate_limit={"count": 1, "seconds": 10}))
    assert planned(work, ada).seconds == 40


# --- since when a hook fails ----------------------------------------------------------------------------------------


def test_the_start_of_the_last_failures_is_known_while_a_hook_fails_and_after(work, ada, clock) -> None:
    hook = make_hook(work, ada)
    assert pace.failing_since(work, hook) is None

    began = clock.now()
    publish(work, ada)
    deliver(work, Outcome.SERVER_ERROR, status=500)
    assert pace.failing_since(work, hook) == began - timedelta(minutes=1)

    clock.advance(hours=1)
    deliver(work, Outcome.SERVER_ERROR, status=500)
    clock.advance(hours=2)
    assert deliver(work) == 1
    assert pace.failing_since(work, hook) == began


def test_a_filter_is_asked_of_everything_a_hook_has_missed(work, ada) -> None:
    """Payloads are read a few at a time; the parts join without a gap."""
    count = 2 * missed.PAYLOADS_AT_ONCE + 3
    publish(work, ada, count)
    make_hook(work, ada, filter="n >= `2`")

    assert planned(work, ada, Which.MISSING).to_send == count - 2
