"""F12 under load: all workers are replaced one after another while events are published, and nobody notices."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sqlalchemy import select

from console.models import Attempt, Delivery
from tests.engine import scalars
from tests.faults.stage import Stage

LATEST_S = 5.0
"""What a stopping worker gave back, or whose ring it took along, begins within this."""
EVERY_S = 0.05


def publish_until(stage: Stage, is_over: Callable[[], bool]) -> int:
    """Publish event after event until it is over; give how many."""
    deadline, count = time.monotonic() + 40, 0
    while not is_over():
        if time.monotonic() > deadline:
            pytest.fail("It did not come to its end.")
        stage.publish()
        count += 1
        time.sleep(EVERY_S)  # the rate, not a wait
    return count


def test_f12_workers_that_are_restarted_one_after_another_under_load_neither_repeat_nor_delay(stage: Stage) -> None:
    stage.ledger.delay = lambda: 0.02
    for path in "abcd":
        stage.hook(path, max_in_flight=8)
    workers = [stage.start_worker() for _ in range(2)]
    count = 0

    for worker in workers:
        worker.terminate()
        count += publish_until(stage, lambda worker=worker: worker.poll() is not None)  # type: ignore[misc]
        assert worker.returncode == 0
        fresh = stage.spawn_worker()
        count += publish_until(stage, lambda fresh=fresh: stage.is_registered(fresh))  # type: ignore[misc]

    stage.wait_for(delivered=4 * count, seconds=30)
    assert stage.check().duplicates == 0
    assert scalars(stage.work, select(Attempt.outcome).distinct()) == ["ok"]
    begun = select(Attempt.started_at, Delivery.created_at)
    rows = stage.work.session.execute(begun.join(Delivery, Delivery.number == Attempt.delivery_number)).all()
    assert max((started - made).total_seconds() for started, made in rows) < LATEST_S
