"""The whole product in real processes: one for each test that asks, or one for a whole file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.up.stage import Launch, Wait, launching
from workers.fault_server import FaultServer
from workers.faults import fault_named


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/up/"):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(180))


@pytest.fixture
def launch(tmp_path: Path, wait_until: Wait) -> Iterator[Launch]:
    """Start ``hookyard up``; it ends with the test."""
    with launching(tmp_path, wait_until) as launch:
        yield launch


@pytest.fixture(scope="module")
def launch_for_all(tmp_path_factory: pytest.TempPathFactory, wait_until_session: Wait) -> Iterator[Launch]:
    """The same; it ends after the last test of the file."""
    with launching(tmp_path_factory.mktemp("up"), wait_until_session) as launch:
        yield launch


@pytest.fixture
def receiver() -> Iterator[FaultServer]:
    with FaultServer(fault_named("ok")) as server:
        yield server
