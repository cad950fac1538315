"""The supervisor with small parts of the test's own: real processes, real signals, a real socket."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from console.cli.listener import listen, reachable, url_of
from console.cli.plan import Part, Plan

ANSWERING = """
import socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
while True:
    connection, _ = listener.accept()
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    connection.close()
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf now", flush=True)
time.sleep(600)
"""
ORDERLY = """
import pathlib, signal, sys, time
def stop(*_):
    pathlib.Path(sys.argv[1]).touch()
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("listening now", flush=True)
time.sleep(600)
"""
IDLE = "import time; time.sleep(600)"
BROKEN = "raise SystemExit('nothing works')"
Wait = Callable[..., None]


def python(script: str, *words: object) -> tuple[str, ...]:
    return (sys.executable, "-c", script, *map(str, words))


def _command(process: psutil.Process) -> list[str]:
    """Give the words of its command line; none when it has died meanwhile."""
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@dataclass
class Product:
    """A supervisor that runs, with its parts; *held* is a lock that the first part inherits."""

    process: subprocess.Popen[str]
    url: str
    errors: Path

    def parts(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def running(self, script: str) -> psutil.Process | None:
        return next((part for part in self.parts() if script in _command(part)), None)

    def ready_line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


Launch = Callable[..., Product]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    products: list[Product] = []

    def start(*others: Part, web: str = ANSWERING) -> Product:
        errors = tmp_path / "errors.txt"
        with listen("127.0.0.1", 0) as listener, errors.open("wb") as stderr:
            descriptor = listener.fileno()
            plan = Plan(
                parts=(Part("web", python(web, descriptor), is_vital=True, pass_fds=(descriptor,)), *others),
                address=reachable(listener),
                host="test",
                announcements=("ready", "second line"),
            )
            reading, writing = os.pipe()
            os.write(writing, plan.to_json())
            os.close(writing)
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "console.cli.supervisor", str(reading)],
                pass_fds=(reading, descriptor),
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
            os.close(reading)
            products.append(Product(process, url_of(listener), errors))
        return products[-1]

    yield start
    for product in products:
        if product.process.poll() is None:
            children = product.parts()
            product.process.kill()
            psutil.wait_procs(children, timeout=5)
            for child in children:
                if child.is_running():
                    child.kill()
        product.process.wait()
        if product.process.stdout:
            product.process.stdout.close()


def test_it_announces_once_pages_are_answered(launch: Launch) -> None:
    product = launch()

    assert product.ready_line() == "ready\n"
    product.process.terminate()
    assert product.process.communicate()[0] == "second line\n"


@pytest.mark.parametrize("script", [ANSWERING, IDLE])
def test_a_part_that_is_killed_is_started_again(launch: Launch, wait_until: Wait, script: str) -> None:
    product = launch(Part("idle", python(IDLE)))
    product.ready_line()
    victim = product.running(script)
    assert victim

    victim.kill()

    wait_until(lambda: (found := product.running(script)) and found.pid != victim.pid)


def test_a_part_that_keeps_dying_is_started_ever_more_rarely(launch: Launch, wait_until: Wait) -> None:
    product = launch(Part("broken", python(BROKEN)))

    wait_until(lambda: '"restart_in_s": 2.0' in product.errors.read_text())

    said = product.errors.read_text()
    positions = [said.index(f'"restart_in_s": {delay}') for delay in (0.1, 0.5, 1.0, 2.0)]
    assert positions == sorted(positions)
    assert product.process.poll() is None


def test_a_vital_part_that_does_not_start_ends_everything(launch: Launch, wait_until: Wait) -> None:
    product = launch(Part("idle", python(IDLE)), web=BROKEN)
    wait_until(lambda: product.running(IDLE))
    idle = product.running(IDLE)

    output, _ = product.process.communicate(timeout=30)

    assert product.process.returncode == 1
    assert output == ""
    assert "Error: The web does not start." in product.errors.read_text()
    assert idle
    assert not idle.is_running()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(
    launch: Launch, tmp_path: Path, wait_until: Wait, number: signal.Signals
) -> None:
    product = launch(Part("orderly", python(ORDERLY, tmp_path / "ended")))
    product.ready_line()
    wait_until(lambda: "listening now" in product.errors.read_text())
    parts = product.parts()

    product.process.send_signal(number)

    assert product.process.wait(5) == 0
    assert (tmp_path / "ended").exists()
    assert not any(part.is_running() for part in parts)


def test_a_signal_before_it_is_ready_ends_it_too(launch: Launch, wait_until: Wait) -> None:
    product = launch(web=IDLE)
    wait_until(product.parts)

    product.process.terminate()

    assert product.process.wait(10) == 0
    assert product.process.communicate()[0] == ""


def test_a_part_that_does_not_listen_is_ended_within_ten_seconds(launch: Launch, wait_until: Wait) -> None:
    product = launch(Part("stubborn", python(STUBBORN)))
    product.ready_line()
    wait_until(lambda: "deaf now" in product.errors.read_text())
    started = time.monotonic()

    product.process.terminate()

    assert product.process.wait(10) == 0
    assert time.monotonic() - started < 10


def test_a_second_signal_hurries(launch: Launch, wait_until: Wait) -> None:
    product = launch(Part("stubborn", python(STUBBORN)))
    product.ready_line()
    wait_until(lambda: "deaf now" in product.errors.read_text())
    started = time.monotonic()

    def is_over_when_asked_again() -> bool:
        product.process.terminate()  # signals of one kind that come together count once, so ask until it is over
        return product.process.poll() is not None

    wait_until(is_over_when_asked_again)

    assert product.process.returncode == 0
    assert time.monotonic() - started < 5


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_parts_do_not_outlive_a_supervisor_that_is_killed(launch: Launch, wait_until: Wait) -> None:
    product = launch(Part("idle", python(IDLE)))
    product.ready_line()
    parts = product.parts()

    product.process.kill()

    wait_until(lambda: not any(part.is_running() and part.status() != psutil.STATUS_ZOMBIE for part in parts))


def test_the_terminals_interrupt_reaches_the_supervisor_alone(launch: Launch) -> None:
    product = launch(Part("idle", python(IDLE)))
    product.ready_line()

    groups = {os.getpgid(part.pid) for part in product.parts()}

    assert os.getpgid(product.process.pid) not in groups


def test_a_part_inherits_the_descriptors_it_is_given_and_no_others(launch: Launch, wait_until: Wait) -> None:
    product = launch(Part("idle", python(IDLE)))
    product.ready_line()
    idle = product.running(IDLE)
    assert idle

    # It opens files of its own while it imports.
    wait_until(lambda: {entry.name for entry in Path(f"/proc/{idle.pid}/fd").iterdir()} == {"0", "1", "2"})


def test_a_plan_survives_the_pipe() -> None:
    plan = Plan(
        parts=(Part("web", ("a", "b c"), is_vital=True, hint="look", pass_fds=(3,)),),
        address=("127.0.0.1", 8000),
        host="hooks.example.com",
        announcements=("ready",),
        store=Part("store", ("x",)),
        store_socket="/run/valkey.sock",
    )

    assert Plan.from_json(plan.to_json()) == plan


def test_the_lock_of_the_parts_is_free_only_when_all_have_ended(tmp_path: Path) -> None:
    """What ``lock.take`` rests on: a lock on an inherited descriptor lives as long as any holder."""
    descriptor = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    part = subprocess.Popen(python(IDLE), pass_fds=(descriptor,))
    os.close(descriptor)
    again = os.open(tmp_path / "lock", os.O_RDWR)

    with pytest.raises(BlockingIOError):
        fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    part.kill()
    part.wait()
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(again)
