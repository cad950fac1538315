"""A running ``hookyard up`` with an organization, and somebody with a token for all of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.up.stage import Wait, launching


@dataclass(frozen=True)
class Product:
    """Where it runs, and who asks."""

    url: str
    token: str

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


@contextmanager
def running(folder: Path, wait_until: Wait) -> Iterator[Product]:
    """Run it on a fresh data directory below *folder*."""
    with launching(folder, wait_until) as launch:
        up = launch()
        up.sign_up()
        yield Product(up.url, up.token)
