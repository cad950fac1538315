"""F14, and every receiver's fault beside a healthy hook: what is broken over there breaks nothing here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic

import psutil
import pytest
from sqlalchemy import select

from console.core.outcomes import Outcome
from console.models import Attempt, Delivery
from tests.engine import delivery, scalars
from tests.faults.stage import Stage
from workers.fault_server import FaultServer
from workers.faults import FAULTS, fault_named

MIB = 1024 * 1024
UNFIT = frozenset({"never-accepts"})
"""Whoever is listened to by nobody is no worker's burden but the connect timeout's, which has its own test."""


def test_f14_a_receiver_that_hangs_up_after_it_has_read_everything_is_tried_again(stage: Stage) -> None:
    with FaultServer(fault_named("close-after-request")) as server:
        stage.hook(url=f"{server.url}/hook", retry={"kind": "fixed", "seconds": 60, "attempts": 3})
        [number] = stage.publish()
        hand = stage.hand()

        hand.deliver()
        row = delivery(stage.work, number)
        assert (row.state, row.chain_failures, stage.outcomes(number)) == ("pending", 1, ["no_response"])
        assert len(server.receipts) == 1

        server.fault = fault_named("ok")
        stage.make_due()
        hand.deliver()

    assert stage.outcomes(number) == ["no_response", "ok"]
    assert [receipt.header("webhook-id") for receipt in server.receipts] == [str(row.id)] * 2
    assert delivery(stage.work, number).state == "delivered"


@pytest.fixture
def hostile() -> Iterator[dict[str, FaultServer]]:
    """Play every fault at once."""
    with ExitStack() as stack:
        named = {name: fault for name, fault in FAULTS.items() if name not in UNFIT}
        yield {name: stack.enter_context(FaultServer(fault)) for name, fault in named.items()}


def test_all_faults_at_once_do_not_disturb_a_healthy_hook_or_fill_the_memory(
    stage: Stage, hostile: dict[str, FaultServer]
) -> None:
    for server in hostile.values():
        stage.hook(url=f"{server.url}/hook", event_types=["storm"], all_events=False, timeout=1)
    stage.hook("good", event_types=["order.*"], all_events=False)
    worker = stage.start_worker()
    stage.publish(5)
    stage.wait_for(delivered=5)
    before = psutil.Process(worker.pid).memory_info().rss

    storm = stage.publish(2, type="storm")
    begun = monotonic()
    healthy = stage.publish(100)
    stage.wait_until(lambda: len(stage.ledger.receipts) == 5 + len(healthy), seconds=20)
    took_s = monotonic() - begun
    attempted = select(Attempt.outcome).where(Attempt.delivery_number.in_(storm[: len(hostile)]))
    stage.wait_until(lambda: tried(stage, storm) == len(hostile), seconds=30)

    assert took_s < 5
    assert psutil.Process(worker.pid).memory_info().rss - before < 40 * MIB
    assert worker.poll() is None
    assert Outcome.SYSTEM_ERROR not in scalars(stage.work, attempted)
    assert max(scalars(stage.work, select(Attempt.duration_ms).where(Attempt.duration_ms.is_not(None)))) < 3000


def tried(stage: Stage, numbers: list[int]) -> int:
    """Count the hooks that had an attempt of these deliveries which came to its end, in whatever lane."""
    query = (
        select(Delivery.hook_number)
        .join(Attempt, Attempt.delivery_number == Delivery.number)
        .where(Delivery.number.in_(numbers), Attempt.outcome.is_not(None))
        .distinct()
    )
    return len(scalars(stage.work, query))
