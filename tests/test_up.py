"""``hookyard up`` as people run it: the whole product in real processes, with real signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import redis
import requests
from sqlalchemy import create_engine, text

from workers.fault_server import FaultServer
from workers.faults import fault_named

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

HOOKYARD = (sys.executable, "-P", "-m", "console.cli")
READY = "Hookyard is ready at "
SET_UP = "Set up the first admin at "
MIB = 1024 * 1024
Wait = Callable[..., None]


@dataclass
class Up:
    """A ``hookyard up`` that was started; *lines* grows with its standard output."""

    process: subprocess.Popen[str]
    data: Path
    errors: Path
    environment: dict[str, str]
    lines: list[str] = field(default_factory=list)
    token: str = ""

    @property
    def url(self) -> str:
        return self.lines[0].removeprefix(READY)

    @property
    def base_environment(self) -> dict[str, str]:
        return {**self.environment, "HOOKYARD_DATA": str(self.data), "HOOKYARD_BASE_URL": self.url}

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def run(self, *words: str, stdin: str = "") -> str:
        command = [*HOOKYARD, *words]
        done = subprocess.run(
            command, input=stdin, env=self.base_environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sign_up(self) -> None:
        """Make an admin of acme and a token for everything."""
        who = ("--username", "ada", "--email", "ada@example.com", "--organization", "acme", "--role", "admin")
        self.run("users", "create", *who, "--password-stdin", stdin="correct horse battery\n")
        self.token = self.issue_token()

    def issue_token(self) -> str:
        permission = ("--permission", "ADMIN", "--quiet")
        return self.run("tokens", "create", "--user", "ada", "--organization", "acme", *permission).strip()

    def post(self, path: str, body: object) -> dict[str, object]:
        answer = requests.post(
            f"{self.url}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self.token}"}, timeout=20
        )
        assert answer.ok, answer.text
        return dict(answer.json())

    def publish(self, name: str) -> None:
        self.post("/events", {"type": "order.paid", "payload": {"name": name}})

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Give all processes below the supervisor by what they are."""
        found: dict[str, list[psutil.Process]] = {"web": [], "worker": [], "valkey": [], "other": []}
        for process in psutil.Process(self.process.pid).children(recursive=True):
            try:
                words = " ".join(process.cmdline())
            except psutil.Error:
                continue
            kinds = {"console.cli.serve": "web", "-m workers": "worker", "valkey-server": "valkey"}
            found[next((kind for part, kind in kinds.items() if part in words), "other")].append(process)
        return found

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ask it to end; give the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - started


def left_over(data: Path) -> list[psutil.Process]:
    """Find processes that still work on a data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOOKYARD_DATA") == str(data) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


Launch = Callable[..., Up]


@pytest.fixture
def launch(tmp_path: Path, wait_until: Wait) -> Iterator[Launch]:
    started: list[Up] = []

    def start(*words: str, data: Path | None = None, ready: bool = True, **settings: str) -> Up:
        data = data or tmp_path / "data"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKYARD_")}
        environment |= {"HOOKYARD_ALLOW_NETS": "127.0.0.0/8"}
        environment |= {f"HOOKYARD_{name.upper()}": value for name, value in settings.items()}
        errors = tmp_path / f"errors-{len(started)}.txt"
        words = words if "--port" in words else ("--port", "0", *words)
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [*HOOKYARD, "up", "--data", str(data), *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=tmp_path,
            )
        up = Up(process, data, errors, environment)
        started.append(up)
        reader = threading.Thread(target=up.read, daemon=True)
        reader.start()
        if ready:
            wait_until(lambda: up.lines or process.poll() is not None, seconds=60)
            assert up.lines, errors.read_text()[-4000:]
        else:
            process.wait(60)
            reader.join(5)
        return up

    yield start
    for up in started:
        if up.process.poll() is None:
            up.stop()
        for process in left_over(up.data):
            process.kill()
        if up.process.stdout:
            up.process.stdout.close()


@pytest.fixture
def receiver() -> Iterator[FaultServer]:
    with FaultServer(fault_named("ok")) as server:
        yield server


def names(server: FaultServer) -> list[str]:
    """Give the payloads' names that a receiver got, in order of arrival."""
    return [receipt.body.decode().split('"name": "', 1)[-1].split('"', 1)[0] for receipt in list(server.receipts)]


