from __future__ import annotations

from datetime import timedelta

import pytest

from console.services.upkeep import leading
from console.services.upkeep.beating import DEAD_AFTER
from console.services.work import Work

pytestmark = pytest.mark.both_databases


LATE = DEAD_AFTER + timedelta(seconds=1)


# --- the leader ------------------------------------------------------------------------------------------------------


def test_one_worker_leads_and_another_follows_when_it_is_silent(work: Work, clock) -> None:
    assert leading.lead(work, worker=1)
    assert not leading.lead(work, worker=2)
    clock.advance(seconds=3)
    assert leading.lead(work, worker=1)
    clock.advance(seconds=9)
    assert not leading.lead(work, worker=2)

    clock.advance(seconds=2)

    assert leading.lead(work, worker=2)
    assert not leading.lead(work, worker=1)


def test_the_lead_is_free_at_once_when_its_holder_resigns(work: Work) -> None:
    leading.lead(work, worker=1)

    leading.resign(work, worker=1)

    assert leading.lead(work, worker=2)


def test_a_leader_that_dies_after_its_clock_was_set_back_is_followed(work: Work, clock) -> None:
    clock.advance(days=1)
    leading.lead(work, worker=1)
    clock.advance(days=-1)

    assert leading.lead(work, worker=2)
