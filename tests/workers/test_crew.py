"""A parent of workers: it forks one for each lane, replaces the dead, and ends with all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest

CREW = """
import os, signal, sys
from console import logs
from workers.crew import Crew

def work(lane):
    if lane == "broken":
        raise RuntimeError
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    os.write(1, f"{lane} {os.getpid()}\\n".encode())
    signal.pause()
    return 0

logs.configure()
sys.exit(Crew(sys.argv[1:], work).run())
"""


class Running:
    """A crew, and what its workers have said: lane and process number of each."""

    def __init__(self, *lanes: str) -> None:
        command = [sys.executable, "-c", CREW, *lanes]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=Path(__file__).parents[2]
        )
        self.said: list[tuple[str, int]] = []
        self.reader = Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            lane, pid = line.split()
            self.said.append((lane, int(pid)))


@pytest.fixture
def crew() -> Iterator[Callable[..., Running]]:
    """Start crews, and see that nothing of them stays."""
    started: list[Running] = []

    def start(*lanes: str) -> Running:
        started.append(Running(*lanes))
        return started[-1]

    yield start
    for running in started:
        for process in [*psutil.Process(running.process.pid).children()] if running.process.poll() is None else []:
            process.kill()
        running.process.kill()
        running.process.wait(10)
        running.reader.join(10)
        assert running.process.stdout
        running.process.stdout.close()


def test_each_lane_has_a_process_of_its_own(crew, wait_until) -> None:
    running = crew("one", "one", "two")

    wait_until(lambda: len(running.said) == 3)

    assert sorted(lane for lane, _ in running.said) == ["one", "one", "two"]
    assert len({pid for _, pid in running.said} | {running.process.pid}) == 4


def test_a_worker_that_dies_is_replaced(crew, wait_until) -> None:
    running = crew("one", "two")
    wait_until(lambda: len(running.said) == 2)
    victim = dict(running.said)["one"]

    os.kill(victim, signal.SIGKILL)

    wait_until(lambda: len(running.said) == 3)
    assert running.said[2][0] == "one"
    assert running.said[2][1] != victim


def test_a_worker_that_cannot_start_holds_up_no_other(crew, wait_until) -> None:
    running = crew("broken", "two")

    wait_until(lambda: running.said)

    assert running.process.poll() is None


def test_a_signal_ends_all_of_them_in_good_order(crew, wait_until) -> None:
    running = crew("one", "two")
    wait_until(lambda: len(running.said) == 2)

    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(10) == 0
    assert not any(psutil.pid_exists(pid) for _, pid in running.said)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_workers_do_not_outlive_a_parent_that_is_killed(crew, wait_until) -> None:
    running = crew("one", "two")
    wait_until(lambda: len(running.said) == 2)

    running.process.kill()
    running.process.wait(10)

    wait_until(lambda: not any(psutil.pid_exists(pid) for _, pid in running.said))