def hook_to(up: Up, url: str, **fields: object) -> None:
    up.post("/hooks", {"name": "test", "url": f"{url}/hook", "event_types": ["order.*"], **fields})


def test_it_is_ready_soon_prints_a_set_up_link_and_delivers(
    launch: Launch, receiver: FaultServer, wait_until: Wait
) -> None:
    started = time.monotonic()
    up = launch()
    took_s = time.monotonic() - started

    wait_until(lambda: len(up.lines) == 2)
    assert up.lines[0].startswith(READY)
    assert up.lines[1].startswith(f"{SET_UP}{up.url}/setup?token=")
    assert took_s < 20
    assert requests.get(f"{up.url}/healthz", timeout=5).status_code == 200
    assert requests.get(up.lines[1].removeprefix(SET_UP), timeout=5).status_code == 200

    up.sign_up()
    hook_to(up, receiver.url)
    up.publish("first")
    wait_until(lambda: names(receiver) == ["first"])
    assert up.run("doctor").count("FAIL") == 0
    assert len(up.lines) == 2


def test_a_second_start_finds_everything(launch: Launch, receiver: FaultServer, wait_until: Wait) -> None:
    first = launch()
    first.sign_up()
    hook_to(first, receiver.url)
    assert first.stop(signal.SIGINT) < 10
    assert first.process.returncode == 0
    assert left_over(first.data) == []

    second = launch()
    second.token = first.token
    second.publish("after the restart")

    wait_until(lambda: names(receiver) == ["after the restart"])
    assert second.lines == [f"{READY}{second.url}"]


@pytest.mark.parametrize("kind", ["web", "worker", "valkey"])
def test_whatever_is_killed_deliveries_go_on(
    launch: Launch, receiver: FaultServer, wait_until: Wait, kind: str
) -> None:
    up = launch()
    up.sign_up()
    hook_to(up, receiver.url)
    up.publish("before")
    wait_until(lambda: "before" in names(receiver))

    for number, process in enumerate(up.processes()[kind]):
        if process.is_running():
            process.kill()
        wait_until(lambda: _answers(up), seconds=20)
        up.publish(f"after {number}")
        wait_until(lambda number=number: f"after {number}" in names(receiver), seconds=20)


def _answers(up: Up) -> bool:
    try:
        return requests.get(f"{up.url}/healthz", timeout=5).status_code == 200
    except requests.RequestException:
        return False


def test_what_is_in_flight_when_it_stops_finishes(launch: Launch, wait_until: Wait) -> None:
    with FaultServer(fault_named("slow:2")) as server:
        up = launch()
        up.sign_up()
        hook_to(up, server.url)
        up.publish("in flight")
        wait_until(lambda: server.receipts)

        assert up.stop() < 10

    assert up.process.returncode == 0
    assert delivery_states(up) == ["delivered"]


def test_what_cannot_finish_in_time_is_released_and_sent_again(launch: Launch, wait_until: Wait) -> None:
    with FaultServer(fault_named("slow:60")) as slow:
        up = launch()
        up.sign_up()
        hook_to(up, slow.url)
        up.publish("too slow")
        wait_until(lambda: slow.receipts)
        port = slow.port

        assert up.stop() < 10

    assert left_over(up.data) == []
    with FaultServer(fault_named("ok"), port=port) as quick:
        launch()
        wait_until(lambda: quick.receipts, seconds=30)
        wait_until(lambda: delivery_states(up) == ["delivered"], seconds=10)


def delivery_states(up: Up) -> list[str]:
    engine = create_engine(f"sqlite:///{up.data / 'hookyard.sqlite3'}")
    with engine.connect() as connection:
        states = list(connection.execute(text("SELECT state FROM deliveries ORDER BY number")).scalars())
    engine.dispose()
    return states


def test_nothing_outlives_a_supervisor_that_is_killed_and_the_next_start_works(
    launch: Launch, receiver: FaultServer, wait_until: Wait
) -> None:
    up = launch()
    up.sign_up()
    hook_to(up, receiver.url)

    up.process.kill()
    up.process.wait()
    again = launch()
    again.token = up.token
    again.publish("later")

    wait_until(lambda: names(receiver) == ["later"])
    mine = {process.pid for group in again.processes().values() for process in group} | {again.process.pid}
    assert {process.pid for process in left_over(up.data)} <= mine


