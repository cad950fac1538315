"""The roll-up of an organization: it says the same as its hooks' own, and goes with time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, event, func, select

from console.core.rollups import hour_of
from console.models import HookHour, OrganizationHour
from console.services.figures import organization_hours, stats
from console.services.figures.stats import Period
from console.services.hooks import hooks
from console.services.hooks.hook_fields import HookDraft
from console.services.work import Work

pytestmark = pytest.mark.both_databases


@pytest.fixture
def history(work: Work, ada: Any) -> int:
    """Two hooks with attempts in each of the last 100 hours; the organization's number."""
    number: int = ada.organization.number
    for url in ("https://one.example.com/", "https://two.example.com/"):
        draft = HookDraft(url=url, all_events=True)
        made = hooks.create(work, organization_number=number, author_number=None, draft=draft)
        with work.transaction():
            work.session.add_all(
                HookHour(
                    hook_number=made.hook.number,
                    organization_number=number,
                    hour=hour_of(work.now()) - timedelta(hours=ago),
                    status_class="5xx" if ago % 7 == 0 else "2xx",
                    bucket=ago % 5,
                    count=1 + ago,
                )
                for ago in range(100)
            )
    return number


def add_hour(work: Work, hook: int, *, organization: int, hour: datetime, count: int = 1, bucket: int = 0) -> None:
    with work.transaction():
        work.session.add(
            HookHour(
                hook_number=hook,
                organization_number=organization,
                hour=hour,
                status_class="2xx",
                bucket=bucket,
                count=count,
            )
        )


def roll_up_all(work: Work) -> int:
    """Call it as the dispatcher does until all is in; say how often."""
    calls = 1
    while not organization_hours.roll_up(work):
        calls += 1
    return calls


@pytest.mark.parametrize("period", Period)
def test_the_figures_are_the_same_before_and_after_the_roll_up(work: Work, history: int, period: Period) -> None:
    before = stats.overview(work, organization_number=history, period=period)

    roll_up_all(work)

    assert stats.overview(work, organization_number=history, period=period) == before
    assert before.total.attempts > 0


def test_settled_hours_are_read_from_the_roll_up_alone(work: Work, history: int) -> None:
    roll_up_all(work)
    before = stats.overview(work, organization_number=history, period=Period.WEEK)
    with work.transaction():
        old = hour_of(work.now()) - organization_hours.SETTLED_AFTER
        work.session.execute(delete(HookHour).where(HookHour.hour < old))

    assert stats.overview(work, organization_number=history, period=Period.WEEK) == before


def test_the_roll_up_goes_on_where_it_ended(work: Work, history: int, clock: Any) -> None:
    roll_up_all(work)
    assert roll_up_all(work) == 1

    clock.advance(hours=2)

    assert roll_up_all(work) == 1
    rows = work.session.scalar(select(func.sum(OrganizationHour.count)))
    assert rows == 2 * sum(1 + ago for ago in range(2, 100))
    assert history


def test_attempts_after_a_clock_that_was_ahead_was_set_back_are_counted(work: Work, history: int, clock: Any) -> None:
    clock.advance(days=10)
    roll_up_all(work)
    clock.advance(days=-10)
    before = stats.overview(work, organization_number=history, period=Period.DAY)
    [hook, *_] = work.session.scalars(select(HookHour.hook_number).distinct())
    add_hour(work, hook, organization=history, hour=hour_of(work.now()), count=7, bucket=9)

    roll_up_all(work)

    after = stats.overview(work, organization_number=history, period=Period.DAY)
    assert after.total.attempts == before.total.attempts + 7


def test_a_long_past_is_added_a_few_days_at_a_time_so_that_the_leader_can_see_to_the_rest(
    work: Work, ada: Any, history: int
) -> None:
    [hook, *_] = work.session.scalars(select(HookHour.hook_number).distinct())
    add_hour(work, hook, organization=history, hour=hour_of(work.now()) - timedelta(days=390))

    is_done = organization_hours.roll_up(work)

    assert not is_done
    assert roll_up_all(work) > 10


def test_no_writer_waits_while_the_hours_are_summed(work: Work, history: int, engine: Engine) -> None:
    """SQLite has one writer: the sums are read outside of the transaction that writes them."""
    held: list[bool] = []

    @event.listens_for(engine, "before_cursor_execute")
    def look(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().startswith("SELECT") and "sum(" in statement:
            held.append(connection.info.get("hookyard_is_reading") is not True)

    roll_up_all(work)
    event.remove(engine, "before_cursor_execute", look)

    assert held
    assert engine.dialect.name == "postgresql" or not any(held)


def test_old_hours_are_forgotten(work: Work, history: int) -> None:
    roll_up_all(work)

    assert organization_hours.forget(work, until=work.now() - timedelta(hours=50)) == 49
    assert history
