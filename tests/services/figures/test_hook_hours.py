"""The figures of hooks, from their hours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.core.rollups import hour_of
from console.models import HookHour
from console.services.figures import stats
from console.services.figures.stats import Period
from console.services.work import Work
from tests.engine import make_hook

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize("period", Period)
def test_hours_that_a_clock_which_was_ahead_has_counted_are_in_no_figure_until_they_come(
    work: Work, ada, clock, period: Period
) -> None:
    hook = make_hook(work, ada)
    number, organization = hook.number, ada.organization.number
    add_hour(work, hook.number, organization=organization, hour=hour_of(work.now()) + timedelta(hours=5), count=7)

    seen = stats.overview(work, organization_number=organization, hook_number=number, period=period)
    assert (seen.total.attempts, sum(column.tally.attempts for column in seen.columns)) == (0, 0)
    assert stats.sparks(work, hooks=[hook])[number].totals == (0, 0)
    assert stats.recent(work, hook_numbers=[number]) == {}

    clock.advance(hours=5)
    seen = stats.overview(work, organization_number=organization, hook_number=number, period=period)
    assert (seen.total.attempts, seen.columns[-1].tally.attempts) == (7, 7)
    assert stats.sparks(work, hooks=[hook])[number].totals == (7, 0)
    assert stats.recent(work, hook_numbers=[number]) == {number: (7, 0)}


def add_hour(work: Work, hook: int, *, organization: int, hour: object, count: int) -> None:
    with work.transaction():
        work.session.add(
            HookHour(
                hook_number=hook, organization_number=organization, hour=hour, status_class="5xx", bucket=0, count=count
            )
        )
