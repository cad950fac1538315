"""The command line in this process, on a data directory of the test's own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
import structlog
from click.testing import CliRunner, Result

from console.cli import cli

PASSWORD = "correct horse battery"
KEY = "a key for tests that is long enough"
Run = Callable[..., Result]


@pytest.fixture
def quiet_logs() -> Iterator[None]:
    """Commands set up logging for their process; put back what the test run had."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def hookyard(data: Path, quiet_logs: None) -> Run:
    """Run ``hookyard WORDS…`` with settings such as ``workers="3"``; Redis is nowhere unless the test says where."""
    runner = CliRunner()

    def run(*words: str | Path, stdin: str | bytes = "", **settings: str | Path) -> Result:
        chosen = {"data": data, "secret_key": KEY, "redis_url": f"unix://{data}/nowhere.sock", **settings}
        env = {f"HOOKYARD_{name.upper()}": str(value) for name, value in chosen.items()}
        return runner.invoke(cli, [str(word) for word in words], input=stdin, env=env)

    return run


@pytest.fixture
def installed(hookyard: Run, data: Path) -> Run:
    """The same, after ``hookyard db upgrade``."""
    data.mkdir()
    result = hookyard("db", "upgrade")
    assert result.exit_code == 0, result.output
    return hookyard


@pytest.fixture
def evicting(valkey: str) -> Iterator[None]:
    """The test's Valkey may drop keys when memory is short."""
    with redis.Redis.from_url(valkey) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield
        client.config_set("maxmemory-policy", "noeviction")
