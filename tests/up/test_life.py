"""One installation from its first start on: delivering, stopping while requests are under way, starting again."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass

import psutil
import pytest
import requests
from sqlalchemy import text

from tests.engine import bury
from tests.up.stage import READY, SET_UP, Launch, Up, Wait, left_over, names
from workers.fault_server import FaultServer
from workers.faults import fault_named

MIB = 1024 * 1024


@dataclass(frozen=True)
class FirstRun:
    """What was seen of the first run, from its start to its end; *states* of its deliveries by name of the hook."""

    up: Up
    ready_s: float
    statuses: list[int]
    memory: int
    delivered: list[str]
    doctor: str
    stop_s: float
    left: list[psutil.Process]
    open_to_others: list[str]
    states: dict[str, str]
    stuck_port: int


@pytest.fixture(scope="module")
def first_run(launch_for_all: Launch, wait_until_session: Wait) -> FirstRun:
    """Start it, let it deliver, and interrupt it while one receiver takes 2 s to answer and another a minute."""
    with ExitStack() as stack:
        quick, slow, stuck = (
            stack.enter_context(FaultServer(fault_named(fault))) for fault in ("ok", "slow:2", "slow:60")
        )
        started = time.monotonic()
        up = launch_for_all()
        ready_s = time.monotonic() - started
        wait_until_session(lambda: up.errors.read_text().count('"worker is ready"') == 4, seconds=30)
        memory = memory_of(up)
        wait_until_session(lambda: len(up.lines) == 2)
        pages = (f"{up.url}/healthz", up.setup_url)
        statuses = [requests.get(page, timeout=5).status_code for page in pages]
        up.sign_up()
        for server, event_type in ((quick, "quick"), (slow, "slow"), (stuck, "stuck")):
            up.hook_to(server, f"order.{event_type}")
            up.publish(event_type, f"order.{event_type}")
        wait_until_session(lambda: quick.receipts and stuck.receipts and slow.receipts)
        doctor = up.run("doctor")
        up.publish("slow again", "order.slow")
        wait_until_session(lambda: len(slow.receipts) == 2)
        open_to_others = [path.name for path in (up.data, *up.data.rglob("*")) if path.stat().st_mode & 0o077]
        stop_s = up.stop(signal.SIGINT)
        return FirstRun(
            up=up,
            ready_s=ready_s,
            statuses=statuses,
            memory=memory,
            delivered=names(quick),
            doctor=doctor,
            stop_s=stop_s,
            left=left_over(up.data),
            open_to_others=open_to_others,
            states=states_of(up),
            stuck_port=stuck.port,
        )


def memory_of(up: Up) -> int:
    """Add up the memory of all its processes, in bytes."""
    everything = [psutil.Process(up.process.pid), *(one for some in up.processes().values() for one in some)]
    total = 0
    for process in everything:
        with suppress(psutil.NoSuchProcess):  # one that was asked to start and has ended meanwhile
            total += process.memory_full_info().pss  # counts a page that several processes share once
    return total


def states_of(up: Up) -> dict[str, str]:
    """Give the state of the latest delivery of each hook."""
    query = text("SELECT h.name, d.state FROM deliveries d JOIN hooks h ON h.number = d.hook_number ORDER BY d.number")
    with up.work() as work:
        return {row.name: row.state for row in work.session.execute(query)}


@pytest.fixture(scope="module")
def recovered(first_run: FirstRun) -> Iterator[FaultServer]:
    """In place of the receiver that took a minute, one that answers at once."""
    with FaultServer(fault_named("ok"), port=first_run.stuck_port) as server:
        yield server


@pytest.fixture(scope="module")
def product(first_run: FirstRun, recovered: FaultServer, launch_for_all: Launch) -> Up:
    """The second run on the same data, which goes on."""
    up = launch_for_all()
    up.token = first_run.up.token
    return up


# --- the first run --------------------------------------------------------------------------------------------------


def test_it_is_ready_soon_and_prints_where_it_is_and_a_set_up_link(first_run: FirstRun) -> None:
    lines = first_run.up.lines

    assert first_run.ready_s < 20
    assert len(lines) == 2
    assert lines[0].startswith(READY)
    assert lines[1].startswith(f"{SET_UP}{first_run.up.url}/setup?token=")
    assert first_run.statuses == [200, 200]


def test_it_delivers_and_the_doctor_finds_nothing(first_run: FirstRun) -> None:
    assert first_run.delivered == ["quick"]
    assert first_run.states["order.quick"] == "delivered"
    assert first_run.doctor.count("FAIL") == 0


def test_nobody_else_can_read_what_it_keeps(first_run: FirstRun) -> None:
    assert first_run.open_to_others == []


def test_it_stays_small(first_run: FirstRun) -> None:
    assert first_run.memory < 360 * MIB


def test_an_interrupt_ends_everything_within_ten_seconds(first_run: FirstRun) -> None:
    assert first_run.stop_s < 10
    assert first_run.up.process.returncode == 0
    assert first_run.left == []


def test_what_is_in_flight_when_it_stops_finishes(first_run: FirstRun) -> None:
    assert first_run.states["order.slow"] == "delivered"


# --- the second run -------------------------------------------------------------------------------------------------


def test_what_cannot_finish_in_time_is_released_and_sent_again(
    first_run: FirstRun, product: Up, recovered: FaultServer, wait_until: Wait
) -> None:
    assert first_run.states["order.stuck"] != "delivered"

    wait_until(lambda: names(recovered) == ["stuck"], seconds=30)
    wait_until(lambda: states_of(product)["order.stuck"] == "delivered")


def test_a_second_start_finds_everything(product: Up, receiver: FaultServer, wait_until: Wait) -> None:
    product.hook_to(receiver, "test.restart")
    product.publish("after the restart", "test.restart")

    wait_until(lambda: names(receiver) == ["after the restart"])
    assert product.lines == [f"{READY}{product.url}"]


def test_a_second_one_on_the_same_directory_is_refused(product: Up, launch_for_all: Launch) -> None:
    second = launch_for_all(ready=False)

    assert second.process.returncode == 1
    assert "Another `hookyard up` uses" in second.errors.read_text()
    assert product.answers()


@pytest.mark.parametrize("kind", ["web", "worker", "valkey"])
def test_whatever_is_killed_deliveries_go_on(product: Up, receiver: FaultServer, wait_until: Wait, kind: str) -> None:
    product.hook_to(receiver, f"test.{kind}")
    product.publish("before", f"test.{kind}")
    wait_until(lambda: names(receiver) == ["before"], seconds=30)

    for number, process in enumerate(product.processes()[kind]):
        if process.is_running():
            process.kill()
        if kind == "worker":
            with product.work() as work:
                bury(work, pid=process.pid)
        wait_until(product.answers, seconds=20)
        product.publish(f"after {number}", f"test.{kind}")
        wait_until(lambda number=number: f"after {number}" in names(receiver), seconds=30)
