"""A running ``hookyard up`` with an organization, and somebody with a token for all of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

HOOKYARD = (sys.executable, "-P", "-m", "console.cli")


@dataclass
class Product:
    """Where it runs, and who asks."""

    url: str
    environment: dict[str, str]
    token: str = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Ask, and expect no error."""
        headers = {"Authorization": f"Token {self.token}", **headers}
        answer = requests.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=20)
        assert answer.ok, answer.text
        return answer

    def post(self, path: str, body: Any) -> Any:
        """Post JSON and give what is answered."""
        answer = self.call("POST", path, body)
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.call("GET", path).json()

    def run(self, *words: str, stdin: str = "") -> str:
        """Run a command of ``hookyard`` beside it."""
        done = subprocess.run(
            [*HOOKYARD, *words],
            input=stdin,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout


@contextmanager
def running(folder: Path, wait_until: Callable[..., None]) -> Iterator[Product]:
    """Run it on a fresh data directory below *folder*."""
    data = folder / "data"
    environment = {**os.environ, "HOOKYARD_DATA": str(data), "HOOKYARD_ALLOW_NETS": "127.0.0.0/8"}
    lines: list[str] = []
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [*HOOKYARD, "up", "--port", "0"], env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
    reader.start()
    try:
        wait_until(lambda: lines or process.poll() is not None, seconds=60)
        assert lines, (folder / "up.log").read_text()[-4000:]
        product = Product(lines[0].split()[-1], environment)
        who = ("--username", "ada", "--email", "ada@example.com", "--full-name", "Ada Example", "--role", "admin")
        product.run("users", "create", *who, "--organization", "acme", "--password-stdin", stdin="correct horse\n")
        words = ("tokens", "create", "--user", "ada", "--organization", "acme", "--permission", "ADMIN", "--quiet")
        product.token = product.run(*words).strip()
        yield product
    finally:
        process.terminate()
        process.wait(30)
        reader.join(5)
        process.stdout.close()
