"""No other account of the host can read what Hookyard keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from console import privacy
from console.settings import Settings

Run = Callable[..., Result]
HOOKYARD = (sys.executable, "-P", "-m", "console.cli")


def run(*words: str, data: Path) -> None:
    """Run a command in a process with the usual umask, 022."""
    environment = {**os.environ, "HOOKYARD_DATA": str(data), "HOOKYARD_REDIS_URL": "unix:///nowhere.sock"}
    subprocess.run([*HOOKYARD, *words], env=environment, umask=0o022, check=True, capture_output=True, timeout=60)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.rglob("*"))}


def test_what_a_command_creates_is_for_its_own_account_alone(tmp_path: Path) -> None:
    run("db", "upgrade", data=tmp_path / "data")

    assert modes(tmp_path / "data") == {"data": 0o700, "hookyard.sqlite3": 0o600, "secret-key": 0o600}


def test_a_database_in_a_directory_that_others_may_read_is_closed_all_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)

    run("db", "upgrade", data=data)
    run("organizations", "create", "acme", data=data)

    assert {mode for name, mode in modes(data).items() if name != "data"} == {0o600}


def test_doctor_warns_of_files_that_others_may_read_and_names_the_remedy(installed: Run, data: Path) -> None:
    (data / "hookyard.sqlite3").chmod(0o644)
    data.chmod(0o755)

    examined = installed("doctor")

    assert "warn  file permissions: Other accounts of this host may read" in examined.output
    assert f"`chmod go-rwx {data} {data}/hookyard.sqlite3`" in examined.output


def test_doctor_is_content_with_files_that_nobody_else_may_read(installed: Run, data: Path) -> None:
    data.chmod(0o700)
    for path in data.iterdir():
        path.chmod(0o600)

    assert "ok    file permissions" in installed("doctor").output


def test_files_are_closed_wherever_the_database_is(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (data / "valkey" / "appendonlydir").mkdir(parents=True)
    elsewhere.mkdir()
    ours = [
        data / "secret-key",
        data / "valkey" / "valkey.log",
        data / "valkey" / "appendonlydir" / "base.rdb",
        *(elsewhere / f"own.sqlite3{ending}" for ending in ("", "-wal", "-shm")),
    ]
    for path in [*ours, data / "not-ours"]:
        path.touch()
        path.chmod(0o644)

    privacy.close(Settings(data=data, database_url=f"sqlite:///{elsewhere}/own.sqlite3"))

    assert [path.stat().st_mode & 0o777 for path in ours] == [0o600] * len(ours)
    assert (data / "not-ours").stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a file that belongs to another account")
def test_a_file_of_another_account_is_left_and_named(tmp_path: Path) -> None:
    key = tmp_path / "secret-key"
    key.touch()
    key.chmod(0o644)
    os.chown(key, 12345, 12345)
    settings = Settings(data=tmp_path)

    privacy.close(settings)

    assert key in privacy.open_to_others(settings)
