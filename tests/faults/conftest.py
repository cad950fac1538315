"""Fixtures for the rows of docs/reliability.md: every test here injects its fault for real and carries the mark."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ledger import Ledger
from console.ring import RedisRing
from console.services.work import SystemClock, Work
from tests.faults.parts import Valkey, own_valkey
from tests.faults.stage import Stage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith("tests/faults/"):
            item.add_marker("faults")


@pytest.fixture
def work(work: Work, valkey: str) -> Work:
    """The same, at the time that it really is, with a Redis."""
    return replace(work, clock=SystemClock(), ring=RedisRing(valkey))


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with Ledger() as ledger:
        yield ledger


@pytest.fixture
def stage(work: Work, ada: Any, ledger: Ledger, wait_until: Any, valkey: str) -> Iterator[Stage]:
    with ExitStack() as stack:
        yield Stage(work, ada, ledger, wait_until, valkey, stack)


@pytest.fixture
def own(wait_until: Any) -> Iterator[Valkey]:
    """A Valkey that only this test uses."""
    folder = Path(tempfile.mkdtemp(prefix="hy-own-", dir="/tmp"))  # socket paths are short or refused
    with own_valkey(folder, wait_until) as valkey:
        yield valkey
    shutil.rmtree(folder)
