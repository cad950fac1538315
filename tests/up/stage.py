"""``hookyard up`` as people start it, and what tests ask of it while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import requests
from sqlalchemy.orm import Session

from console import database
from console.core.permissions import Permission
from console.services.keys import KeyRing
from console.services.organizations import organizations
from console.services.people import accounts, tokens
from console.services.work import SystemClock, Work
from console.settings import Settings
from workers.fault_server import FaultServer

HOOKYARD = (sys.executable, "-P", "-m", "console.cli")
READY = "Hookyard is ready at "
SET_UP = "Set up the first admin at "
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
    def setup_url(self) -> str:
        """The link with which the first admin is made, as it is printed."""
        return self.lines[1].removeprefix(SET_UP)

    def read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def run(self, *words: str) -> str:
        """Run a command of ``hookyard`` on the same data; give what it printed."""
        environment = {**self.environment, "HOOKYARD_DATA": str(self.data), "HOOKYARD_BASE_URL": self.url}
        done = subprocess.run(
            [*HOOKYARD, *words], env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def work(self) -> Iterator[Work]:
        """Give a Work on its database."""
        settings = Settings(data=self.data, database_url=self.environment.get("HOOKYARD_DATABASE_URL", ""))
        engine = database.create_engine(settings.sqlalchemy_url)
        with Session(engine, expire_on_commit=False) as session:
            yield Work(session=session, settings=settings, keys=KeyRing(settings.secret_keys), clock=SystemClock())
        engine.dispose()

    def sign_up(self) -> None:
        """Make an admin of acme and a token for everything."""
        with self.work() as work:
            user = accounts.create_user(
                work,
                username="ada",
                email="ada@example.com",
                password="correct horse battery",
                organization_slug="acme",
                role="admin",
            )
            organization = organizations.get(work, slug="acme")
            issued = tokens.issue(
                work, user=user, organization=organization, permissions=[Permission.ADMIN], name="test"
            )
        self.token = issued.text

    def post(self, path: str, body: object) -> dict[str, object]:
        answer = requests.post(
            f"{self.url}/api/v1{path}", json=body, headers={"Authorization": f"Bearer {self.token}"}, timeout=20
        )
        assert answer.ok, answer.text
        return dict(answer.json())

    def hook_to(self, server: FaultServer, event_type: str = "order.paid") -> None:
        hook = {"name": event_type, "url": f"{server.url}/hook", "event_types": [event_type]}
        self.post("/hooks", hook)

    def publish(self, name: str, event_type: str = "order.paid") -> None:
        self.post("/events", {"type": event_type, "payload": {"name": name}})

    def answers(self) -> bool:
        """Say whether pages are answered."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

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


def names(server: FaultServer) -> list[str]:
    """Give the payloads' names that a receiver got, in order of arrival."""
    return [receipt.body.decode().split('"name": "', 1)[-1].split('"', 1)[0] for receipt in list(server.receipts)]


Launch = Callable[..., Up]


@contextmanager
def launching(folder: Path, wait_until: Wait) -> Iterator[Launch]:
    """Give a function that starts ``hookyard up``; whatever it started is ended at last."""
    started: list[Up] = []

    def start(*words: str, data: Path | None = None, ready: bool = True, **settings: str) -> Up:
        data = data or folder / "data"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOOKYARD_")}
        environment |= {"HOOKYARD_ALLOW_NETS": "127.0.0.0/8"}
        environment |= {f"HOOKYARD_{name.upper()}": value for name, value in settings.items()}
        errors = folder / f"errors-{len(started)}.txt"
        words = words if "--port" in words else ("--port", "0", *words)
        command = [*HOOKYARD, "up", "--data", str(data), *words]
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=folder
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
    for up in reversed(started):
        if up.process.poll() is None:
            up.stop()
        for process in left_over(up.data):
            process.kill()
        if up.process.stdout:
            up.process.stdout.close()
