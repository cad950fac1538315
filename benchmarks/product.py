"""The whole product in real processes, to be measured and to be shot at: on one machine, or in parts."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Event, Thread
from typing import Self

import psutil
import requests
from sqlalchemy import Engine

from console import database
from console.cli import commands, valkey
from console.services.work import BACKGROUND, DELIVERIES, DELIVERIES_SLOW

PASSWORD = "a password for measurements"  # noqa: S105 of no use to anybody
MARKS = {"worker": "-m workers", "web": "console.cli.serve", "valkey": "valkey-server"}
RESTART_AFTER_S = 0.1
"""What systemd waits before it starts a service again."""
UNANSWERED_S = 90


class Product(ABC):
    """A running installation and its API; how it is started is up to the subclasses."""

    def __init__(self, data: Path, environment: Mapping[str, str]) -> None:
        given = {name: value for name, value in os.environ.items() if not name.startswith("HOOKYARD_")}
        self.data = data
        self.environment = {**given, "HOOKYARD_DATA": str(data), "HOOKYARD_ALLOW_NETS": "127.0.0.0/8", **environment}
        self.url = ""
        self.session = requests.Session()

    def sign_up(self) -> None:
        """Make an admin and use a token of theirs."""
        who = ["--username", "ada", "--email", "ada@example.com", "--organization", "acme", "--role", "admin"]
        self.command("users", "create", *who, "--password-stdin", stdin=PASSWORD)
        what = ["--user", "ada", "--organization", "acme", "--permission", "ADMIN", "--quiet"]
        self.session.headers["Authorization"] = f"Bearer {self.command('tokens', 'create', *what).strip()}"

    def command(self, *words: str, stdin: str = "") -> str:
        """Run a command of ours; give its output."""
        command = [sys.executable, "-m", "console.cli", *words]
        done = subprocess.run(
            command, env=self.environment, input=stdin, capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout

    def call(self, method: str, path: str, **options: object) -> requests.Response:
        """Call the API until it answers: while the web server is down or busy, a client tries again."""
        deadline = time.monotonic() + UNANSWERED_S
        while True:
            try:
                answer = self.session.request(method, f"{self.url}/api/v1{path}", timeout=30, **options)  # type: ignore[arg-type]
            except requests.RequestException:
                answer = None
            if answer is not None and answer.status_code < 500:  # noqa: PLR2004 server errors
                answer.raise_for_status()
                return answer
            if time.monotonic() > deadline:
                raise SystemExit(f"{method} {path} was not answered for {UNANSWERED_S} s")
            time.sleep(0.2)

    def processes(self, kind: str) -> list[psutil.Process]:
        """List the processes of one kind (worker, web, valkey), youngest last."""
        found = []
        for process in psutil.process_iter():
            try:
                words = " ".join(process.cmdline())
                if MARKS[kind] in words and (
                    str(self.data) in words or process.environ().get("HOOKYARD_DATA") == str(self.data)
                ):
                    found.append(process)
            except psutil.Error:
                continue
        return sorted(found, key=lambda process: process.create_time())

    def engine(self) -> Engine:
        """Open the database, beside the product."""
        url = self.environment.get("HOOKYARD_DATABASE_URL") or f"sqlite:///{self.data / 'hookyard.sqlite3'}"
        return database.create_engine(url, pool_size=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def redis_url(self) -> str:
        """The URL of the Valkey that it uses."""
        return self.environment.get("HOOKYARD_REDIS_URL") or valkey.url_of(self.data)

    @abstractmethod
    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; give the exit code."""


class Up(Product):
    """``hookyard up``: everything on one machine, with SQLite and the embedded Valkey."""

    def __init__(self, data: Path, log: Path, **environment: str) -> None:
        super().__init__(data, {"HOOKYARD_WORKERS": "2", **environment})
        command = [sys.executable, "-m", "console.cli", "up", "--port", "0"]
        with log.open("ab") as stderr:
            self.process = subprocess.Popen(
                command, env=self.environment, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        assert self.process.stdout is not None  # noqa: S101 a pipe was asked for
        for line in self.process.stdout:
            if found := re.fullmatch(r"Hookyard is ready at (\S+)\n", line):
                self.url = found[1]
                break
        self.ready_at = time.monotonic()
        if not self.url:
            raise SystemExit(f"hookyard up ended: {log.read_text()}")

    def stop(self) -> int:
        """Ask it to stop, as Ctrl-C does; give the exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.session.close()
        return code


class Parts(Product):
    """Web server, workers and Valkey as services of their own, each started again when it dies."""

    def __init__(self, data: Path, log: Path, *, database_url: str, workers: int = 2, **environment: str) -> None:
        data.mkdir(parents=True)
        valkey.make_folders(data)
        more = {"HOOKYARD_DATABASE_URL": database_url, "HOOKYARD_REDIS_URL": valkey.url_of(data), **environment}
        super().__init__(data, more)
        self.command("db", "upgrade")
        self._log = log.open("ab")
        self._ending = Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.environment["HOOKYARD_BASE_URL"] = self.url
        lanes = [DELIVERIES] * workers + [DELIVERIES_SLOW, BACKGROUND]
        self._commands = [
            valkey.command(data),
            commands.serve(self._listener.fileno(), processes=2),
            *map(commands.worker, lanes),
        ]
        self._processes = [self._start(command) for command in self._commands]
        self._respawner = Thread(target=self._respawn, daemon=True)
        self._respawner.start()

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            pass_fds=[self._listener.fileno()],
        )

    def _respawn(self) -> None:
        while not self._ending.wait(RESTART_AFTER_S):
            for index, process in enumerate(self._processes):
                if process.poll() is not None and not self._ending.is_set():
                    self._processes[index] = self._start(self._commands[index])

    def stop(self) -> int:
        """Ask all parts to stop; give the worst exit code."""
        self._ending.set()
        self._respawner.join()
        for process in self._processes[1:]:
            process.terminate()
        codes = [process.wait(45) for process in self._processes[1:]]
        self._processes[0].terminate()
        self._processes[0].wait(10)
        self._listener.close()
        self._log.close()
        self.session.close()
        return max(map(abs, codes))
