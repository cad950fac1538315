"""What Hookyard reports about hooks: to whom, when, and that it is told exactly what happened."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from console.core.catalogue import HOOKYARD, packaged
from console.core.outcomes import Outcome
from console.models import Delivery, Event, Hook, Turn
from console.services.engine import results
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.hooks.reports import Report
from console.services.work import DELIVERIES_SLOW, Work
from tests.engine import claim, end, hire, make_hook, publish, record, rows_of, scalars, set_state

pytestmark = pytest.mark.both_databases


@pytest.fixture
def hook(work: Work, ada) -> Hook:
    return make_hook(work, ada, name="Shop", event_types=["order.*"], all_events=False)


@pytest.fixture
def watcher(work: Work, ada) -> Hook:
    """A hook that hears the reports."""
    return make_hook(
        work, ada, url="https://watch.example.com/", event_groups=["hookyard"], all_events=False, name="Watch"
    )


@pytest.fixture
def row(work: Work, ada, hook, watcher):
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    return row


def reported(work: Work) -> list[tuple[str, dict]]:
    """Give the reports so far, oldest first: their types and payloads."""
    events = scalars(work, select(Event).where(Event.type.startswith("hook.")).order_by(Event.number))
    return [(event.type, json.loads(event.payload)) for event in events]


def said_of(hook: Hook) -> dict:
    return {"id": str(hook.id), "number": hook.number, "name": hook.name, "url": hook.url}


def test_a_warning_is_reported_to_the_hooks_that_want_it(work: Work, hook, watcher, row, ring) -> None:
    since = work.now() - timedelta(days=2.5)
    set_state(work, hook, failing_since=since, failed_attempts=3)
    ring.lanes.clear()

    record(work, row, Outcome.SERVER_ERROR, status=500)

    [(name, payload)] = reported(work)
    assert name == "hook.failing"
    assert payload == {
        "hook": said_of(hook),
        "percent": 50,
        "failing_since": "2026-11-19T21:00:00.000000Z",
        "disables_at": "2026-11-24T21:00:00.000000Z",
        "last_outcome": "server_error",
    }
    told = scalars(work, select(Delivery.hook_number).where(Delivery.event_type == name))
    assert told == [watcher.number]
    assert "deliveries" in ring.lanes


def test_a_hook_that_answers_410_is_reported_disabled_with_what_is_held(work: Work, ada, hook, row) -> None:
    publish(work, ada, 2)

    record(work, row, Outcome.GONE, status=410)

    [(name, payload)] = reported(work)
    assert (name, payload["held_deliveries"]) == ("hook.disabled", 2)
    assert "410" in payload["reason"]


def test_a_circuit_is_reported_when_it_opens_and_when_it_closes_but_not_each_failed_probe(
    work: Work, ada, hook, row, clock
) -> None:
    set_state(work, hook, consecutive_failures=4, circuit_failures=4)
    record(work, row, Outcome.SERVER_ERROR, status=500)
    publish(work, ada, 2)
    for outcome in (Outcome.SERVER_ERROR, Outcome.OK):
        clock.advance(hours=2)
        work.session.execute(update(Turn).values(worker_number=None))
        [probe] = rows_of(claim(work, hire(work), lane=DELIVERIES_SLOW))
        record(work, probe, outcome)

    [(opened, payload), (closed, _)] = reported(work)
    assert (opened, closed) == ("hook.circuit_opened", "hook.circuit_closed")
    assert (payload["consecutive_failures"], payload["hook"]) == (5, said_of(hook))
    assert payload["open_until"].startswith("2026-11-22T09:00:")


def test_a_destination_that_falls_silent_is_reported_once_with_its_name(work: Work, ada, watcher) -> None:
    for index in range(5):
        make_hook(work, ada, url=f"https://shop.example.com/{index}", event_types=["order.*"], all_events=False)
    publish(work, ada)
    rows = rows_of(claim(work, hire(work)))

    results.record(work, ended=[end(work, one, Outcome.CONNECT_TIMEOUT) for one in rows])

    [(name, payload)] = reported(work)
    assert (name, payload["destination"]) == ("hook.circuit_opened", "shop.example.com:443")


def test_a_recovery_is_reported_after_a_warning(work: Work, hook, row) -> None:
    set_state(work, hook, failing_since=work.now() - timedelta(days=3), failed_attempts=5, warned_percent=50)

    record(work, row)

    assert reported(work) == [("hook.recovered", {"hook": said_of(hook)})]


def test_a_blocked_address_is_reported_at_once_and_once(work: Work, ada, hook, row, clock) -> None:
    record(work, row, Outcome.BLOCKED_ADDRESS)
    clock.advance(minutes=1)
    work.session.execute(update(Turn).values(worker_number=None))
    [again] = [one for one in rows_of(claim(work, hire(work))) if one.hook_number == hook.number]
    record(work, again, Outcome.BLOCKED_ADDRESS)

    assert reported(work) == [("hook.blocked", {"hook": said_of(hook), "outcome": "blocked_address"})]


@pytest.mark.parametrize("switch", ["enable", "change"])
def test_a_hook_that_somebody_enables_is_reported(work: Work, ada, hook, watcher, switch) -> None:
    hooks.disable(work, hook=hook)

    if switch == "enable":
        hooks.enable(work, hook=hook)
    else:
        hooks.change(work, hook=hook, draft=HookDraft(is_active=True))

    assert reported(work) == [("hook.enabled", {"hook": said_of(hook)})]


def test_a_hook_is_never_told_about_itself_and_what_nobody_hears_is_not_kept(work: Work, ada, mallory) -> None:
    make_hook(work, mallory)
    alone = make_hook(work, ada)
    publish(work, ada)
    [row] = rows_of(claim(work, hire(work)))
    set_state(work, alone, failing_since=work.now() - timedelta(days=3), failed_attempts=3)

    record(work, row, Outcome.GONE, status=410)

    assert reported(work) == []


@pytest.mark.parametrize("wants", [{"all_events": True}, {"event_types": ["*"], "all_events": False}])
def test_a_hook_that_takes_every_event_is_told_of_other_hooks_only_when_it_asks(work: Work, ada, hook, wants) -> None:
    make_hook(work, ada, **wants)
    asking = make_hook(work, ada, **{**wants, "event_types": ["*", "hook.*"]})
    hooks.disable(work, hook=hook)

    hooks.enable(work, hook=hook)

    assert scalars(work, select(Delivery.hook_number)) == [asking.number]


def test_a_disabled_hook_gets_its_reports_later(work: Work, hook, watcher, row) -> None:
    hooks.disable(work, hook=watcher)

    record(work, row, Outcome.GONE, status=410)

    assert scalars(work, select(Delivery.state).where(Delivery.hook_number == watcher.number)) == ["held"]


def test_every_report_stands_in_the_catalogue_with_a_sample_of_its_own_shape() -> None:
    samples = {one.name: one.sample for one in packaged(HOOKYARD)}

    assert {report.value for report in Report} <= set(samples)
    assert set(samples["hook.failing"]) == {"hook", "percent", "failing_since", "disables_at", "last_outcome"}
    assert set(samples["hook.disabled"]) == {"hook", "reason", "held_deliveries"}
