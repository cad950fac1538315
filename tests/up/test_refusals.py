"""What ``hookyard up`` refuses: with one sentence, at once, and leaving nothing behind."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import redis

from tests.databases import SqliteDatabases
from tests.up.stage import Launch, Up, left_over


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
def test_a_damaged_database_is_refused(
    launch: Launch, tmp_path: Path, sqlite_databases: SqliteDatabases, damage: str
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    sqlite_databases.copy("with", fill=lambda _: None, folder=data)
    database = data / "hookyard.sqlite3"
    database.write_bytes(b"x" * 20_000 if damage == "rubbish" else database.read_bytes()[:20_000] + b"\xff" * 60_000)
    database.chmod(0o600)  # else it says first that others could read it

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
