"""The log's periods, when the clock that dated its rows was wrong for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.models import Delivery, Event
from console.services.deliveries import deliveries, log_walks
from console.services.deliveries.delivery_filters import DeliveryFilter
from console.services.work import Work
from tests.engine import make_hook, publish

pytestmark = pytest.mark.both_databases
HOUR = timedelta(hours=1)


@pytest.fixture
def stepped(work: Work, ada, clock) -> tuple[list[int], list[int], list[int]]:
    """Publish before, while the clock is an hour ahead, and after it was set back; give the deliveries of each."""
    make_hook(work, ada)
    before = publish(work, ada, 10)
    clock.advance(minutes=5, hours=1)
    ahead = publish(work, ada, 7)
    clock.advance(minutes=5, hours=-1)
    after = publish(work, ada, 11)
    clock.advance(minutes=5)
    return before, ahead, after


def listed(work: Work, person, **wanted: object) -> list[int]:
    rows = deliveries.find(work, organization_number=person.organization.number, wanted=DeliveryFilter(**wanted))
    return sorted(row.number for row in rows)


def test_what_was_made_after_a_clock_was_set_back_is_found_up_to_now(work: Work, ada, stepped) -> None:
    before, _, after = stepped

    assert listed(work, ada, until=work.now()) == before + after


def test_it_is_still_found_once_time_has_gone_on(work: Work, ada, clock, stepped) -> None:
    before, _, after = stepped
    end = work.now()
    clock.advance(hours=3)
    publish(work, ada, 30)

    assert listed(work, ada, until=end) == before + after


def test_what_a_clock_that_was_ahead_dated_is_found_where_it_says(work: Work, ada, clock, stepped) -> None:
    _, ahead, after = stepped
    begun = work.now() - timedelta(minutes=10)

    assert listed(work, ada, since=begun) == ahead + after
    assert listed(work, ada, since=begun + HOUR - timedelta(minutes=5)) == ahead


@pytest.mark.parametrize("model", [Delivery, Event])
def test_a_period_ends_with_its_last_row_whatever_the_clock_was(work: Work, model, stepped) -> None:
    before, _, after = stepped
    newest = log_walks.newest(work.session, model)

    assert log_walks.last_until(work.session, model, work.now()) == newest
    assert log_walks.last_until(work.session, model, work.now() - timedelta(minutes=7)) >= before[-1]
    assert log_walks.first_since(work.session, model, work.now()) <= newest
    assert after[-1] == newest
