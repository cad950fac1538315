"""What comes after the supervisor itself was killed; the demo; a database and a Redis of the operator's own."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from tests.up.stage import SET_UP, Launch, Up, Wait, left_over, names
from workers.fault_server import FaultServer


@pytest.fixture(scope="module")
def demo(launch_for_all: Launch, wait_until_session: Wait) -> Up:
    """A demo that has delivered something; the test of accidents kills it."""
    up = launch_for_all("--demo", workers="1")

    def shows_a_delivery() -> bool:
        with up.work() as work:
            return "delivered" in work.session.scalars(text("SELECT state FROM deliveries")).all()

    wait_until_session(lambda: len(up.lines) == 2)
    wait_until_session(shows_a_delivery, seconds=30)
    return up


def test_the_demo_shows_deliveries_at_once_and_how_to_sign_up(demo: Up) -> None:
    assert demo.lines[1].startswith(SET_UP)


def test_nothing_outlives_a_supervisor_that_is_killed_and_the_next_start_works(
    demo: Up, launch_for_all: Launch, receiver: FaultServer, wait_until: Wait
) -> None:
    demo.process.kill()
    demo.process.wait()

    again = launch_for_all(workers="1")

    mine = {process.pid for group in again.processes().values() for process in group} | {again.process.pid}
    assert {process.pid for process in left_over(again.data)} <= mine
    again.sign_up()
    again.hook_to(receiver)
    again.publish("later")
    wait_until(lambda: names(receiver) == ["later"])


@pytest.mark.postgres
@pytest.mark.both_databases
def test_it_works_with_a_database_and_a_redis_of_the_operators(
    launch: Launch, receiver: FaultServer, wait_until: Wait, database_url: str, valkey: str
) -> None:
    up = launch(database_url=database_url, redis_url=valkey, workers="1")
    assert up.processes()["valkey"] == []
    up.sign_up()
    up.hook_to(receiver)

    up.publish("first")

    wait_until(lambda: names(receiver) == ["first"])
    assert up.stop() < 10
