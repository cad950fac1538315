from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import Result

from console import migrations

Run = Callable[..., Result]


def test_upgrading_an_empty_directory_makes_database_and_secret_key(hookyard: Run, data: Path) -> None:
    upgraded = hookyard("db", "upgrade", secret_key="")

    assert upgraded.output == f"The database went from nothing to {migrations.head()}.\n"
    assert stat.S_IMODE((data / "secret-key").stat().st_mode) == 0o600
    assert hookyard("db", "check", secret_key="").exit_code == 0


def test_upgrading_twice_changes_nothing(installed: Run) -> None:
    assert installed("db", "upgrade").output == f"The database is at {migrations.head()}.\n"


def test_upgrading_gives_organizations_the_event_types_that_came_with_the_version(installed: Run, data: Path) -> None:
    assert installed("organizations", "create", "acme").exit_code == 0
    with closing(sqlite3.connect(data / "hookyard.sqlite3", isolation_level=None)) as raw:
        everything = raw.execute("SELECT count(*) FROM event_types").fetchone()
        raw.execute("DELETE FROM event_types WHERE name = 'hook.circuit_opened'")

    assert installed("db", "upgrade").exit_code == 0

    with closing(sqlite3.connect(data / "hookyard.sqlite3")) as raw:
        assert raw.execute("SELECT count(*) FROM event_types").fetchone() == everything


def test_a_database_of_another_version_fails_the_check(installed: Run) -> None:
    installed("db", "downgrade", "base", "--yes")

    checked = installed("db", "check")

    assert checked.exit_code == 1
    assert "run `hookyard db upgrade`" in checked.stderr


def test_going_back_asks_first(installed: Run) -> None:
    declined = installed("db", "downgrade", "base", stdin="n\n")

    assert declined.exit_code == 1
    assert installed("db", "check").exit_code == 0


def test_a_revision_that_does_not_exist_is_refused(installed: Run) -> None:
    upgraded = installed("db", "upgrade", "9999")

    assert upgraded.exit_code == 1
    assert "9999" in upgraded.stderr


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "check"), ("organizations", "list"), ("web",)])
def test_a_damaged_database_is_told_in_a_sentence(installed: Run, data: Path, command: tuple[str, ...]) -> None:
    (data / "hookyard.sqlite3").write_bytes(b"not a database at all" * 1000)

    failed = installed(*command)

    assert failed.exit_code == 1
    assert "is damaged" in failed.stderr or "The database file is damaged" in failed.stderr
    assert failed.stderr.count("\n") == 1


@pytest.mark.postgres
@pytest.mark.both_databases
def test_commands_work_on_both_databases(hookyard: Run, database_url: str, data: Path) -> None:
    data.mkdir()

    made = hookyard("organizations", "create", "acme", database_url=database_url)
    published = hookyard("publish", "order.paid", "--data", "{}", database_url=database_url)
    checked = hookyard("db", "check", database_url=database_url)

    assert [made.exit_code, published.exit_code, checked.exit_code] == [0, 0, 0], made.output


def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(hookyard: Run, data: Path) -> None:
    failed = hookyard("organizations", "list", database_url="postgresql://nobody@127.0.0.1:1/nothing")

    assert failed.exit_code == 1
    assert failed.stderr.startswith("Error: The database cannot be used: ")
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [("workers", "none"), ("allow_nets", "here"), ("base_url", "ftp://x"), ("retry_schedule", "soon")],
)
def test_a_malformed_setting_is_named(hookyard: Run, setting: str, value: str) -> None:
    failed = hookyard("db", "check", **{setting: value})

    assert failed.exit_code == 1
    assert f"HOOKYARD_{setting.upper()}" in failed.stderr


def test_a_worker_needs_a_redis(installed: Run) -> None:
    failed = installed("worker", "--lane", "background")

    assert failed.exit_code == 1
    assert "cannot be used" in failed.stderr
