from __future__ import annotations

from datetime import timedelta

import pytest

from console.services.upkeep import stepped_clocks, sweeping
from console.services.upkeep.beating import DEAD_AFTER
from console.services.work import Work
from tests.engine import (
    claim,
    delivery,
    hire,
    make_hook,
    publish,
    put,
    set_state,
    state_of,
)

pytestmark = pytest.mark.both_databases


LATE = DEAD_AFTER + timedelta(seconds=1)


def test_attempts_that_a_wrong_clock_put_too_far_ahead_are_moved_back(work: Work, ada) -> None:
    make_hook(work, ada)
    far, near = publish(work, ada, 2)
    put(work, far, next_attempt_at=work.now() + timedelta(days=40))
    put(work, near, next_attempt_at=work.now() + timedelta(hours=20))

    assert stepped_clocks.clamp(work) == 1

    assert delivery(work, far).next_attempt_at == work.now() + timedelta(hours=24 * 1.2)
    assert delivery(work, near).next_attempt_at == work.now() + timedelta(hours=20)


def test_a_long_delay_of_an_explicit_schedule_is_not_too_far(work: Work, ada) -> None:
    make_hook(work, ada, retry={"kind": "fixed", "seconds": 20 * 86_400})
    [number] = publish(work, ada)
    put(work, number, next_attempt_at=work.now() + timedelta(days=19))

    assert stepped_clocks.clamp(work) == 0


def test_any_delay_that_a_random_policy_may_draw_is_not_too_far(work: Work, ada) -> None:
    make_hook(work, ada, retry={"kind": "random", "min": 0, "max": 7 * 86_400})
    [number] = publish(work, ada)
    put(work, number, next_attempt_at=work.now() + timedelta(days=6.9))

    assert stepped_clocks.clamp(work) == 0


def test_a_clock_that_is_set_back_holds_no_hook_back(work: Work, ada, clock) -> None:
    hook = make_hook(work, ada, rate_limit={"count": 1, "seconds": 60})
    paused = make_hook(work, ada)
    publish(work, ada)
    clock.advance(days=3)
    worker = hire(work)
    claim(work, worker)
    set_state(work, paused, open_until=work.now())
    clock.advance(days=-3)

    stepped_clocks.clamp(work)

    assert state_of(work, hook).next_send_at == work.now() + timedelta(seconds=60)
    assert state_of(work, paused).open_until == work.now() + timedelta(hours=24)


def test_what_was_published_while_a_clock_was_ahead_is_due_when_it_is_set_back(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    clock.advance(hours=20)
    [number] = publish(work, ada)
    clock.advance(hours=-20)

    assert stepped_clocks.clamp(work) == 1
    assert delivery(work, number).next_attempt_at == work.now()


def test_a_worker_that_dies_after_its_clock_was_set_back_is_noticed(work: Work, ada, clock) -> None:
    make_hook(work, ada)
    [number] = publish(work, ada)
    clock.advance(days=1)
    claim(work, hire(work))
    clock.advance(days=-1)

    stepped_clocks.clamp(work)
    clock.advance(seconds=11)
    sweeping.sweep(work)

    assert delivery(work, number).state == "pending"