def test_it_stays_small(launch: Launch, wait_until: Wait) -> None:
    up = launch()
    wait_until(lambda: up.errors.read_text().count('"worker is ready"') == 4, seconds=30)

    everything = [psutil.Process(up.process.pid), *(one for some in up.processes().values() for one in some)]
    # The proportional set size counts a page that several processes share once.
    assert sum(process.memory_full_info().pss for process in everything) < 360 * MIB


def test_the_demo_shows_deliveries_at_once(launch: Launch, wait_until: Wait) -> None:
    up = launch("--demo")

    wait_until(lambda: "delivered" in delivery_states(up), seconds=30)
    wait_until(lambda: len(up.lines) == 2)


# --- what it refuses ------------------------------------------------------------------------------------------------


def refused(up: Up) -> str:
    """Give the sentence with which it ended; nothing else was said or left."""
    assert up.process.returncode == 1
    assert up.lines == []
    (sentence,) = up.errors.read_text().splitlines()
    assert left_over(up.data) == []
    return sentence


def test_a_port_in_use_is_refused(launch: Launch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        up = launch("--port", port, ready=False)

    assert refused(up).startswith(f"Error: Port {port} of 127.0.0.1 is in use")


def test_a_data_directory_that_cannot_be_made_is_refused(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    up = launch(data=tmp_path / "file" / "data", ready=False)

    assert "cannot be written" in refused(up)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_data_directory_that_cannot_be_written_is_refused(launch: Launch, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)

    assert "cannot be written" in refused(launch(ready=False))


@pytest.mark.parametrize("damage", ["rubbish", "torn"])
def test_a_damaged_database_is_refused(launch: Launch, tmp_path: Path, damage: str) -> None:
    data = tmp_path / "data"
    subprocess.run([*HOOKYARD, "db", "upgrade"], env={**os.environ, "HOOKYARD_DATA": str(data)}, check=True)
    database = data / "hookyard.sqlite3"
    database.write_bytes(b"x" * 20_000 if damage == "rubbish" else database.read_bytes()[:20_000] + b"\xff" * 60_000)
    for log in data.glob("*-wal"):
        log.unlink()

    assert "is damaged" in refused(launch(ready=False))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://127.0.0.1:1/0", "cannot be used"),
        ("unix:///nowhere/valkey.sock", "cannot be used"),
        ("http://127.0.0.1", "is no URL of a Redis"),
    ],
)
def test_a_redis_that_refuses_is_told(launch: Launch, url: str, words: str) -> None:
    assert words in refused(launch(ready=False, redis_url=url))


def test_a_redis_that_wants_a_password_is_told(launch: Launch, valkey: str) -> None:
    with redis.Redis.from_url(valkey) as client:
        client.config_set("requirepass", "open sesame")
        try:
            up = launch(ready=False, redis_url=valkey)
        finally:
            client.auth("open sesame")
            client.config_set("requirepass", "")

    assert "refuses" in refused(up) or "cannot be used" in refused(up)


def test_a_setting_that_is_wrong_is_named(launch: Launch) -> None:
    assert "HOOKYARD_TIMEOUT" in refused(launch(ready=False, timeout="soon"))


def test_a_second_one_on_the_same_directory_is_refused(launch: Launch) -> None:
    first = launch()

    second = launch(ready=False)

    assert second.process.returncode == 1
    assert "Another `hookyard up` uses" in second.errors.read_text()
    assert requests.get(f"{first.url}/healthz", timeout=5).status_code == 200


@pytest.mark.postgres
@pytest.mark.both_databases
def test_it_works_with_a_database_and_a_redis_of_the_operators(
    launch: Launch, receiver: FaultServer, wait_until: Wait, database_url: str, valkey: str
) -> None:
    up = launch(database_url=database_url, redis_url=valkey)
    up.environment |= {"HOOKYARD_DATABASE_URL": database_url, "HOOKYARD_REDIS_URL": valkey}
    assert up.processes()["valkey"] == []
    up.sign_up()
    hook_to(up, receiver.url)

    up.publish("first")

    wait_until(lambda: names(receiver) == ["first"])
    assert up.stop() < 10
