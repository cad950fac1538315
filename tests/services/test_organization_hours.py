"""The roll-up of an organization: it says the same as its hooks' own, and goes with time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from console.core.rollups import hour_of
from console.models import HookHour, OrganizationHour
from console.services import hooks, organization_hours, stats
from console.services.hook_fields import HookDraft
from console.services.stats import Period
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


@pytest.mark.parametrize("period", Period)
def test_the_figures_are_the_same_before_and_after_the_roll_up(work: Work, history: int, period: Period) -> None:
    before = stats.overview(work, organization_number=history, period=period)

    organization_hours.roll_up(work)

    assert stats.overview(work, organization_number=history, period=period) == before
    assert before.total.attempts > 0


def test_settled_hours_are_read_from_the_roll_up_alone(work: Work, history: int) -> None:
    organization_hours.roll_up(work)
    before = stats.overview(work, organization_number=history, period=Period.WEEK)
    with work.transaction():
        old = hour_of(work.now()) - organization_hours.SETTLED_AFTER
        work.session.execute(delete(HookHour).where(HookHour.hour < old))

    assert stats.overview(work, organization_number=history, period=Period.WEEK) == before


def test_the_roll_up_goes_on_where_it_ended(work: Work, history: int, clock: Any) -> None:
    assert organization_hours.roll_up(work) == 96
    assert organization_hours.roll_up(work) == 0

    clock.advance(hours=2)

    assert organization_hours.roll_up(work) == 2
    rows = work.session.scalar(select(func.sum(OrganizationHour.count)))
    assert rows == 2 * sum(1 + ago for ago in range(2, 100))
    assert history


def test_old_hours_are_forgotten(work: Work, history: int) -> None:
    organization_hours.roll_up(work)

    assert organization_hours.forget(work, until=work.now() - timedelta(hours=50)) == 49
    assert history
